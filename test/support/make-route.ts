/** Values for tests of the gateway's decisions: a route without policies, and the opening handshake of a browser. */
import { type Handshake, parseHandshake, type RawRequest } from "../../gateway/handshake/handshake.ts";
import { isRefusal } from "../../gateway/refusals.ts";
import type { Route, RouteMatch } from "../../gateway/snapshot.ts";

export function makeRoute(changes: Partial<Route> = {}): Route {
  return {
    namespace: "apps",
    name: "chat",
    generation: 1,
    order: 0,
    listeners: ["ws"],
    hostnames: [],
    matches: [prefixMatch("/")],
    backends: [{ id: "apps/chat:3000", weight: 1 }],
    limits: { connections: {}, maxMessageSize: 65_536, maxQueuedBytes: 1_048_576, onSlowClient: "Close" },
    timeouts: { handshake: 10_000, connect: 5_000, idle: 3_600_000, maxLifetime: 86_400_000 },
    keepAlive: { interval: 25_000, timeout: 8_000 },
    loadBalancing: { type: "ConsistentHash", key: { type: "ConnectionID" }, maxLoad: 125 },
    ...changes,
  };
}

export function prefixMatch(value: string): RouteMatch {
  return { path: { type: "PathPrefix", value }, headers: [], queryParams: [] };
}

/** The example key of RFC 6455 §1.3. */
export const SAMPLE_KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** What a browser sends; `headers` replace those of the same name, or leave them out where undefined. */
export function makeRequest(url = "/", headers: Readonly<Record<string, string | undefined>> = {}): RawRequest {
  const base: Record<string, string | undefined> = {
    Host: "chat.example.com",
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": SAMPLE_KEY,
    ...headers,
  };
  const rawHeaders = Object.entries(base).flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
  return { method: "GET", url, httpVersion: "1.1", rawHeaders, head: new Uint8Array() };
}

export function makeHandshake(url = "/", headers: Readonly<Record<string, string | undefined>> = {}): Handshake {
  const handshake = parseHandshake(makeRequest(url, headers));
  if (isRefusal(handshake)) throw new Error(`${handshake.reason}: ${handshake.message}`);
  return handshake;
}
