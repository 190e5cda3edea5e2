/** Verifies tokens by the policies of routes; holds the providers' keys and the tokens that were verified lately. */
import type { Clock } from "../clock.ts";
import type { JwtPolicy, Route, SecretMaterial, TokenProvider } from "../snapshot.ts";
import type { Ask } from "./ask.ts";
import { claimHas } from "./claims.ts";
import { fixedKeys, type KeyLocation, type KeySource, type KeyTimings, RemoteKeys } from "./jwks.ts";
import { claimedIssuer, type TokenProblem, verifyToken } from "./jwt.ts";
import { type KeySet, publicKeys, sharedKeys } from "./key-set.ts";
import type { VerifiedToken } from "./principal.ts";
import { TokenCache } from "./token-cache.ts";

export interface TokensOptions {
  readonly ask: Ask;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** ms since the epoch. */
  readonly wall: () => number;
  readonly timings?: KeyTimings;
  readonly cache?: TokenCache;
  /** Told of each fetch of keys: from where, and why it failed if it did. */
  readonly onFetched?: (source: string, problem: string | undefined) => void;
}

const NO_KEYS = fixedKeys(undefined);

export class Tokens {
  readonly #options: TokensOptions;
  readonly #cache: TokenCache;
  /** By location, so that routes with one issuer share one set of keys. */
  readonly #remote = new Map<string, RemoteKeys>();
  readonly #secret = new WeakMap<SecretMaterial, Map<string, KeySource>>();
  readonly #inline = new WeakMap<TokenProvider, KeySource>();
  readonly #scopes = new WeakMap<TokenProvider, string>();

  constructor(options: TokensOptions) {
    this.#options = options;
    this.#cache = options.cache ?? new TokenCache();
  }

  /** The token as the policy's provider for its issuer verifies it, or why none does. Claims are asked for apart. */
  async verify(token: string, policy: JwtPolicy, secrets: SecretMaterial): Promise<VerifiedToken | TokenProblem> {
    const claimed = claimedIssuer(token);
    if (claimed === undefined) return { problem: "TokenMalformed" };
    let problem: TokenProblem = { problem: "TokenIssuer" };
    for (const provider of policy.providers) {
      if (provider.issuer !== claimed.issuer) continue;
      const verdict = await this.#verifyFor(token, provider, this.#keysOf(provider, secrets));
      if (!("problem" in verdict)) return verdict;
      // Of several providers of one issuer, one that cannot tell leaves the question open.
      if (problem.problem !== "KeysUnavailable") problem = verdict;
    }
    return problem;
  }

  /** Forgets the keys that no route asks for any more. */
  retain(routes: readonly Route[]): void {
    const wanted = new Set<string>();
    for (const { jwt } of routes)
      for (const provider of jwt?.providers ?? []) wanted.add(nameOf(locationOf(provider)) ?? "");
    for (const name of this.#remote.keys()) if (!wanted.has(name)) this.#remote.delete(name);
  }

  async #verifyFor(token: string, provider: TokenProvider, source: KeySource): Promise<VerifiedToken | TokenProblem> {
    const now = this.#options.wall();
    const scope = this.#scopeOf(provider);
    const keys = await source.get();
    const known = keys && this.#cache.get({ scope, token, keys }, now);
    if (known) return known;
    const verdict = await verifyToken({ token, provider, keys: source, now });
    if ("problem" in verdict) return verdict;
    const used = await source.get();
    if (used) this.#cache.set({ scope, token, keys: used }, verdict);
    return verdict;
  }

  #scopeOf(provider: TokenProvider): string {
    let scope = this.#scopes.get(provider);
    if (scope === undefined) {
      scope = JSON.stringify(provider);
      this.#scopes.set(provider, scope);
    }
    return scope;
  }

  #keysOf(provider: TokenProvider, secrets: SecretMaterial): KeySource {
    const location = locationOf(provider);
    if (location) return this.#remoteKeys(location);
    const { keys } = provider;
    if (keys.type === "Secret") return this.#secretKeys(keys.secretKey, provider, secrets);
    if (keys.type !== "Inline") return NO_KEYS;
    let source = this.#inline.get(provider);
    if (source === undefined) {
      source = fixedKeys(readable(() => publicKeys(keys.jwks)));
      this.#inline.set(provider, source);
    }
    return source;
  }

  #remoteKeys(location: KeyLocation): RemoteKeys {
    const name = nameOf(location) as string;
    let keys = this.#remote.get(name);
    if (keys === undefined) {
      const { ask, clock, random, timings, onFetched } = this.#options;
      keys = new RemoteKeys({
        location,
        ask,
        clock,
        random,
        ...(timings && { timings }),
        ...(onFetched && { onFetched: (problem) => onFetched(name, problem) }),
      });
      this.#remote.set(name, keys);
    }
    return keys;
  }

  #secretKeys(key: string, { algorithms }: TokenProvider, secrets: SecretMaterial): KeySource {
    const shared = algorithms.every((algorithm) => algorithm.startsWith("HS"));
    const sources = this.#secret.get(secrets) ?? new Map<string, KeySource>();
    this.#secret.set(secrets, sources);
    const name = `${shared ? "shared" : "public"} ${key}`;
    let source = sources.get(name);
    if (source === undefined) {
      const text = secrets.get(key);
      source = text ? fixedKeys(readable(() => (shared ? sharedKeys(text) : publicKeys(text)))) : NO_KEYS;
      sources.set(name, source);
    }
    return source;
  }
}

/** Whether a token has, of each claim that the policy requires, one of the values. */
export function hasRequiredClaims({ claims }: VerifiedToken, { requiredClaims }: JwtPolicy): boolean {
  return requiredClaims.every(({ name, values }) => claimHas(claims, name, values));
}

function locationOf({ keys, issuer }: TokenProvider): KeyLocation | undefined {
  if (keys.type === "Uri") return { type: "Uri", uri: keys.uri };
  return keys.type === "Discovery" ? { type: "Discovery", issuer } : undefined;
}

function nameOf(location: KeyLocation | undefined): string | undefined {
  if (location === undefined) return undefined;
  return location.type === "Uri" ? location.uri : `discovery of ${location.issuer}`;
}

/** Text that holds no keys after all, which the operator would not have let through, verifies nothing. */
function readable(read: () => KeySet): KeySet | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
