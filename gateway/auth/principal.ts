/** Who a client is, as everything behind authentication sees it. */
import type { Claims } from "./claims.ts";

/** What is kept of a token whose signature, issuer, audience and times hold. Never the token itself. */
export interface VerifiedToken {
  readonly issuer: string;
  /** `sub` (RFC 7519 §4.1.2). */
  readonly subject: string | undefined;
  /** `jti`: what a single token is revoked by. */
  readonly id: string | undefined;
  /** `iat` in ms since the epoch. */
  readonly issuedAt: number | undefined;
  /** `exp` with the tolerated difference of clocks, ms since the epoch; Infinity without one. */
  readonly expiresAt: number;
  readonly claims: Claims;
}

export interface Principal {
  /** What limits and revocations go by: the token's `sub`, else the API key's name; undefined for anybody. */
  readonly user: string | undefined;
  /** Key of the gateway's Secret that holds the API key; never the key itself. */
  readonly apiKey: string | undefined;
  readonly token: VerifiedToken | undefined;
  /** The token's claims; empty without one. */
  readonly claims: Claims;
  /** What the backend is told of the client, in place of whatever the client said under these names; a byte a character. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

const NO_CLAIMS: Claims = Object.freeze({});

/** A principal of what was shown; without anything it is anonymous. */
export function principalOf(shown: {
  readonly apiKey?: string | undefined;
  readonly token?: VerifiedToken | undefined;
  readonly headers?: Principal["headers"];
}): Principal {
  const { apiKey, token, headers = [] } = shown;
  return { user: token?.subject ?? apiKey, apiKey, token, claims: token?.claims ?? NO_CLAIMS, headers };
}

export const ANONYMOUS: Principal = Object.freeze(principalOf({}));
