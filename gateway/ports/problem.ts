/**
 * A refusal as the HTTP answer that a client gets before the 101 (RFC 9457 problem document). Pure.
 */
import { STATUS_CODES } from "node:http";
import { REFUSALS, type Refusal, type RefusalReason } from "../refusals.ts";

export interface HttpAnswer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

/** `Retry-After` is drawn from this many seconds, so that clients refused together do not come back together (C17). */
const RETRY_SPREAD_SECONDS = 5;

/** What a client has to show (RFC 9110 §11.6.1), and for tokens what is wrong with the one it showed (RFC 6750 §3). */
function challenge(reason: RefusalReason): [string, string][] {
  const bearer = (error: string): [string, string][] => {
    const { message } = REFUSALS[reason];
    return [["WWW-Authenticate", `Bearer realm="holdfast", error="${error}", error_description="${message}"`]];
  };
  if (reason === "Unauthenticated") return [["WWW-Authenticate", 'ApiKey realm="holdfast"']];
  if (reason === "TokenMissing") return [["WWW-Authenticate", 'Bearer realm="holdfast"']];
  if (reason === "ClaimsInsufficient") return bearer("insufficient_scope");
  return REFUSALS[reason].status === 401 ? bearer("invalid_token") : [];
}

/** Headers that HTTP demands beside a status: RFC 9110 §15.5.6, §15.5.22; RFC 6455 §4.4. */
function demandedHeaders(status: number): [string, string][] {
  if (status === 405) return [["Allow", "GET"]];
  if (status === 426) {
    return [
      ["Upgrade", "websocket"],
      ["Sec-WebSocket-Version", "13"],
    ];
  }
  return [];
}

/** The problem document of a refusal; `random` gives [0, 1) and spreads `Retry-After`. */
export function problemAnswer(refusal: Refusal, random: () => number): HttpAnswer {
  const { status, retry } = REFUSALS[refusal.reason];
  const statusText = STATUS_CODES[status] ?? "Refused";
  const document = {
    type: "about:blank",
    title: statusText,
    status,
    detail: refusal.message,
    reason: refusal.reason,
  };
  const headers: [string, string][] = [
    ["Content-Type", "application/problem+json"],
    ...challenge(refusal.reason),
    ...demandedHeaders(status),
  ];
  if (retry === "yes") {
    const base = refusal.retryAfter ?? 1;
    headers.push(["Retry-After", String(base + Math.floor(random() * RETRY_SPREAD_SECONDS))]);
  }
  headers.push(["Cache-Control", "no-store"]);
  return { status, statusText, headers, body: Buffer.from(`${JSON.stringify(document)}\n`) };
}

/** The whole HTTP/1.1 message of an answer after which the connection closes. */
export function encodeAnswer(answer: HttpAnswer): Buffer {
  const connection = answer.status === 426 ? "Upgrade, close" : "close";
  const lines = [`HTTP/1.1 ${answer.status} ${answer.statusText}`];
  for (const [name, value] of answer.headers) lines.push(`${name}: ${value}`);
  lines.push(`Connection: ${connection}`, `Content-Length: ${answer.body.length}`, "", "");
  return Buffer.concat([Buffer.from(lines.join("\r\n"), "latin1"), answer.body]);
}
