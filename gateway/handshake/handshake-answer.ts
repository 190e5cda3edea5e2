/**
 * What a client is answered once its backend has answered: the 101, or the backend's own refusal. Pure.
 */

import { acceptFor } from "../backend/switching.ts";
import type { HttpAnswer } from "../ports/problem.ts";
import { CONNECTION_ID_HEADER, connectionIdCookie } from "./connection-id.ts";
import { HOP_BY_HOP } from "./header-list.ts";

type Headers = readonly (readonly [name: string, value: string])[];

/** Headers of one hop (RFC 9110 §7.6.1), those that frame a message, and those that this gateway states itself. */
const NOT_RELAYED: ReadonlySet<string> = new Set([...HOP_BY_HOP, "content-length", "holdfast-connection-id"]);

/** A backend's headers that may go to the client. */
export function relayedHeaders(headers: Headers): Headers {
  const named = headers
    .filter(([name]) => name.toLowerCase() === "connection")
    .flatMap(([, value]) => value.split(","))
    .map((token) => token.trim().toLowerCase());
  const dropped = new Set([...NOT_RELAYED, ...named]);
  return headers.filter(([name]) => !dropped.has(name.toLowerCase()));
}

export interface Switching {
  readonly key: string;
  readonly protocol: string | undefined;
  readonly extensions: string | undefined;
  /** The backend's own headers, as they came. */
  readonly backendHeaders: Headers;
  /** What `connectionHeaders` gave. */
  readonly ownHeaders: Headers;
}

/** The 101 that a client of a tunnel gets, as `latin1` text. */
export function switchingHead({ key, protocol, extensions, backendHeaders, ownHeaders }: Switching): string {
  const negotiated = relayedHeaders(backendHeaders).filter(([name]) => !/^sec-websocket-/i.test(name));
  const lines = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptFor(key)}`,
  ];
  if (protocol !== undefined) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
  if (extensions !== undefined) lines.push(`Sec-WebSocket-Extensions: ${extensions}`);
  for (const [name, value] of [...negotiated, ...ownHeaders]) lines.push(`${name}: ${value}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}

export interface Identity {
  /** The whole ID. */
  readonly id: string;
  readonly affinity: string;
  /** The affinity that the client's cookie holds already, if any. */
  readonly cookie: string | undefined;
  readonly scheme: "ws" | "wss";
}

/** Headers that tell a client its connection ID; the cookie only where the client does not have it. */
export function connectionHeaders({ id, affinity, cookie, scheme }: Identity): [string, string][] {
  const headers: [string, string][] = [[CONNECTION_ID_HEADER, id]];
  if (cookie !== affinity) headers.push(["Set-Cookie", connectionIdCookie(affinity, scheme)]);
  return headers;
}

/** A backend's answer that is not a 101, passed on once (C7). `Sec-WebSocket-Accept` would belie its status. */
export function relayedAnswer(answer: HttpAnswer): HttpAnswer {
  const headers = relayedHeaders(answer.headers).filter(([name]) => name.toLowerCase() !== "sec-websocket-accept");
  return { ...answer, headers };
}
