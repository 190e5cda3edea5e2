/** How many connections of this process each backend endpoint carries, dials included; the balancer reads it. */

import type { Endpoint } from "../snapshot.ts";
import { endpointKey } from "./balance.ts";

export class EndpointLoads {
  readonly #counts = new Map<string, number>();
  /** Endpoints are immutable values of a snapshot, so a name is made once for each and goes with it. */
  readonly #names = new WeakMap<Endpoint, string>();

  #total = 0;

  /** Connections to all endpoints together. */
  get total(): number {
    return this.#total;
  }

  readonly of = (endpoint: Endpoint): number => this.#counts.get(this.#name(endpoint)) ?? 0;

  /** Counts one connection; the returned function takes it back, once. */
  take(endpoint: Endpoint): () => void {
    const name = this.#name(endpoint);
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    this.#total += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#total -= 1;
      const left = (this.#counts.get(name) ?? 0) - 1;
      if (left > 0) this.#counts.set(name, left);
      else this.#counts.delete(name);
    };
  }

  #name(endpoint: Endpoint): string {
    let name = this.#names.get(endpoint);
    if (name === undefined) {
      name = endpointKey(endpoint);
      this.#names.set(endpoint, name);
    }
    return name;
  }
}
