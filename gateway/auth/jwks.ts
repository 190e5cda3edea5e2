/**
 * Keys that are fetched: by the URI of a JSON Web Key Set, or by OpenID Connect discovery from the issuer. However many
 * handshakes ask, there is one fetch at a time; a server that fails is left alone for a growing while (A4), the last keys
 * serve on for a bounded time (A5), and tokens that name an unknown key cause one fetch in a cooldown (A6).
 */
import type { Clock } from "../clock.ts";
import type { Ask } from "./ask.ts";
import { type KeySet, publicKeys } from "./key-set.ts";

/** All in milliseconds. */
export interface KeyTimings {
  /** For one fetch. */
  readonly timeout: number;
  /** Age from which keys are fetched anew, behind the backs of the handshakes that use them. */
  readonly refreshAfter: number;
  /** Age from which a handshake waits for newer keys, unless they cannot be had just now. */
  readonly freshFor: number;
  /** Age up to which keys serve while newer ones cannot be had. */
  readonly staleFor: number;
  /** Between two fetches that unknown keys ask for. */
  readonly cooldown: number;
  /** Pause after a failure, doubled with each further one up to `max`, and shortened by up to half at random. */
  readonly backoff: { readonly first: number; readonly max: number };
}

export const KEY_TIMINGS: KeyTimings = {
  timeout: 5_000,
  refreshAfter: 5 * 60_000,
  freshFor: 15 * 60_000,
  staleFor: 12 * 3_600_000,
  cooldown: 10_000,
  backoff: { first: 1_000, max: 60_000 },
};

/** Bytes of a key set or a discovery document; large providers have some 10 KiB. */
const MAX_DOCUMENT = 512 * 1024;

export type KeyLocation =
  | { readonly type: "Uri"; readonly uri: string }
  | { readonly type: "Discovery"; readonly issuer: string };

export interface RemoteKeysOptions {
  readonly location: KeyLocation;
  readonly ask: Ask;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly timings?: KeyTimings;
  /** Told of each fetch: undefined when it went well, else why not. */
  readonly onFetched?: (problem: string | undefined) => void;
}

/** Where keys come from, for whoever verifies. */
export interface KeySource {
  /** The keys of now; undefined when there are none to be had. */
  get(): Promise<KeySet | undefined>;
  /**
   * The keys after a look for newer ones, because a token names a key that is not among `known`; `known` itself when it is
   * too early for another look, undefined when looking failed.
   */
  renew(known: KeySet): Promise<KeySet | undefined>;
}

/** Keys that do not change, such as those of a Secret: another Secret is another source. */
export function fixedKeys(keys: KeySet | undefined): KeySource {
  return { get: async () => keys, renew: async (known) => known };
}

export class RemoteKeys implements KeySource {
  readonly #options: RemoteKeysOptions;
  readonly #timings: KeyTimings;
  #keys: KeySet | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #underWay: Promise<void> | undefined;
  #failures = 0;
  #notBefore = Number.NEGATIVE_INFINITY;

  constructor(options: RemoteKeysOptions) {
    this.#options = options;
    this.#timings = options.timings ?? KEY_TIMINGS;
  }

  async get(): Promise<KeySet | undefined> {
    const age = this.#now - this.#fetchedAt;
    const { refreshAfter, freshFor, staleFor } = this.#timings;
    if (age < refreshAfter) return this.#keys;
    const fetched = this.#fetch();
    // After a failure nobody waits any more: what was fetched last serves, and another attempt runs beside it.
    const waits = age >= staleFor || (age >= freshFor && this.#failures === 0);
    if (waits) await fetched;
    return this.#now - this.#fetchedAt < staleFor ? this.#keys : undefined;
  }

  async renew(known: KeySet): Promise<KeySet | undefined> {
    if (this.#keys !== known) return this.#keys;
    if (this.#underWay === undefined && this.#now - this.#fetchedAt < this.#timings.cooldown) return known;
    await this.#fetch();
    if (this.#keys !== known) return this.#keys;
    return this.#failures > 0 ? undefined : known;
  }

  get #now(): number {
    return this.#options.clock.now();
  }

  /** Joins the fetch that is under way, or starts one unless a failure forbids it. Never rejects. */
  #fetch(): Promise<void> {
    if (this.#underWay === undefined && this.#now < this.#notBefore) return Promise.resolve();
    this.#underWay ??= this.#run().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #run(): Promise<void> {
    const { onFetched = () => undefined } = this.#options;
    try {
      this.#keys = publicKeys(await this.#document(await this.#uri()));
      this.#fetchedAt = this.#now;
      this.#failures = 0;
      onFetched(undefined);
    } catch (error) {
      const { first, max } = this.#timings.backoff;
      const pause = Math.min(max, first * 2 ** this.#failures);
      this.#failures += 1;
      this.#notBefore = this.#now + pause * (1 - this.#options.random() / 2);
      onFetched(error instanceof Error ? error.message : String(error));
    }
  }

  /** OpenID Connect Discovery 1.0 §4: the document has to be the issuer's own. */
  async #uri(): Promise<string> {
    const { location } = this.#options;
    if (location.type === "Uri") return location.uri;
    const { issuer } = location;
    const text = await this.#document(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
    const found = parseDiscovery(text);
    if (found?.issuer !== issuer) throw new Error("the discovery document is not the issuer's");
    if (!/^https?:\/\//.test(found.jwks_uri)) throw new Error("the discovery document names no jwks_uri");
    return found.jwks_uri;
  }

  async #document(url: string): Promise<string> {
    const { ask } = this.#options;
    const headers = { Accept: "application/json" };
    const { status, body } = await ask({ url, headers, timeout: this.#timings.timeout, maxBody: MAX_DOCUMENT });
    if (status !== 200) throw new Error(`the answer is ${status}`);
    return body.toString("utf8");
  }
}

function parseDiscovery(text: string): { issuer: string; jwks_uri: string } | undefined {
  try {
    const { issuer, jwks_uri } = Object(JSON.parse(text)) as Record<string, unknown>;
    return typeof issuer === "string" && typeof jwks_uri === "string" ? { issuer, jwks_uri } : undefined;
  } catch {
    return undefined;
  }
}
