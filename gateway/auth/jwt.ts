/**
 * One token against one provider of a route: which provider is the token's own, and whether signature, issuer, audience and
 * times hold. Algorithms come from the configuration alone (A2); `jku`, `x5u`, `jwk` and the like in a header are not read.
 */
import { decodeJwt, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from "jose";
import type { RefusalReason } from "../refusals.ts";
import type { TokenProvider } from "../snapshot.ts";
import type { KeySource } from "./jwks.ts";
import type { KeySet, SharedKey } from "./key-set.ts";
import type { VerifiedToken } from "./principal.ts";

export type TokenReason = Extract<RefusalReason, `Token${string}` | "KeysUnavailable">;

/** Why a token is not taken. `detail` is for the log, where it is the configuration's fault. */
export interface TokenProblem {
  readonly problem: TokenReason;
  readonly detail?: string;
}

export type Verdict = VerifiedToken | TokenProblem;

export interface Verification {
  readonly token: string;
  readonly provider: TokenProvider;
  readonly keys: KeySource;
  /** ms since the epoch. */
  readonly now: number;
}

/** The issuer that the token claims, to find its provider by; undefined where the text is no JWT at all. */
export function claimedIssuer(token: string): { readonly issuer: unknown } | undefined {
  try {
    return { issuer: decodeJwt(token).iss };
  } catch {
    return undefined;
  }
}

export async function verifyToken(verification: Verification): Promise<Verdict> {
  const { keys } = verification;
  const known = await keys.get();
  if (known === undefined) return { problem: "KeysUnavailable" };
  const verdict = await verifyWith(known, verification);
  if (verdict !== UNKNOWN_KEY) return verdict;
  const newer = await keys.renew(known);
  if (newer === undefined) return { problem: "KeysUnavailable" };
  const again = newer === known ? UNKNOWN_KEY : await verifyWith(newer, verification);
  return again === UNKNOWN_KEY ? { problem: "TokenSignature" } : again;
}

const UNKNOWN_KEY = Symbol("no key of the set fits the token's header");

async function verifyWith(keys: KeySet, { token, provider, now }: Verification): Promise<Verdict | typeof UNKNOWN_KEY> {
  const options: JWTVerifyOptions = {
    algorithms: provider.algorithms,
    issuer: provider.issuer,
    clockTolerance: provider.clockSkew / 1000,
    currentDate: new Date(now),
    ...(provider.audiences.length > 0 && { audience: provider.audiences }),
  };
  try {
    const payload =
      keys.kind === "shared" ? await verifyShared(token, keys.keys, options) : await verifyPublic(token, keys, options);
    return payload === undefined ? UNKNOWN_KEY : verified(payload, provider);
  } catch (error) {
    return problemOf(error);
  }
}

async function verifyPublic(token: string, { find }: Extract<KeySet, { kind: "public" }>, options: JWTVerifyOptions) {
  try {
    return (await jwtVerify(token, find, options)).payload;
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return undefined;
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    // A token that names no key: each that fits is tried.
    for await (const key of error) {
      const payload = await unlessSignature(jwtVerify(token, key, options));
      if (payload !== undefined) return payload;
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

async function verifyShared(token: string, keys: readonly SharedKey[], options: JWTVerifyOptions) {
  for (const { key } of keys) {
    const payload = await unlessSignature(jwtVerify(token, key, options));
    if (payload !== undefined) return payload;
  }
  throw new errors.JWSSignatureVerificationFailed();
}

/** Undefined when only the signature does not hold. */
async function unlessSignature(verification: Promise<{ payload: JWTPayload }>): Promise<JWTPayload | undefined> {
  try {
    return (await verification).payload;
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return undefined;
    throw error;
  }
}

function verified(payload: JWTPayload, { issuer, clockSkew }: TokenProvider): VerifiedToken {
  const { sub, jti, iat, exp } = payload;
  return {
    issuer,
    subject: typeof sub === "string" ? sub : undefined,
    id: typeof jti === "string" ? jti : undefined,
    issuedAt: typeof iat === "number" ? iat * 1000 : undefined,
    expiresAt: exp === undefined ? Number.POSITIVE_INFINITY : exp * 1000 + clockSkew,
    claims: Object.freeze(payload),
  };
}

const CLAIM_PROBLEMS: Readonly<Record<string, TokenReason>> = {
  iss: "TokenIssuer",
  aud: "TokenAudience",
  nbf: "TokenNotYetValid",
};

function problemOf(error: unknown): TokenProblem {
  if (error instanceof errors.JWTExpired) return { problem: "TokenExpired" };
  if (error instanceof errors.JWTClaimValidationFailed) {
    // Times that are no numbers are not early or late; the token is broken.
    const unreadable = error.reason === "invalid";
    return { problem: (unreadable ? undefined : CLAIM_PROBLEMS[error.claim]) ?? "TokenMalformed" };
  }
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return { problem: "TokenMalformed" };
  if (error instanceof errors.JWKSInvalid) return { problem: "KeysUnavailable", detail: error.message };
  if (error instanceof errors.JOSEError) return { problem: "TokenSignature" };
  // Not about the token: a key that cannot be imported or is too short.
  return { problem: "KeysUnavailable", detail: error instanceof Error ? error.message : String(error) };
}
