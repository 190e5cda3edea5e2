/** Connection permits counted in this process: a limit then means connections on one gateway pod. */
import { type Refusal, refuse } from "../refusals.ts";
import type { Route } from "../snapshot.ts";
import { type ConnectionRequest, type Counted, countedFor, type Permit, type Permits } from "./permits.ts";

type Counts = Map<string, number>;

export class MemoryPermits implements Permits {
  /** By `namespace/name`; a route without connections has no entry. */
  readonly #routes = new Map<string, Counts>();

  acquire(request: ConnectionRequest): Promise<Permit | Refusal> {
    return Promise.resolve(this.take(request));
  }

  /** The same at once. */
  take(request: ConnectionRequest): Permit | Refusal {
    const { route } = request;
    const key = `${route.namespace}/${route.name}`;
    const counts = this.#routes.get(key) ?? new Map<string, number>();
    const counted = countedFor(request);
    const exceeded = counted.find(
      ({ field, limit }) => limit !== undefined && (counts.get(field) ?? 0) >= limit,
    )?.reason;
    if (exceeded !== undefined && route.limits.connections.mode !== "Report") return refuse(exceeded);
    // Counted with or without a limit, so that one that is set later knows the connections that are there.
    for (const { field } of counted) counts.set(field, (counts.get(field) ?? 0) + 1);
    this.#routes.set(key, counts);
    let held = true;
    return {
      exceeded,
      release: () => {
        if (held) this.#release(key, counted);
        held = false;
      },
    };
  }

  /** Connections now counted for a route. */
  held(route: Pick<Route, "namespace" | "name">): number {
    return this.counts(`${route.namespace}/${route.name}`).get("total") ?? 0;
  }

  /** What is counted for the route `namespace/name`, by field. */
  counts(route: string): ReadonlyMap<string, number> {
    return this.#routes.get(route) ?? new Map();
  }

  #release(key: string, counted: readonly Counted[]): void {
    const counts = this.#routes.get(key);
    if (counts === undefined) return;
    for (const { field } of counted) {
      const left = (counts.get(field) ?? 0) - 1;
      if (left > 0) counts.set(field, left);
      else counts.delete(field);
    }
    if (counts.size === 0) this.#routes.delete(key);
  }
}
