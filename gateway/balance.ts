import type { Handshake } from "./handshake.ts";
import type { Endpoint, Route } from "./snapshot.ts";

export interface Pick {
  /** The backend's `id` in the route. */
  readonly backend: string;
  readonly endpoint: Endpoint;
}

/** Where round robin stands on one route; kept by the caller from pick to pick, also across snapshots. */
export interface Cursor {
  /** Smooth weighted round robin's credit of each backend, and the next endpoint's index in it. */
  readonly credits: Map<string, number>;
  readonly turns: Map<string, number>;
}

export function newCursor(): Cursor {
  return { credits: new Map(), turns: new Map() };
}

export interface PickRequest {
  readonly route: Route;
  readonly endpoints: ReadonlyMap<string, readonly Endpoint[]>;
  /** From `hashKeyOf`; read by ConsistentHash only. */
  readonly key: string;
  /** Connections that this process holds to an endpoint. */
  readonly loads: (endpoint: Endpoint) => number;
  /** `endpointKey`s that were tried for this handshake. */
  readonly exclude: ReadonlySet<string>;
  /** In [0, 1). */
  readonly random: () => number;
  readonly cursor: Cursor;
}

/** `address:port`: what loads and exclusions are counted by. */
export function endpointKey(endpoint: Endpoint): string {
  return endpoint.address.includes(":")
    ? `[${endpoint.address}]:${endpoint.port}`
    : `${endpoint.address}:${endpoint.port}`;
}

/** The endpoint for a new connection; undefined when there is none that takes one. */
export function pickEndpoint(_request: PickRequest): Pick | undefined {
  throw new Error("not built yet");
}

/** What ConsistentHash hashes; the affinity where the named header, parameter or cookie is missing. */
export function hashKeyOf(
  _handshake: Handshake,
  _route: Route,
  _ids: { readonly clientIP: string; readonly affinity: string },
): string {
  throw new Error("not built yet");
}
