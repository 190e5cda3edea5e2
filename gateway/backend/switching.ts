/**
 * Whether a backend's 101 is one that it may give to what it was asked (RFC 6455 §4.1, the client's six checks).
 */
import { createHash } from "node:crypto";
import { headerTokens, headerValues, type ResponseHead } from "./response-head.ts";

/** What the request asked for. */
export interface Asked {
  /** Its Sec-WebSocket-Key. */
  readonly key: string;
  /** Its subprotocols, and the value of its Sec-WebSocket-Extensions. */
  readonly offered: { readonly protocols: readonly string[]; readonly extensions: string | undefined };
}

export interface Agreed {
  readonly protocol?: string;
  /** The value of Sec-WebSocket-Extensions as it came. */
  readonly extensions?: string;
  /** RSV bits that those extensions may set, as they stand in the first byte of a frame (0x70). */
  readonly rsv: number;
}

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** Bits of the extensions whose bits are known; any other one may use all three. */
const RSV_OF: ReadonlyMap<string, number> = new Map([["permessage-deflate", 0x40]]);
const ANY_RSV = 0x70;

/** The Sec-WebSocket-Accept that answers a key (§4.2.2). */
export function acceptFor(key: string): string {
  return createHash("sha1")
    .update(key + GUID)
    .digest("base64");
}

/** What a 101 agrees to; undefined when it is not a valid answer. */
export function checkSwitching(head: ResponseHead, { key, offered }: Asked): Agreed | undefined {
  const { headers } = head;
  const accept = headerValues(headers, "sec-websocket-accept");
  const upgrade = headerTokens(headers, "upgrade");
  const protocols = headerValues(headers, "sec-websocket-protocol");
  const extensions = headerValues(headers, "sec-websocket-extensions");
  const [protocol] = protocols;
  const valid =
    head.version === "1.1" &&
    upgrade.length === 1 &&
    upgrade[0] === "websocket" &&
    headerTokens(headers, "connection").includes("upgrade") &&
    accept.length === 1 &&
    accept[0] === acceptFor(key) &&
    protocols.length <= 1 &&
    (protocol === undefined || offered.protocols.includes(protocol));
  const rsv = valid ? rsvOf(extensions.join(", "), offered.extensions ?? "") : undefined;
  if (rsv === undefined) {
    return undefined;
  }
  return {
    ...(protocol === undefined ? {} : { protocol }),
    ...(extensions.length === 0 ? {} : { extensions: extensions.join(", ") }),
    rsv,
  };
}

/** The bits of the chosen extensions; undefined when one was not offered, or was chosen twice (§9.1). */
function rsvOf(chosen: string, offered: string): number | undefined {
  const names = extensionNames(chosen);
  const known = new Set(extensionNames(offered));
  if (new Set(names).size !== names.length || names.some((name) => !known.has(name))) {
    return undefined;
  }
  return names.reduce((bits, name) => bits | (RSV_OF.get(name) ?? ANY_RSV), 0);
}

/** A comma or semicolon within a quoted parameter does not count. */
function extensionNames(value: string): string[] {
  return value
    .replace(/"(?:[^"\\]|\\.)*"/g, "")
    .split(",")
    .map((extension) => (extension.split(";")[0] ?? "").trim().toLowerCase())
    .filter((name) => name !== "");
}
