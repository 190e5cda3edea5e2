/**
 * An external authoriser: a service that is asked about each handshake with one GET, in the words that forward-auth services
 * know (`X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri`, `-For`). 2xx lets in, 401 and 403 are relayed, all else is a failure.
 */

import { withoutParameters } from "../handshake/target.ts";
import type { HttpAnswer } from "../ports/problem.ts";
import type { ExternalPolicy } from "../snapshot.ts";
import type { Ask, Reply } from "./ask.ts";
import type { Subject } from "./authenticator.ts";
import { credentialParameters } from "./credentials.ts";
import type { Principal } from "./principal.ts";

export type ExternalVerdict =
  | { readonly kind: "allowed"; readonly headers: Principal["headers"] }
  | { readonly kind: "denied"; readonly answer: HttpAnswer }
  | { readonly kind: "unavailable"; readonly detail: string };

/** Bytes of an answer that may be relayed. */
const MAX_ANSWER = 64 * 1024;
/** Headers of the handshake that would make the question something else than a plain GET. */
const OF_THE_HOP: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** @param principal - who the client is so far: its user and the claims that the route forwards are told */
export async function askAuthorizer(
  ask: Ask,
  policy: ExternalPolicy,
  subject: Subject,
  principal: Principal,
): Promise<ExternalVerdict> {
  const { url, timeout, responseHeaders } = policy;
  const headers = questionHeaders(policy, subject, principal);
  let reply: Reply;
  try {
    reply = await ask({
      url,
      headers,
      timeout,
      maxBody: MAX_ANSWER,
      ...(subject.signal && { signal: subject.signal }),
    });
  } catch (error) {
    return { kind: "unavailable", detail: error instanceof Error ? error.message : String(error) };
  }
  const { status } = reply;
  if (status >= 200 && status < 300) {
    const wanted = new Set(responseHeaders.map((name) => name.toLowerCase()));
    return { kind: "allowed", headers: reply.headers.filter(([name]) => wanted.has(name.toLowerCase())) };
  }
  if (status === 401 || status === 403) return { kind: "denied", answer: reply };
  return { kind: "unavailable", detail: `the answer is ${status}` };
}

function questionHeaders(
  { forwardHeaders }: ExternalPolicy,
  { handshake, route, client, scheme }: Subject,
  principal: Principal,
): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const name of forwardHeaders) {
    const values = handshake.headers.all(name.toLowerCase());
    if (values.length > 0 && !OF_THE_HOP.has(name.toLowerCase())) headers[name.toLowerCase()] = values;
  }
  for (const [name, value] of principal.headers) headers[name.toLowerCase()] = value;
  const search = withoutParameters(handshake.target.search, new Set(credentialParameters(route)));
  return {
    ...headers,
    "x-forwarded-method": "GET",
    "x-forwarded-proto": scheme === "wss" ? "https" : "http",
    "x-forwarded-host": handshake.authority,
    "x-forwarded-uri": `${handshake.target.path}${search}`,
    "x-forwarded-for": client.ip,
    "holdfast-route": `${route.namespace}/${route.name}`,
    ...(principal.user !== undefined && { "holdfast-user": Buffer.from(principal.user, "utf8").toString("latin1") }),
  };
}
