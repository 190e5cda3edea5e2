/** Connection permits: how many connections a route, and one client address on it, may hold. Twins may stand behind it. */
import type { Refusal } from "./refusals.ts";
import type { Route } from "./snapshot.ts";

export interface Permit {
  /** Gives the permit back; further calls do nothing. */
  release(): void;
}

export interface Permits {
  /**
   * A permit under the route's limits as they are now, or `TooManyConnectionsPerClient` / `TooManyConnections`.
   * Connections are counted by the route's name, so that limits hold across snapshots.
   */
  acquire(request: { readonly route: Route; readonly clientIP: string }): Permit | Refusal;
}
