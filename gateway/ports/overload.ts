/**
 * Whether this process has more to do than it can: then new handshakes are refused with `Overloaded`, and those who are
 * connected keep what there is (C16). Measured, not guessed: how late the event loop comes to its timers, and how full the
 * heap is.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { Cancel, Clock } from "../clock.ts";

export interface OverloadProbes {
  /** Mean delay (ms) of the event loop's timers since the last call. */
  loopDelay(): number;
  /** Share of the heap's limit that is in use, 0 to 1. */
  heapUse(): number;
}

/** Each of these alone is overload. */
export interface OverloadThresholds {
  /** Milliseconds by which the event loop is late on average. */
  readonly loopDelay: number;
  /** Share of the heap's limit, 0 to 1. */
  readonly heapUse: number;
}

/** A throttled container is late by tens of milliseconds without being in need. */
export const OVERLOAD: OverloadThresholds = { loopDelay: 250, heapUse: 0.9 };

/** Milliseconds between two looks. */
const LOOK_EVERY = 250;
/** Looks in a row that have to agree: one long pause is no overload. */
const SUSTAINED = 2;
/** Share of a threshold below which the load has to fall until handshakes are taken again, so that it does not flutter. */
const RELIEF = 0.8;

export interface OverloadOptions {
  readonly clock: Clock;
  readonly probes: OverloadProbes;
  readonly thresholds: OverloadThresholds;
  readonly onChange: (state: "overloaded" | "well", measured: OverloadThresholds) => void;
}

export class Overload {
  readonly #options: OverloadOptions;
  #active = false;
  /** Looks in a row that have found it otherwise than `#active` says. */
  #dissent = 0;
  #cancel: Cancel | undefined;

  constructor(options: OverloadOptions) {
    this.#options = options;
  }

  get active(): boolean {
    return this.#active;
  }

  start(): void {
    // What was before, such as the start of the process, does not count.
    this.#options.probes.loopDelay();
    this.#wait();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #wait(): void {
    this.#cancel = this.#options.clock.after(LOOK_EVERY, () => {
      this.#wait();
      this.#look();
    });
  }

  #look(): void {
    const { probes, thresholds, onChange } = this.#options;
    const measured = { loopDelay: probes.loopDelay(), heapUse: probes.heapUse() };
    const bound = this.#active ? RELIEF : 1;
    const active = measured.loopDelay >= bound * thresholds.loopDelay || measured.heapUse >= bound * thresholds.heapUse;
    this.#dissent = active === this.#active ? 0 : this.#dissent + 1;
    if (this.#dissent < SUSTAINED) return;
    this.#dissent = 0;
    this.#active = active;
    onChange(active ? "overloaded" : "well", measured);
  }
}

/** Milliseconds between two measurements of the event loop, which are part of what is measured. */
const RESOLUTION = 10;

/** Measures this process. */
export function processProbes(): OverloadProbes {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION });
  delays.enable();
  return {
    loopDelay() {
      const mean = delays.mean / 1e6;
      delays.reset();
      return Number.isNaN(mean) ? 0 : Math.max(0, mean - RESOLUTION);
    },
    heapUse() {
      const { used_heap_size, heap_size_limit } = getHeapStatistics();
      return used_heap_size / heap_size_limit;
    },
  };
}
