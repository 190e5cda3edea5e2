/** Whether a route takes this client: its address, its origin, and which subprotocols are left to negotiate. */

import { isCredentialProtocol } from "../auth/credentials.ts";
import { type Refusal, refuse } from "../refusals.ts";
import type { Route } from "../snapshot.ts";
import { inList } from "./client-ip.ts";
import type { Handshake } from "./handshake.ts";

export interface Admission {
  /** Offered subprotocols that may be chosen, in the client's order: what a backend is offered. */
  readonly offered: readonly string[];
  /** The one to choose where the gateway itself is the server: the first in the route's order, else the client's. */
  readonly preferred: string | undefined;
  /**
   * The credential to answer with where nothing else was offered: a browser fails a connection whose offer is not answered
   * (WHATWG WebSockets §4.1), and the client knows its own credential already. Never for a log or a backend.
   */
  readonly echo: string | undefined;
}

/** `clientIP` as `client-ip.ts` found it. Refusals: `ClientIPDenied`, `OriginDenied`, `ProtocolNotAllowed`. */
export function admit(handshake: Handshake, route: Route, clientIP: string): Admission | Refusal {
  if (!clientAllowed(route, clientIP)) return refuse("ClientIPDenied");
  if (!originAllowed(route, handshake)) return refuse("OriginDenied");
  return chooseProtocols(handshake, route);
}

/** `deny` counts more than `allow`; an empty `allow` allows everybody. */
function clientAllowed(route: Route, clientIP: string): boolean {
  const lists = route.clientIPs;
  if (lists === undefined) return true;
  if (inList(clientIP, lists.deny)) return false;
  return lists.allow.length === 0 || inList(clientIP, lists.allow);
}

/**
 * The check is there for browsers, which always send one `Origin` (RFC 6455 §10.2). A client that sends none is no
 * browser and could send any, so it passes; `null` and anything that is not one whole origin does not.
 */
function originAllowed(route: Route, handshake: Handshake): boolean {
  if (route.origins === undefined || handshake.origin === undefined) return true;
  const origin = parseOrigin(handshake.origin);
  return origin !== undefined && route.origins.some((pattern) => originMatches(pattern, origin));
}

interface Origin {
  readonly scheme: string;
  readonly host: string;
  readonly port: string;
}

const ORIGIN = /^([a-z][a-z0-9+.-]*):\/\/((?:\*\.)?[a-z0-9_][a-z0-9_.-]*|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?$/;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: "80", https: "443", ws: "80", wss: "443" };

function parseOrigin(text: string): Origin | undefined {
  const [, scheme, host, port] = ORIGIN.exec(text.toLowerCase()) ?? [];
  if (scheme === undefined || host === undefined) return undefined;
  return { scheme, host, port: port ?? DEFAULT_PORTS[scheme] ?? "" };
}

/** Scheme and port have to be the same; a leading `*.` stands for one label or more, as in hostnames. */
function originMatches(pattern: string, origin: Origin): boolean {
  const wanted = parseOrigin(pattern);
  if (wanted === undefined || wanted.scheme !== origin.scheme || wanted.port !== origin.port) return false;
  if (!wanted.host.startsWith("*.")) return wanted.host === origin.host;
  const suffix = wanted.host.slice(1);
  return origin.host.length > suffix.length && origin.host.endsWith(suffix) && !origin.host.includes("*");
}

/** A client that offers nothing gets nothing (RFC 6455 §4.2.2); credentials among the offers do not count. */
function chooseProtocols(handshake: Handshake, route: Route): Admission | Refusal {
  const allowed = route.protocols;
  const wanted = handshake.protocols.filter((protocol) => !isCredentialProtocol(route, protocol));
  const echo = wanted.length === 0 ? handshake.protocols[0] : undefined;
  if (allowed === undefined) return { offered: wanted, preferred: wanted[0], echo };
  const offered = wanted.filter((protocol) => allowed.includes(protocol));
  if (offered.length === 0 && wanted.length > 0) return refuse("ProtocolNotAllowed");
  return { offered, preferred: allowed.find((protocol) => offered.includes(protocol)), echo };
}
