/** A whole snapshot for tests of the gateway: one plain listener, and the routes and endpoints that a test names. */
import type { Endpoint, GatewaySettings, Route, Snapshot } from "../../gateway/snapshot.ts";
import { makeRoute } from "./make-route.ts";

export interface SnapshotParts {
  readonly routes?: readonly Route[];
  /** Ports on 127.0.0.1 of each backend, by id; or endpoints that are elsewhere. */
  readonly backends?: Readonly<Record<string, readonly (number | Endpoint)[]>>;
  readonly settings?: Partial<GatewaySettings>;
  readonly sequence?: number;
}

/** The backend that `makeRoute` names. */
export const CHAT = "apps/chat:3000";

export function makeSnapshot({ routes, backends = {}, settings, sequence = 1 }: SnapshotParts = {}): Snapshot {
  const endpoints = new Map<string, readonly Endpoint[]>();
  for (const [id, places] of Object.entries(backends)) {
    endpoints.set(
      id,
      places.map((place) => (typeof place === "number" ? { address: "127.0.0.1", port: place } : place)),
    );
  }
  return {
    revision: `revision-${sequence}`,
    sequence,
    settings: {
      namespace: "holdfast",
      name: "public",
      generation: 1,
      listeners: [{ name: "ws", port: 8080, protocol: "WS", certificates: [] }],
      trustedProxies: [],
      drain: { timeout: 10_000, maxDisconnectsPerSecond: 100 },
      ...settings,
    },
    routes: routes ?? [makeRoute()],
    endpoints,
  };
}
