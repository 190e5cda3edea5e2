/** Tokens that were verified lately, so that a client that reconnects costs no second signature check. Pure. */
import { hash } from "node:crypto";
import type { KeySet } from "./key-set.ts";
import type { VerifiedToken } from "./principal.ts";

/** Characters of tokens that entries may stand for together; an entry's claims are about as large as its token. */
export const MAX_CACHED_CHARACTERS = 8 * 1024 * 1024;

interface Entry {
  /** What verified it: with other keys the question is open again. */
  readonly keys: KeySet;
  readonly token: VerifiedToken;
  readonly size: number;
}

/** The least recently used go first. Holds digests, never tokens. Revocations are asked apart, each time. */
export class TokenCache {
  readonly #entries = new Map<string, Entry>();
  readonly #maxCharacters: number;
  #characters = 0;

  constructor(maxCharacters = MAX_CACHED_CHARACTERS) {
    this.#maxCharacters = maxCharacters;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** `scope` says for which provider, with all its settings, the token was verified; `now` is in ms since the epoch. */
  get(subject: CacheSubject, now: number): VerifiedToken | undefined {
    const key = keyOf(subject);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.keys !== subject.keys || entry.token.expiresAt <= now) {
      this.#drop(key, entry);
      return undefined;
    }
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.token;
  }

  set(subject: CacheSubject, token: VerifiedToken): void {
    const key = keyOf(subject);
    const before = this.#entries.get(key);
    if (before) this.#drop(key, before);
    const size = subject.token.length;
    this.#entries.set(key, { keys: subject.keys, token, size });
    this.#characters += size;
    for (const [oldest, entry] of this.#entries) {
      if (this.#characters <= this.#maxCharacters) break;
      this.#drop(oldest, entry);
    }
  }

  #drop(key: string, { size }: Entry): void {
    this.#entries.delete(key);
    this.#characters -= size;
  }
}

export interface CacheSubject {
  readonly scope: string;
  readonly token: string;
  readonly keys: KeySet;
}

function keyOf({ scope, token }: CacheSubject): string {
  return hash("sha256", `${scope}\0${token}`, "base64");
}
