/**
 * Everything that is decided about a handshake before anything is done for it: parse, match, authenticate, admit. Pure
 * but for telling the attempt what was learnt; each guard returns early with its refusal.
 */

import { authenticate } from "../auth/credentials.ts";
import type { Principal } from "../auth/principal.ts";
import type { Loaded } from "../config/source.ts";
import { listenerFor, type PortGroup } from "../ports/listeners.ts";
import { isRefusal, type Refusal, refuse } from "../refusals.ts";
import { type Admission, admit } from "./admit.ts";
import type { Attempt } from "./attempt.ts";
import { type ClientAddress, clientIP } from "./client-ip.ts";
import { type Handshake, parseHandshake, parseSubject, type RequestSubject } from "./handshake.ts";
import { type Matched, matchRequest } from "./match.ts";

export interface RequestFacts {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly httpVersion: string;
  readonly rawHeaders: readonly string[];
  readonly head: Buffer;
  readonly remoteAddress: string;
  readonly port: PortGroup;
}

/** A handshake that may go on, on one snapshot from start to end. */
export interface Plan extends Matched {
  readonly loaded: Loaded;
  readonly handshake: Handshake;
  readonly client: ClientAddress;
  /** Who the client is by its API key; what a token or an authoriser says is still to be asked. */
  readonly principal: Principal;
  readonly admission: Admission;
}

/** The listener and route that a request is for, or `NoRoute`. */
function findRoute(
  subject: RequestSubject,
  facts: RequestFacts,
  loaded: Loaded,
): (Matched & { listener: string }) | Refusal {
  const listener = listenerFor(facts.port, subject.host);
  if (!listener) return refuse("NoRoute");
  const matched = loaded.matcher.find(matchRequest(subject, listener.name));
  return matched ? { ...matched, listener: listener.name } : refuse("NoRoute");
}

export function decideUpgrade(facts: RequestFacts, loaded: Loaded, attempt: Attempt): Plan | Refusal {
  const handshake = parseHandshake(facts);
  if (isRefusal(handshake)) return handshake;
  const found = findRoute(handshake, facts, loaded);
  attempt.learnt({ listener: isRefusal(found) ? "" : found.listener, subject: handshake });
  if (isRefusal(found)) return found;
  const { route, match } = found;
  const { trustedProxies } = loaded.snapshot.settings;
  const client = clientIP(facts.remoteAddress, handshake.headers.get("x-forwarded-for"), trustedProxies);
  attempt.matched(route, client.ip);
  if (route.unavailable) return refuse(route.unavailable.reason, route.unavailable.message);
  const principal = authenticate(handshake, route, loaded.secrets);
  if (isRefusal(principal)) return principal;
  const admission = admit(handshake, route, client.ip);
  if (isRefusal(admission)) return admission;
  return { loaded, handshake, route, match, client, principal, admission };
}

/**
 * What a request that is no upgrade is answered. A path that no route matches is 404, so that 426 and 405 say that a
 * WebSocket is to be had there.
 */
export function decidePlain(facts: RequestFacts, loaded: Loaded, attempt: Attempt): Refusal {
  const subject = parseSubject(facts);
  if (isRefusal(subject)) return subject;
  const found = findRoute(subject, facts, loaded);
  attempt.learnt({ listener: isRefusal(found) ? "" : found.listener, subject });
  if (isRefusal(found)) return found;
  attempt.matched(found.route, facts.remoteAddress);
  const handshake = parseHandshake(facts);
  return isRefusal(handshake) ? handshake : refuse("UpgradeRequired");
}
