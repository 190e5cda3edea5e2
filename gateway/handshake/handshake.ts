/**
 * Reads a client's opening handshake (RFC 6455 §4.2.1). Knows no socket: strings in, a `Handshake` or a `Refusal` out.
 */

import { isRefusal, type Refusal, refuse } from "../refusals.ts";
import { HeaderList, isToken } from "./header-list.ts";
import { parseTarget, type Target } from "./target.ts";

/** What any request says about where it wants to go; enough to find its route. */
export interface RequestSubject {
  readonly target: Target;
  /** Lower case, without port and without a trailing dot; an IPv6 address keeps its brackets. */
  readonly host: string;
  /** Host and port as the client named them. */
  readonly authority: string;
  readonly headers: HeaderList;
}

export interface Handshake extends RequestSubject {
  /** `Sec-WebSocket-Key` as sent. */
  readonly key: string;
  /** Offered subprotocols in the client's order, no duplicates. */
  readonly protocols: readonly string[];
  /** Offered extensions as sent, repeated headers joined. */
  readonly extensions: string | undefined;
  /** Every `Origin` header, joined; an honest client sends one or none. */
  readonly origin: string | undefined;
  /** Values as sent, without surrounding quotes; the first of a name counts. */
  readonly cookies: ReadonlyMap<string, string>;
}

/** The parts of an `IncomingMessage` that a handshake is made of; `head` is what came after the headers. */
export interface RawRequest {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly httpVersion: string;
  readonly rawHeaders: readonly string[];
  readonly head: Uint8Array;
}

const KEY = /^[+/0-9A-Za-z]{22}==$/;
const HOST = /^(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_-])?\.?|\[[0-9a-f:.]+\])$/;
const AUTHORITY = /^(\[[^\]]*\]|[^:]*)(?::[0-9]{0,5})?$/;
const QUOTED = /^"(.*)"$/;
const NO_COOKIES: ReadonlyMap<string, string> = new Map();

/** Target and host of any request: what is needed to tell 404 from 426 for a plain one. */
export function parseSubject(request: Pick<RawRequest, "url" | "rawHeaders">): RequestSubject | Refusal {
  const target = parseTarget(request.url ?? "");
  if (isRefusal(target)) return target;
  const headers = new HeaderList(request.rawHeaders);
  const hosts = headers.all("host");
  if (hosts.length !== 1) return refuse("BadHost");
  const authority = target.authority ?? (hosts[0] as string).trim();
  const host = hostOf(authority);
  return host === undefined ? refuse("BadHost") : { target, host, authority, headers };
}

/**
 * A whole handshake. Refusals: `BadRequest`, `BadTarget`, `BadHost`, `MethodNotAllowed`, `UpgradeRequired` (a plain
 * request), `BadUpgrade`, `BodyNotAllowed`, `UnsupportedVersion`, `BadKey`.
 */
export function parseHandshake(request: RawRequest): Handshake | Refusal {
  if (request.httpVersion !== "1.1") return refuse("BadRequest", "a WebSocket handshake is HTTP/1.1");
  const subject = parseSubject(request);
  if (isRefusal(subject)) return subject;
  const { headers } = subject;
  if (request.method !== "GET") return refuse("MethodNotAllowed");
  const refusal = checkUpgrade(headers) ?? checkBody(headers, request.head) ?? checkVersionAndKey(headers);
  if (refusal !== undefined) return refusal;
  const protocols = parseProtocols(headers);
  if (isRefusal(protocols)) return protocols;
  return {
    ...subject,
    key: headers.get("sec-websocket-key") as string,
    protocols,
    extensions: headers.get("sec-websocket-extensions"),
    origin: headers.get("origin"),
    cookies: parseCookies(headers),
  };
}

/** The first value of a query parameter. */
export function queryParameter(subject: RequestSubject, name: string): string | undefined {
  return subject.target.query.find(([candidate]) => candidate === name)?.[1];
}

/** The host of `host[:port]` in the form used for matching; undefined when malformed. */
function hostOf(authority: string): string | undefined {
  const host = AUTHORITY.exec(authority)?.[1]?.toLowerCase();
  if (host === undefined || host.length > 254 || !HOST.test(host)) return undefined;
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  return name.includes("..") ? undefined : name;
}

/** RFC 6455 §4.2.1 items 3 and 4; exactly one token, so that no peer can understand another protocol (C9). */
function checkUpgrade(headers: HeaderList): Refusal | undefined {
  const upgrade = headers.list("upgrade");
  const connection = headers.list("connection").some((token) => token.toLowerCase() === "upgrade");
  if (upgrade.length === 0 && !connection) return refuse("UpgradeRequired");
  if (upgrade.length !== 1 || upgrade[0]?.toLowerCase() !== "websocket" || !connection) return refuse("BadUpgrade");
  return undefined;
}

/** A body, or frames before the 101, would be read as something else by the next hop (C10). */
function checkBody(headers: HeaderList, head: Uint8Array): Refusal | undefined {
  const length = headers.all("content-length");
  const body = headers.has("transfer-encoding") || length.some((value) => value.trim() !== "0") || head.length > 0;
  return body ? refuse("BodyNotAllowed") : undefined;
}

/** Items 5 and 6; the version first, for the key means something only in version 13. */
function checkVersionAndKey(headers: HeaderList): Refusal | undefined {
  const versions = headers.all("sec-websocket-version");
  if (versions.length !== 1 || versions[0]?.trim() !== "13") return refuse("UnsupportedVersion");
  const keys = headers.all("sec-websocket-key");
  return keys.length === 1 && KEY.test(keys[0] as string) ? undefined : refuse("BadKey");
}

/** Item 8 and §4.1 item 10: tokens, each once. */
function parseProtocols(headers: HeaderList): readonly string[] | Refusal {
  if (!headers.has("sec-websocket-protocol")) return [];
  const protocols = headers.list("sec-websocket-protocol");
  if (protocols.length === 0 || !protocols.every(isToken) || new Set(protocols).size !== protocols.length) {
    return refuse("BadRequest", "Sec-WebSocket-Protocol must name tokens, each once");
  }
  return protocols;
}

/** Lenient as RFC 6265 §5.4 wants: what is no pair is passed over. */
function parseCookies(headers: HeaderList): ReadonlyMap<string, string> {
  const lines = headers.all("cookie");
  if (lines.length === 0) return NO_COOKIES;
  const cookies = new Map<string, string>();
  for (const pair of lines.flatMap((line) => line.split(";"))) {
    const equals = pair.indexOf("=");
    if (equals < 0) continue;
    const name = pair.slice(0, equals).trim();
    if (name !== "" && !cookies.has(name))
      cookies.set(
        name,
        pair
          .slice(equals + 1)
          .trim()
          .replace(QUOTED, "$1"),
      );
  }
  return cookies;
}
