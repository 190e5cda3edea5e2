/** How many routes stand in each state of each condition, kept up with what has changed: with 10,000 routes a scrape is asked often. */
import type { RouteEntry } from "./cluster.ts";

const TYPES = new Set(["Accepted", "ResolvedRefs", "Programmed", "Ready"]);
const STATUSES = new Set(["True", "False", "Unknown"]);

interface Counted {
  readonly status: unknown;
  readonly states: readonly string[];
}

export class ConditionCounts {
  readonly #counted = new Map<string, Counted>();
  readonly #counts = new Map<string, number>();

  /** By `condition status`, such as `Ready True`. A state that no route is in any more stays, with 0. */
  of(routes: ReadonlyMap<string, RouteEntry>): ReadonlyMap<string, number> {
    for (const [key, { status }] of routes) {
      const before = this.#counted.get(key);
      if (before !== undefined && before.status === status) continue;
      const states = statesOf(status);
      this.#add(before?.states ?? [], -1);
      this.#add(states, 1);
      this.#counted.set(key, { status, states });
    }
    if (this.#counted.size > routes.size) this.#forgetMissing(routes);
    return this.#counts;
  }

  #forgetMissing(routes: ReadonlyMap<string, RouteEntry>): void {
    for (const [key, { states }] of this.#counted) {
      if (routes.has(key)) continue;
      this.#add(states, -1);
      this.#counted.delete(key);
    }
  }

  #add(states: readonly string[], times: number): void {
    for (const state of states) this.#counts.set(state, (this.#counts.get(state) ?? 0) + times);
  }
}

/** A status is whatever the API holds, so only words that we know become labels. */
function statesOf(status: unknown): string[] {
  const conditions = (status as { conditions?: unknown } | undefined)?.conditions;
  if (!Array.isArray(conditions)) return [];
  return conditions.flatMap((condition) => {
    const { type, status: state } = Object(condition) as { readonly type: string; readonly status: string };
    return TYPES.has(type) && STATUSES.has(state) ? [`${type} ${state}`] : [];
  });
}
