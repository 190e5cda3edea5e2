/**
 * Time as the gateway sees it, injected so that a test can move it.
 */

/** Calls `callback` at most once; calling the returned function prevents it. */
export type Cancel = () => void;

export interface Clock {
  /** Milliseconds that only grow, from an arbitrary start. */
  now(): number;
  /** Runs `callback` once after at least `milliseconds`. */
  after(milliseconds: number, callback: () => void): Cancel;
}

/** The process's own monotonic clock. Its timers never keep a process alive: sockets and servers do that. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves after `milliseconds` of this clock, or at once when the signal aborts. Never rejects. */
export function wait(clock: Clock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(milliseconds, done);
    signal?.addEventListener("abort", done);
  });
}
