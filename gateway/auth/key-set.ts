/** A set of keys that tokens are verified with, read from the text of a JSON Web Key Set (RFC 7517 §5) or of a shared secret. */
import { createLocalJWKSet, type FlattenedJWSInput, type JSONWebKeySet, type JWSHeaderParameters } from "jose";

/** What `jwtVerify` takes: finds the public key for a header, or throws jose's error for none or several. */
export type FindKey = ReturnType<typeof createLocalJWKSet>;

export type KeySet =
  | { readonly kind: "public"; readonly find: FindKey }
  /** Keys of HS algorithms: those of the header's kid are tried one after the other. */
  | { readonly kind: "shared"; readonly keys: readonly SharedKey[] };

export interface SharedKey {
  readonly kid: string | undefined;
  readonly key: Uint8Array;
}

export type KeyHeader = JWSHeaderParameters;
export type KeyInput = FlattenedJWSInput;

/** The public keys of a JWKS; throws an Error for people, which quotes nothing of the text. */
export function publicKeys(text: string): KeySet {
  return { kind: "public", find: createLocalJWKSet(readSet(text)) };
}

/** The keys of HS algorithms: a JWKS of `oct` keys, so that they can be rotated, or any other text as the key itself. */
export function sharedKeys(text: string): KeySet {
  const set = tryReadSet(text);
  if (set === undefined) return { kind: "shared", keys: [{ kid: undefined, key: Buffer.from(text, "utf8") }] };
  const keys = set.keys
    .filter(({ kty, k }) => kty === "oct" && typeof k === "string")
    .map(({ kid, k }) => ({ kid, key: Buffer.from(k as string, "base64url") }));
  return { kind: "shared", keys };
}

function readSet(text: string): JSONWebKeySet {
  const set = tryReadSet(text);
  if (set === undefined) throw new Error("it is not a JSON Web Key Set");
  return set;
}

function tryReadSet(text: string): JSONWebKeySet | undefined {
  try {
    const set = JSON.parse(text) as unknown;
    const { keys } = Object(set) as { keys?: unknown };
    return Array.isArray(keys) && keys.every((key) => typeof key === "object" && key !== null)
      ? (set as JSONWebKeySet)
      : undefined;
  } catch {
    return undefined;
  }
}
