/**
 * What one client may still send: asked by the frame walker at the header of each data frame, before any of it has
 * passed. A connection whose route has no rates has no meter.
 */
import { type Bucket, type BucketShape, charge, fullBucket, refill, waitFor } from "./bucket.ts";

/** What becomes of a frame; where several rates are exceeded, the highest counts. */
export const VERDICT = { pass: 0, wait: 1, drop: 2, close: 3 } as const;
export type Verdict = (typeof VERDICT)[keyof typeof VERDICT];

/** What happens when a rate is exceeded. `Report` lets the message pass and counts it. */
export type OnExceeded = "Close" | "Drop" | "Throttle" | "Report";

const VERDICTS: Readonly<Record<OnExceeded, Verdict>> = {
  Report: VERDICT.pass,
  Throttle: VERDICT.wait,
  Drop: VERDICT.drop,
  Close: VERDICT.close,
};

/** One rate of a route's policy; shared by all of its connections. */
export interface RateRule {
  /** Its field under `limits`, such as `messages.perUser`. */
  readonly policy: string;
  readonly unit: "messages" | "bytes";
  readonly shape: BucketShape;
  readonly onExceeded: OnExceeded;
}

/** Buckets that several connections share. */
export interface SharedBuckets {
  of(key: string, now: number): Bucket;
}

/** Told of every message that exceeds a rate and does not end its connection. */
export type Exceeded = (rule: RateRule) => void;

/** Whether a frame begins a message, or is a later fragment of one. */
type Place = "first" | "later";

/** A rate, and the bucket in which this connection finds it. */
class Gauge {
  readonly rule: RateRule;
  readonly #own: Bucket | undefined;
  readonly #shared: Shared | undefined;

  constructor({ rule, shared }: MeterRule, now: number) {
    this.rule = rule;
    this.#own = shared === undefined ? fullBucket(rule.shape, now) : undefined;
    this.#shared = shared;
  }

  /** The bucket as it is now; looked up anew each time, because what is shared may be forgotten in between. */
  bucket(now: number): Bucket {
    const shared = this.#shared;
    const bucket = shared === undefined ? (this.#own as Bucket) : shared.buckets.of(shared.key, now);
    refill(this.rule.shape, bucket, now);
    return bucket;
  }

  tokens(length: number): number {
    return this.rule.unit === "messages" ? 1 : length;
  }

  /** Throttling only delays, so a frame that is larger than the bucket passes when the bucket is full, and is paid off. */
  has(now: number, length: number): boolean {
    const { shape, onExceeded } = this.rule;
    const tokens = this.tokens(length);
    const needed = onExceeded === "Throttle" ? Math.min(tokens, shape.burst) : tokens;
    return this.bucket(now).level >= needed * shape.cost;
  }

  /** A message that has begun is not counted again, and can no more be dropped. */
  asks(place: Place): boolean {
    return place === "first" || (this.rule.unit === "bytes" && this.rule.onExceeded !== "Drop");
  }
}

interface Shared {
  readonly buckets: SharedBuckets;
  readonly key: string;
}

export interface MeterRule {
  readonly rule: RateRule;
  /** Where the bucket is not this connection's own. */
  readonly shared?: Shared | undefined;
}

export interface MeterOptions {
  readonly rules: readonly MeterRule[];
  readonly now: number;
  readonly onExceeded: Exceeded;
}

export class Meter {
  /** Clock time (ms), to be set before frames are shown. */
  now: number;
  /** After `VERDICT.wait`: milliseconds until it is worth asking again. */
  wait = 0;
  readonly #gauges: readonly Gauge[];
  readonly #onExceeded: Exceeded;

  constructor({ rules, now, onExceeded }: MeterOptions) {
    this.now = now;
    this.#onExceeded = onExceeded;
    this.#gauges = rules.map((rule) => new Gauge(rule, now));
  }

  /** The first frame of a message, with `length` bytes of payload. Nothing is taken unless it passes. */
  starts(length: number): Verdict {
    return this.#judge("first", length);
  }

  /** A later frame of a message that has passed so far. */
  continues(length: number): Verdict {
    return this.#judge("later", length);
  }

  #judge(place: Place, length: number): Verdict {
    const { now } = this;
    let verdict: Verdict = VERDICT.pass;
    this.wait = 0;
    for (const gauge of this.#gauges) {
      if (!gauge.asks(place) || gauge.has(now, length)) continue;
      const { rule } = gauge;
      const its = VERDICTS[rule.onExceeded];
      if (its > verdict) verdict = its;
      if (its === VERDICT.wait) this.#lengthenWait(gauge, length);
      if (its !== VERDICT.close) this.#onExceeded(rule);
    }
    if (verdict === VERDICT.pass) this.#pay(place, length);
    return verdict;
  }

  #lengthenWait(gauge: Gauge, length: number): void {
    const { now } = this;
    const needed = waitFor(gauge.rule.shape, gauge.bucket(now), { now, tokens: gauge.tokens(length) });
    if (needed > this.wait) this.wait = needed;
  }

  #pay(place: Place, length: number): void {
    const { now } = this;
    for (const gauge of this.#gauges) {
      const { shape, onExceeded, unit } = gauge.rule;
      if (place === "later" && unit === "messages") continue;
      // What is only reported is counted as it would be enforced: what exceeds the rate takes nothing.
      if (onExceeded === "Report" && !gauge.has(now, length)) continue;
      charge(shape, gauge.bucket(now), { now, tokens: gauge.tokens(length) });
    }
  }
}
