/** Exponential backoff with full jitter over the upper half, so that it never spins and many clients never march in step. */
export interface BackoffOptions {
  /** First delay and longest delay, in milliseconds. */
  readonly firstMs: number;
  readonly maxMs: number;
}

/** The delay before retry number `failures` (1 is the first), in milliseconds: between half of the step and all of it. */
export function backoffMs(failures: number, options: BackoffOptions, random: () => number): number {
  const step = Math.min(options.maxMs, options.firstMs * 2 ** Math.min(failures - 1, 30));
  return step / 2 + (step / 2) * random();
}
