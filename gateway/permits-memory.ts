/** Connection permits counted in this process: a limit then means connections on one gateway pod. */
import type { Permit, Permits } from "./permits.ts";
import { type Refusal, refuse } from "./refusals.ts";
import type { Route } from "./snapshot.ts";

interface Count {
  total: number;
  readonly perClientIP: Map<string, number>;
}

export class MemoryPermits implements Permits {
  /** By `namespace/name`; a route without connections has no entry. */
  readonly #counts = new Map<string, Count>();

  acquire({ route, clientIP }: { readonly route: Route; readonly clientIP: string }): Permit | Refusal {
    const key = `${route.namespace}/${route.name}`;
    const count = this.#counts.get(key) ?? { total: 0, perClientIP: new Map() };
    const ofClient = count.perClientIP.get(clientIP) ?? 0;
    const { total, perClientIP } = route.limits.connections;
    if (perClientIP !== undefined && ofClient >= perClientIP) return refuse("TooManyConnectionsPerClient");
    if (total !== undefined && count.total >= total) return refuse("TooManyConnections");
    // Counted with or without a limit, so that one that is set later knows the connections that are there.
    count.total += 1;
    count.perClientIP.set(clientIP, ofClient + 1);
    this.#counts.set(key, count);
    let held = true;
    return {
      release: () => {
        if (held) this.#release(key, clientIP);
        held = false;
      },
    };
  }

  /** Connections now counted for a route. */
  held(route: Pick<Route, "namespace" | "name">): number {
    return this.#counts.get(`${route.namespace}/${route.name}`)?.total ?? 0;
  }

  #release(key: string, clientIP: string): void {
    const count = this.#counts.get(key);
    if (count === undefined) return;
    count.total -= 1;
    const ofClient = (count.perClientIP.get(clientIP) ?? 0) - 1;
    if (ofClient > 0) count.perClientIP.set(clientIP, ofClient);
    else count.perClientIP.delete(clientIP);
    if (count.total === 0) this.#counts.delete(key);
  }
}
