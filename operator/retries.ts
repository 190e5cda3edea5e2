/** Backoff for each of many things, so that one that keeps failing does not slow down the others. */
import { type BackoffOptions, backoffMs } from "../kube/backoff.ts";

export class Retries {
  readonly #backoff: BackoffOptions;
  readonly #random: () => number;
  readonly #failed = new Map<string, { readonly failures: number; readonly notBefore: number }>();

  constructor(backoff: BackoffOptions, random: () => number) {
    this.#backoff = backoff;
    this.#random = random;
  }

  /** When this may be tried again, in the caller's milliseconds; long ago for what has not failed. */
  notBefore(key: string): number {
    return this.#failed.get(key)?.notBefore ?? Number.NEGATIVE_INFINITY;
  }

  /** Returns the delay until the next try, in milliseconds. */
  failed(key: string, now: number): number {
    const failures = (this.#failed.get(key)?.failures ?? 0) + 1;
    const delay = backoffMs(failures, this.#backoff, this.#random);
    this.#failed.set(key, { failures, notBefore: now + delay });
    return delay;
  }

  succeeded(key: string): void {
    this.#failed.delete(key);
  }

  /** Forgets everything else. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of this.#failed.keys()) {
      if (!keys.has(key)) this.#failed.delete(key);
    }
  }
}
