/** Who a client is. API keys are compared as digests and in constant time, and every configured key is tried. */
import { hash, timingSafeEqual } from "node:crypto";
import { type Handshake, queryParameter } from "../handshake/handshake.ts";
import { type Refusal, refuse } from "../refusals.ts";
import type { CredentialSource, Route, SecretMaterial } from "../snapshot.ts";
import { ANONYMOUS, type Principal, principalOf } from "./principal.ts";

/** Digests of configured keys, beside the text that they were made of: a Secret may change under a live object. */
const digests = new WeakMap<SecretMaterial, Map<string, { text: string; digest: Buffer }>>();

/**
 * The principal of a handshake on this route, or `Unauthenticated`. Without `apiKeys` everybody is anonymous.
 * A route none of whose keys is in the Secret is `RouteNotResolved`, so that it is not taken for the client's fault.
 */
export function authenticate(handshake: Handshake, route: Route, secrets: SecretMaterial): Principal | Refusal {
  if (route.apiKeys === undefined) return ANONYMOUS;
  const expected = route.apiKeys.secretKeys
    .map((name) => ({ name, digest: digestOf(name, secrets) }))
    .filter((key) => key.digest !== undefined);
  if (expected.length === 0) return refuse("RouteNotResolved", "the route's API keys are missing");
  const presented = route.apiKeys.sources.flatMap((source) => presentedBy(handshake, source));
  if (presented.length === 0) return refuse("Unauthenticated", "an API key is missing");
  let matched: string | undefined;
  for (const credential of presented) {
    const digest = sha256(credential);
    // No early way out: the time taken tells nothing about which key was near.
    for (const key of expected) if (timingSafeEqual(digest, key.digest as Buffer)) matched ??= key.name;
  }
  return matched === undefined
    ? refuse("Unauthenticated", "the API key is not valid")
    : principalOf({ apiKey: matched });
}

/** Names of query parameters that carry credentials on this route; nobody but its backends may ever see them (A8). */
export function credentialParameters(route: Route): string[] {
  return parametersOf(route).map(({ name }) => name);
}

/** Those of them that its backends do not see either: where two sources name one parameter, either of them can take it out. */
export function strippedParameters(route: Route): string[] {
  return parametersOf(route)
    .filter(({ toBackend }) => toBackend !== "Keep")
    .map(({ name }) => name);
}

function parametersOf(route: Route): CredentialSource[] {
  return sourcesOf(route).filter((source) => source.in === "query");
}

/** Whether an offered subprotocol is a credential (`bearer.<key>`), which is then never negotiated. */
export function isCredentialProtocol(route: Route, protocol: string): boolean {
  return sourcesOf(route).some((source) => {
    return source.in === "protocol" && protocol.startsWith(protocolPrefix(source));
  });
}

function sourcesOf({ apiKeys, jwt }: Route): readonly CredentialSource[] {
  return [...(apiKeys?.sources ?? []), ...(jwt?.sources ?? [])];
}

/** A subprotocol has no name beside its value, so both fields of its source are the prefix. */
function protocolPrefix(source: CredentialSource): string {
  return `${source.name}${source.prefix}`;
}

/** The credentials that stand at one source of a handshake, without their prefix. */
export function presentedBy(handshake: Handshake, source: CredentialSource): string[] {
  const prefix = source.in === "protocol" ? protocolPrefix(source) : source.prefix;
  return valuesAt(handshake, source)
    .filter((value) => value.length > prefix.length && hasPrefix(value, prefix, source.in))
    .map((value) => value.slice(prefix.length).trim());
}

function valuesAt(handshake: Handshake, source: CredentialSource): readonly string[] {
  switch (source.in) {
    case "header":
      return handshake.headers.all(source.name.toLowerCase());
    case "query":
      return [queryParameter(handshake, source.name) ?? ""];
    case "cookie":
      return [handshake.cookies.get(source.name) ?? ""];
    case "protocol":
      return handshake.protocols;
  }
}

/** In a header the prefix is a scheme such as `Bearer `, which has no case (RFC 9110 §11.1). */
function hasPrefix(value: string, prefix: string, place: CredentialSource["in"]): boolean {
  return place === "header"
    ? value.slice(0, prefix.length).toLowerCase() === prefix.toLowerCase()
    : value.startsWith(prefix);
}

function digestOf(name: string, secrets: SecretMaterial): Buffer | undefined {
  // A key made from a file often ends with a newline, which no client can send. An empty key admits nobody.
  const text = secrets.get(name)?.trim();
  if (text === undefined || text === "") return undefined;
  const known = digests.get(secrets) ?? new Map<string, { text: string; digest: Buffer }>();
  digests.set(secrets, known);
  const entry = known.get(name);
  if (entry?.text === text) return entry.digest;
  const digest = sha256(text);
  known.set(name, { text, digest });
  return digest;
}

/** Digests have one length, which a comparison in constant time needs. Headers are Latin-1, as Node reads them. */
function sha256(text: string): Buffer {
  return hash("sha256", Buffer.from(text, "utf8"), "buffer");
}
