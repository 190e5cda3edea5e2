/**
 * One bucket for each client address or user. A bucket that nobody has touched for as long as it takes to fill is like
 * a new one, so it can be forgotten: two generations of keys take turns, and nothing has to be searched for old ones.
 */
import { type Bucket, type BucketShape, fullBucket } from "./bucket.ts";

/** Keys of one generation. With more, the oldest are forgotten early: a bound on memory counts more than a rate. */
const MAX_KEYS = 65_536;

export class KeyedBuckets {
  readonly shape: BucketShape;
  /** Milliseconds in which a bucket that has been charged in advance is full again. */
  readonly #fillTime: number;
  #young = new Map<string, Bucket>();
  #old = new Map<string, Bucket>();
  #turnedAt: number;

  /** `maxCharge`: tokens that one bucket may be charged beyond what is in it. */
  constructor(shape: BucketShape, { now, maxCharge = 0 }: { readonly now: number; readonly maxCharge?: number }) {
    this.shape = shape;
    this.#fillTime = Math.ceil((shape.full + maxCharge * shape.cost) / shape.gain);
    this.#turnedAt = now;
  }

  /** Keys that are kept. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The key's bucket; it must not be kept over a wait, since it may be forgotten. */
  of(key: string, now: number): Bucket {
    if (now - this.#turnedAt >= this.#fillTime || this.#young.size >= MAX_KEYS) this.#turn(now);
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const bucket = this.#old.get(key) ?? fullBucket(this.shape, now);
    this.#old.delete(key);
    this.#young.set(key, bucket);
    return bucket;
  }

  #turn(now: number): void {
    const bothAreOver = now - this.#turnedAt >= 2 * this.#fillTime;
    this.#old = bothAreOver ? new Map() : this.#young;
    this.#young = new Map();
    this.#turnedAt = now;
  }
}
