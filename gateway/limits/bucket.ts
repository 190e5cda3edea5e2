/**
 * The token bucket, in whole numbers only, so that no rate drifts however long a connection lives. A level counts units
 * of which one millisecond brings `gain` and one token costs `cost`; both are the rate in lowest terms.
 *
 * The largest rates of the API (2^30 in an hour, with a burst of as much) stay below 2^53, where numbers are exact.
 */

/** At most `burst` at once, and `rate` in each `interval` (ms) in the long run. */
export interface Rate {
  readonly rate: number;
  readonly interval: number;
  readonly burst: number;
}

/** A rate as the bucket counts it; one is shared by all buckets of a policy. */
export interface BucketShape {
  /** Units that one millisecond brings. */
  readonly gain: number;
  /** Units that one token costs. */
  readonly cost: number;
  /** Units of a full bucket: `burst` tokens. */
  readonly full: number;
  readonly burst: number;
}

/** `level` is below zero while what was let through in advance is paid off. */
export interface Bucket {
  level: number;
  /** Clock time (whole ms) of `level`. */
  at: number;
}

function commonDivisor(a: number, b: number): number {
  let [larger, smaller] = [a, b];
  while (smaller !== 0) [larger, smaller] = [smaller, larger % smaller];
  return larger;
}

/** @throws RangeError where a field is not a positive whole number, or the bucket could not be counted exactly. */
export function bucketShape({ rate, interval, burst }: Rate): BucketShape {
  for (const value of [rate, interval, burst]) {
    if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${value} is no positive whole number`);
  }
  const divisor = commonDivisor(rate, interval);
  const shape = { gain: rate / divisor, cost: interval / divisor, burst };
  const full = burst * shape.cost;
  if (!Number.isSafeInteger(full))
    throw new RangeError(`a burst of ${burst} cannot be counted at ${rate} in ${interval} ms`);
  return { ...shape, full };
}

export function fullBucket({ full }: BucketShape, now: number): Bucket {
  return { level: full, at: Math.floor(now) };
}

/** The level at `now` (ms, of a clock that does not go back). */
export function levelAt({ gain, full }: BucketShape, { level, at }: Readonly<Bucket>, now: number): number {
  const elapsed = Math.floor(now) - at;
  // Beyond 2^53 the product is not exact, but then far above what is missing, however full the bucket.
  return elapsed <= 0 ? level : Math.min(full, level + elapsed * gain);
}

/** Takes `tokens` when all of them are there; returns whether it did. */
export function take(shape: BucketShape, bucket: Bucket, { now, tokens }: Taking): boolean {
  refill(shape, bucket, now);
  const price = tokens * shape.cost;
  if (bucket.level < price) return false;
  bucket.level -= price;
  return true;
}

/** Takes `tokens` whether or not they are there; what is lacking is paid off before anything is let through again. */
export function charge(shape: BucketShape, bucket: Bucket, { now, tokens }: Taking): void {
  refill(shape, bucket, now);
  bucket.level -= tokens * shape.cost;
}

export interface Taking {
  /** Milliseconds of a clock that does not go back. */
  readonly now: number;
  readonly tokens: number;
}

/** Brings `level` up to `now`. */
export function refill(shape: BucketShape, bucket: Bucket, now: number): void {
  const at = Math.floor(now);
  if (at <= bucket.at) return;
  bucket.level = levelAt(shape, bucket, at);
  bucket.at = at;
}

/** Milliseconds from `now` until `tokens` are there; more than the burst never are, so then until the bucket is full. */
export function waitFor(shape: BucketShape, bucket: Readonly<Bucket>, { now, tokens }: Taking): number {
  const wanted = Math.min(tokens, shape.burst) * shape.cost;
  return Math.max(0, Math.ceil((wanted - levelAt(shape, bucket, now)) / shape.gain));
}
