/**
 * Buckets of users whose connections are on several pods. Messages cannot wait for Redis, so each pod keeps a copy of a
 * user's bucket, and tells Redis several times a second what was taken from it: what several pods let through together
 * before they have heard of each other is paid off afterwards, so the rate is exact in the long run.
 */
import { type Bucket, type BucketShape, levelAt, refill } from "./bucket.ts";
import type { Fleet } from "./fleet.ts";
import { KeyedBuckets } from "./keyed-buckets.ts";
import type { SharedBuckets } from "./meter.ts";

export interface FleetBucketsOptions {
  /** `namespace/name` of the route. */
  readonly route: string;
  /** The rate's field, which tells its buckets from those of other rates. */
  readonly policy: string;
  readonly shape: BucketShape;
  readonly fleet: Fleet;
  readonly clock: { now(): number };
  /** Tokens that a bucket may be charged beyond what is in it. */
  readonly maxCharge: number;
}

export class FleetBuckets implements SharedBuckets {
  readonly #options: FleetBucketsOptions;
  readonly #copies: KeyedBuckets;
  /** Buckets that were looked at since the last exchange, as they were then. */
  #touched = new Map<string, Bucket>();

  constructor(options: FleetBucketsOptions) {
    const { shape, clock, maxCharge } = options;
    this.#options = options;
    this.#copies = new KeyedBuckets(shape, { now: clock.now(), maxCharge });
  }

  get shape(): BucketShape {
    return this.#options.shape;
  }

  of(key: string, now: number): Bucket {
    const bucket = this.#copies.of(key, now);
    if (!this.#touched.has(key)) this.#touched.set(key, { ...bucket });
    return bucket;
  }

  /** Tells Redis what was taken and takes over what is left. Resolves when all is exchanged, or Redis is away. */
  async exchange(): Promise<void> {
    const touched = this.#touched;
    this.#touched = new Map();
    await Promise.allSettled([...touched].map(([key, before]) => this.#exchangeOne(key, before)));
  }

  async #exchangeOne(key: string, before: Bucket): Promise<void> {
    const { route, policy, shape, fleet, clock } = this.#options;
    const now = clock.now();
    const bucket = this.#copies.of(key, now);
    refill(shape, bucket, now);
    const told = bucket.level;
    const spent = Math.max(0, levelAt(shape, before, now) - told);
    const left = await fleet.charge(route, { name: `${policy}:${key}`, shape }, spent);
    // What was taken here since then stays taken, on top of what Redis knows.
    this.#correct(this.#copies.of(key, clock.now()), left - told);
    const next = this.#touched.get(key);
    if (next !== undefined) this.#correct(next, left - told);
  }

  #correct(bucket: Bucket, difference: number): void {
    bucket.level = Math.min(this.shape.full, bucket.level + difference);
  }
}
