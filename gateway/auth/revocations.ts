/** Who has lost access: users and single tokens, each until some time. Pure but for the clock that it is given. */
import { z } from "zod";
import type { Principal } from "./principal.ts";

export const Revocation = z.strictObject({
  kind: z.enum(["user", "tokenId"]),
  value: z.string().min(1).max(1024),
  /** When it was revoked, ms since the epoch: a user's tokens that were issued later are good again. */
  at: z.int(),
  /** When it is forgotten, ms since the epoch. */
  until: z.int(),
});
export type Revocation = z.infer<typeof Revocation>;

/** Revocations that are kept at most; one takes some 200 bytes. */
const MAX_REVOCATIONS = 100_000;

type Subject = Pick<Principal, "user" | "token">;

export class Revocations {
  readonly #entries = { user: new Map<string, Revocation>(), tokenId: new Map<string, Revocation>() };
  readonly #wall: () => number;

  /** `wall` gives ms since the epoch. */
  constructor(wall: () => number) {
    this.#wall = wall;
  }

  get size(): number {
    return this.#entries.user.size + this.#entries.tokenId.size;
  }

  /** Adds what is still to come; of two for one value, the later times count. Returns false when there is no room. */
  add(entry: Revocation): boolean {
    if (entry.until <= this.#wall()) return true;
    const entries = this.#entries[entry.kind];
    const known = entries.get(entry.value);
    if (known === undefined && this.size >= MAX_REVOCATIONS) {
      this.#forgetPast();
      if (this.size >= MAX_REVOCATIONS) return false;
    }
    const at = Math.max(entry.at, known?.at ?? entry.at);
    const until = Math.max(entry.until, known?.until ?? entry.until);
    entries.set(entry.value, { ...entry, at, until });
    return true;
  }

  has({ user, token }: Subject): boolean {
    if (this.size === 0) return false;
    return this.#hitsUser(user, token?.issuedAt) || this.#current("tokenId", token?.id) !== undefined;
  }

  list(): readonly Revocation[] {
    this.#forgetPast();
    return [...this.#entries.user.values(), ...this.#entries.tokenId.values()];
  }

  /** A token that is newer than the revocation was given by an issuer that knew of it. An API key has no age. */
  #hitsUser(user: string | undefined, issuedAt: number | undefined): boolean {
    const entry = this.#current("user", user);
    return entry !== undefined && (issuedAt === undefined || issuedAt <= entry.at);
  }

  #current(kind: Revocation["kind"], value: string | undefined): Revocation | undefined {
    const entry = value === undefined ? undefined : this.#entries[kind].get(value);
    return entry !== undefined && entry.until > this.#wall() ? entry : undefined;
  }

  #forgetPast(): void {
    const now = this.#wall();
    for (const entries of Object.values(this.#entries))
      for (const [value, { until }] of entries) if (until <= now) entries.delete(value);
  }
}
