/**
 * When to decide again: soon after a change, never for each one. Changes gather until it has been quiet for a moment, at most for
 * a while; then one pass runs, alone; a failed pass comes back with backoff. Knows nothing of Kubernetes.
 */
import { backoffMs } from "../kube/backoff.ts";
import type { Clock } from "../kube/clock.ts";

export interface LoopOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** One pass. A rejection means: again, later. */
  readonly run: () => Promise<void>;
  readonly onError: (error: unknown, retryInMs: number) => void;
  readonly holdOff?: HoldOff;
}

export interface HoldOff {
  /** Run once no change has come for this long, in milliseconds, */
  readonly quietMs: number;
  /** or this long after the first change. */
  readonly longestMs: number;
}

export const HOLD_OFF: HoldOff = { quietMs: 20, longestMs: 200 };
const BACKOFF = { firstMs: 200, maxMs: 10_000 };
/** Timers of the runtime overflow after 24 days; none has to be longer than this. */
const LONGEST_TIMER_MS = 3_600_000;

export class Loop {
  readonly #options: LoopOptions;
  readonly #holdOff: HoldOff;
  #firstChange = Number.POSITIVE_INFINITY;
  #lastChange = Number.NEGATIVE_INFINITY;
  #wakeAt = Number.POSITIVE_INFINITY;
  #notBefore = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #running: Promise<void> | undefined;
  #timer: { readonly at: number; readonly cancel: () => void } | undefined;
  #stopped = false;

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#holdOff = options.holdOff ?? HOLD_OFF;
  }

  /** Something that a pass reads is different. */
  changed(): void {
    const now = this.#options.clock.now();
    this.#firstChange = Math.min(this.#firstChange, now);
    this.#lastChange = now;
    this.#arm();
  }

  /** Runs at `time` (clock's milliseconds) at the latest, change or no change. */
  wakeBy(time: number): void {
    this.#wakeAt = Math.min(this.#wakeAt, time);
    this.#arm();
  }

  /** No pass begins any more; resolves when the one that runs has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#running;
  }

  #dueAt(): number {
    const quiet = Math.min(this.#lastChange + this.#holdOff.quietMs, this.#firstChange + this.#holdOff.longestMs);
    const changed = this.#firstChange === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : quiet;
    return Math.max(Math.min(changed, this.#wakeAt), this.#notBefore);
  }

  /** Leaves a timer that fires early enough: it looks again when it fires, so a burst of changes costs one timer. */
  #arm(): void {
    if (this.#stopped || this.#running !== undefined) return;
    const { clock } = this.#options;
    const dueAt = this.#dueAt();
    if (dueAt === Number.POSITIVE_INFINITY || (this.#timer !== undefined && this.#timer.at <= dueAt)) return;
    this.#timer?.cancel();
    const wait = Math.min(LONGEST_TIMER_MS, Math.max(0, dueAt - clock.now()));
    this.#timer = { at: clock.now() + wait, cancel: clock.after(wait, () => this.#fire()) };
  }

  #fire(): void {
    this.#timer = undefined;
    if (this.#dueAt() > this.#options.clock.now()) {
      this.#arm();
      return;
    }
    this.#firstChange = Number.POSITIVE_INFINITY;
    this.#lastChange = Number.NEGATIVE_INFINITY;
    this.#wakeAt = Number.POSITIVE_INFINITY;
    this.#running = this.#runOnce().finally(() => {
      this.#running = undefined;
      this.#arm();
    });
  }

  async #runOnce(): Promise<void> {
    const { clock, random, run, onError } = this.#options;
    try {
      await run();
      this.#failures = 0;
      this.#notBefore = Number.NEGATIVE_INFINITY;
    } catch (error) {
      this.#failures++;
      const retryInMs = backoffMs(this.#failures, BACKOFF, random);
      this.#notBefore = clock.now() + retryInMs;
      this.changed();
      onError(error, retryInMs);
    }
  }
}
