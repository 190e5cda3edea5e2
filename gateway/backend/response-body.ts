/**
 * The body of the one HTTP/1.1 response that a backend may give instead of a 101 (RFC 9112 §6.3), to be relayed once.
 */
import { headerTokens, headerValues, type ResponseHead } from "./response-head.ts";

/** Bytes of body that are relayed; the rest is left behind. */
export const MAX_RESPONSE_BODY = 64 * 1024;

export interface ResponseBody {
  readonly body: Buffer;
  /** Whether there is nothing more to wait for. */
  readonly complete: boolean;
}

/** Reads the body out of the bytes behind the head that have come so far. Without a length it lasts until the FIN. */
export function readResponseBody(head: ResponseHead, bytes: Buffer): ResponseBody {
  if (head.status === 204 || head.status === 304) {
    return { body: Buffer.alloc(0), complete: true };
  }
  if (headerTokens(head.headers, "transfer-encoding").at(-1) === "chunked") {
    return readChunks(bytes);
  }
  const [declared] = headerValues(head.headers, "content-length");
  const length = declared !== undefined && /^\d{1,15}$/.test(declared) ? Number(declared) : Number.POSITIVE_INFINITY;
  return cut(bytes.subarray(0, Math.min(length, bytes.length)), bytes.length >= length);
}

/** RFC 9112 §7.1. What is not a chunk ends the body: this connection is closed behind it anyway. */
function readChunks(bytes: Buffer): ResponseBody {
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at, "latin1");
    if (lineEnd < 0) {
      return cut(Buffer.concat(chunks), false);
    }
    const size = /^([0-9a-f]{1,8})[\t ]*(?:;.*)?$/i.exec(bytes.toString("latin1", at, lineEnd));
    const length = Number.parseInt(size?.[1] ?? "0", 16);
    if (length === 0) {
      return cut(Buffer.concat(chunks), true);
    }
    const start = lineEnd + 2;
    chunks.push(bytes.subarray(start, start + length));
    at = start + length + 2;
    if (at > bytes.length) {
      return cut(Buffer.concat(chunks), false);
    }
  }
}

function cut(body: Buffer, complete: boolean): ResponseBody {
  return body.length < MAX_RESPONSE_BODY
    ? { body, complete }
    : { body: body.subarray(0, MAX_RESPONSE_BODY), complete: true };
}
