/**
 * The request head that a backend gets: end-to-end headers as they came, hop-by-hop ones rebuilt (C9), what the gateway
 * vouches for overwritten (A9), credentials in the query taken out unless they shall stay (A8), the path as matched and rewritten.
 */

import { strippedParameters } from "../auth/credentials.ts";
import type { Principal } from "../auth/principal.ts";
import type { ClientAddress } from "../handshake/client-ip.ts";
import { CONNECTION_ID_HEADER, CONNECTION_ID_NAME } from "../handshake/connection-id.ts";
import type { Handshake } from "../handshake/handshake.ts";
import { HOP_BY_HOP, isToken } from "../handshake/header-list.ts";
import { normalizePath, withoutParameters } from "../handshake/target.ts";
import { isRefusal } from "../refusals.ts";
import type { Route, RouteMatch } from "../snapshot.ts";

export interface UpstreamRequest {
  readonly handshake: Handshake;
  readonly route: Route;
  readonly match: RouteMatch;
  readonly client: ClientAddress;
  readonly principal: Pick<Principal, "headers">;
  /** The whole ID, `<affinity>.<nonce>`. */
  readonly connectionId: string;
  /** How the client reached this gateway. */
  readonly scheme: "ws" | "wss";
  /** Subprotocols to offer, from `Admission.offered`. */
  readonly protocols: readonly string[];
}

type Header = readonly [name: string, value: string];

/** Headers that belong to one hop (RFC 9110 §7.6.1), or that this head states itself. */
const REBUILT: ReadonlySet<string> = new Set([...HOP_BY_HOP, "content-length", "expect", "host", "http2-settings"]);
/** What only a proxy may say about a client; believed from trusted ones. */
const FROM_PROXIES = /^(?:x-forwarded-|forwarded$|x-real-ip$)/;
/** What nobody but this gateway may say, whatever a route's `requestHeaders` ask for. */
const OURS = /^(?:holdfast-|sec-websocket-)/;
const UNSAFE_IN_VALUE = /[\0\r\n]+/g;
const BEYOND_ASCII = /[^\0-\x7f]/;

/**
 * The HTTP/1.1 request head, up to and including the empty line. Every character is one byte: write it as `latin1`.
 * Throws when the route's rewrite holds no path, which translation refuses.
 */
export function upstreamHead(request: UpstreamRequest): string {
  const { handshake, route, match } = request;
  const path = rewritePath(handshake.target.path, route, match);
  const search = withoutParameters(
    handshake.target.search,
    new Set([CONNECTION_ID_NAME, ...strippedParameters(route)]),
  );
  const told = [...forwardedHeaders(request), ...ownHeaders(request), ...principalHeaders(request)];
  const headers = applyRequestHeaders(told, route);
  const lines = [...fixedHeaders(request), ...headers].map(([name, value]) => `${name}: ${value}`);
  return `GET ${path}${search} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
}

/** The path for the backend: as Gateway API's `ReplacePrefixMatch` and `ReplaceFullPath` have it. */
function rewritePath(path: string, route: Route, match: RouteMatch): string {
  const rewrite = route.rewrite?.path;
  if (rewrite === undefined) return path;
  if (rewrite.type === "ReplaceFullPath") return pathOrThrow(rewrite.value, route);
  // A regular expression has no prefix that could be replaced.
  if (match.path.type === "RegularExpression") return path;
  const prefix = withoutTrailingSlash(pathOrThrow(match.path.value, route));
  const replacement = withoutTrailingSlash(rewrite.value === "" ? "" : pathOrThrow(rewrite.value, route));
  const rest = path.slice(prefix.length);
  return replacement + rest === "" ? "/" : replacement + rest;
}

function withoutTrailingSlash(path: string): string {
  return path.endsWith("/") ? path.slice(0, -1) : path;
}

function pathOrThrow(value: string, route: Route): string {
  const path = normalizePath(value);
  if (isRefusal(path)) throw new Error(`route ${route.namespace}/${route.name}: a rewrite or match is no path`);
  return path;
}

function fixedHeaders({ handshake, route, protocols }: UpstreamRequest): Header[] {
  const headers: Header[] = [
    ["Host", clean(route.rewrite?.hostname ?? handshake.authority)],
    ["Connection", "Upgrade"],
    ["Upgrade", "websocket"],
    ["Sec-WebSocket-Version", "13"],
    // The client's own key: the backend's Sec-WebSocket-Accept then suits the client as it is.
    ["Sec-WebSocket-Key", handshake.key],
  ];
  if (protocols.length > 0) headers.push(["Sec-WebSocket-Protocol", protocols.join(", ")]);
  if (handshake.extensions !== undefined) headers.push(["Sec-WebSocket-Extensions", clean(handshake.extensions)]);
  return headers;
}

/** The client's headers that go on. `X_Forwarded_For` is `X-Forwarded-For` to many a backend, so it is to us. */
function forwardedHeaders({ handshake, client, route }: UpstreamRequest): Header[] {
  const named = new Set(handshake.headers.list("connection").map((token) => token.toLowerCase()));
  const vouched = vouchedHeaders(route);
  const kept: Header[] = [];
  for (const [name, value] of handshake.headers) {
    const lower = name.toLowerCase();
    const canonical = lower.includes("_") ? lower.replaceAll("_", "-") : lower;
    if (REBUILT.has(lower) || named.has(lower) || OURS.test(canonical) || !isToken(name)) continue;
    if (vouched.has(canonical) || STATED.has(canonical) || (FROM_PROXIES.test(canonical) && !client.viaTrustedProxy))
      continue;
    kept.push([name, clean(value)]);
  }
  return kept;
}

/**
 * Names, with dashes and in lower case, under which the backend is told who the client is. What the client says under them
 * is dropped even where there is nothing to put in its place (A9).
 */
export function vouchedHeaders({ jwt, external }: Route): ReadonlySet<string> {
  const names = [...(jwt?.forwardClaims ?? []).map(({ header }) => header), ...(external?.responseHeaders ?? [])];
  return new Set(names.map((name) => name.toLowerCase().replaceAll("_", "-")));
}

function principalHeaders({ principal }: UpstreamRequest): Header[] {
  return principal.headers
    .filter(([name]) => isFree(name.toLowerCase()))
    .map(([name, value]): Header => [name, clean(value)]);
}

/** Whether a name, in lower case, may be set by configuration. */
function isFree(name: string): boolean {
  return !REBUILT.has(name) && !OURS.test(name) && isToken(name);
}

/** Headers that `ownHeaders` states. */
const STATED: ReadonlySet<string> = new Set(["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"]);

function ownHeaders({ handshake, client, connectionId, scheme }: UpstreamRequest): Header[] {
  const said = (name: string): string | undefined => (client.viaTrustedProxy ? handshake.headers.get(name) : undefined);
  return [
    ["X-Forwarded-For", clean(client.forwardedFor)],
    // `http` and `https` rather than `ws` and `wss`: what frameworks look for when they ask whether a request is secure.
    ["X-Forwarded-Proto", clean(said("x-forwarded-proto") ?? (scheme === "wss" ? "https" : "http"))],
    ["X-Forwarded-Host", clean(said("x-forwarded-host") ?? handshake.authority)],
    [CONNECTION_ID_HEADER, connectionId],
  ];
}

/** The route's `set`, `add` and `remove`, in this order; names that this head states itself are passed over. */
function applyRequestHeaders(headers: Header[], route: Route): Header[] {
  const changes = route.requestHeaders;
  if (changes === undefined) return headers;
  const set = changes.set.filter(({ name }) => isFree(name.toLowerCase()));
  const add = changes.add.filter(({ name }) => isFree(name.toLowerCase()));
  const replaced = new Set(set.map(({ name }) => name.toLowerCase()));
  const removed = new Set(changes.remove.map((name) => name.toLowerCase()).filter(isFree));
  const kept = headers.filter(([name]) => !replaced.has(name.toLowerCase()));
  const changed = [...set, ...add].map(({ name, value }): Header => [name, encode(value)]);
  return [...kept, ...changed].filter(([name]) => !removed.has(name.toLowerCase()));
}

/** Nothing that was sent or configured can start another header (RFC 9110 §5.5). */
function clean(value: string): string {
  return value.replace(UNSAFE_IN_VALUE, " ");
}

/** A configured value as UTF-8 bytes, one character each; what a client sent is in that form already. */
function encode(value: string): string {
  return clean(BEYOND_ASCII.test(value) ? Buffer.from(value, "utf8").toString("latin1") : value);
}
