/**
 * The head of an HTTP/1.1 response as a backend sends it (RFC 9112 §4, §5), parsed strictly: what is not plainly valid
 * is refused, because the other side of a disagreement would be a client that we tunnel to.
 */

export type ResponseHeaders = readonly (readonly [name: string, value: string])[];

export interface ResponseHead {
  /** `1.0` or `1.1`. */
  readonly version: string;
  readonly status: number;
  readonly statusText: string;
  /** In the order and the spelling in which they came, whitespace around values removed. */
  readonly headers: ResponseHeaders;
  /** Bytes of the head, its empty line included. */
  readonly length: number;
}

/** Bytes; a longer head is malformed. */
export const MAX_RESPONSE_HEAD = 16 * 1024;

const STATUS_LINE = /^HTTP\/(1\.[01]) ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const HEADER_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*$/;

/** `incomplete` asks for more bytes and is never returned for `MAX_RESPONSE_HEAD` bytes or more. */
export function parseResponseHead(buffer: Buffer): ResponseHead | "incomplete" | "malformed" {
  const end = buffer.indexOf("\r\n\r\n", 0, "latin1");
  if (end < 0) {
    return buffer.length < MAX_RESPONSE_HEAD ? "incomplete" : "malformed";
  }
  const length = end + 4;
  if (length > MAX_RESPONSE_HEAD) {
    return "malformed";
  }
  const [statusLine = "", ...lines] = buffer.toString("latin1", 0, end).split("\r\n");
  const status = STATUS_LINE.exec(statusLine);
  if (status === null) {
    return "malformed";
  }
  const headers: [string, string][] = [];
  for (const line of lines) {
    const header = HEADER_LINE.exec(line);
    if (header === null) {
      return "malformed";
    }
    headers.push([header[1] ?? "", header[2] ?? ""]);
  }
  return { version: status[1] ?? "", status: Number(status[2]), statusText: status[3] ?? "", headers, length };
}

/** All values of a header, in order. */
export function headerValues(headers: ResponseHeaders, name: string): string[] {
  const wanted = name.toLowerCase();
  return headers.filter(([key]) => key.toLowerCase() === wanted).map(([, value]) => value);
}

/** The elements of a header that is a comma-separated list (RFC 9110 §5.6.1), over all its lines, in lower case. */
export function headerTokens(headers: ResponseHeaders, name: string): string[] {
  return headerValues(headers, name)
    .flatMap((value) => value.split(","))
    .map((token) => token.trim().toLowerCase())
    .filter((token) => token !== "");
}
