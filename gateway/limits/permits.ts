/** Connection permits: how many connections a route, one client address and one user on it may hold. Twins stand behind it. */
import type { Refusal, RefusalReason } from "../refusals.ts";
import type { Route } from "../snapshot.ts";

export interface Permit {
  /** What would have been refused if the limits were enforced; only with `mode: Report`. */
  readonly exceeded?: RefusalReason | undefined;
  /** Gives the permit back; further calls do nothing. */
  release(): void;
}

export interface ConnectionRequest {
  readonly route: Route;
  readonly clientIP: string;
  /** Absent for clients that nobody has authenticated: no limit per user holds for them. */
  readonly user?: string | undefined;
}

export interface Permits {
  /**
   * A permit under the route's limits as they are now, or `TooManyConnectionsPerClient`, `TooManyConnectionsPerUser` or
   * `TooManyConnections`. Connections are counted by the route's name, so that limits hold across snapshots.
   */
  acquire(request: ConnectionRequest): Promise<Permit | Refusal>;
}

/** Something that is counted for a route: all of it, or the connections of one address or user. */
export interface Counted {
  /** Name of the count, as it stands in Redis too. */
  readonly field: string;
  readonly limit: number | undefined;
  readonly reason: RefusalReason;
}

/** What a connection counts for, in the order in which refusals are told: the client's own limits first. */
export function countedFor({ route, clientIP, user }: ConnectionRequest): readonly Counted[] {
  const { total, perClientIP, perUser } = route.limits.connections;
  const ofUser: Counted[] =
    user === undefined ? [] : [{ field: `user:${user}`, limit: perUser, reason: "TooManyConnectionsPerUser" }];
  return [
    { field: `ip:${clientIP}`, limit: perClientIP, reason: "TooManyConnectionsPerClient" },
    ...ofUser,
    { field: "total", limit: total, reason: "TooManyConnections" },
  ];
}
