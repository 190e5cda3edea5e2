import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { type Bucket, bucketShape, charge, fullBucket, levelAt, take, waitFor } from "./bucket.ts";

const whole = (max: number) => fc.integer({ min: 1, max });
const rates = fc.record({ rate: whole(100_000), interval: whole(60_000), burst: whole(1_000) });
/** What a client does: waits that long (ms), then asks for that many. */
const steps = fc.array(fc.record({ wait: fc.nat(5_000), tokens: whole(50) }), { maxLength: 200 });

describe("a token bucket", () => {
  it("never lets more through than burst + rate × time, and refuses only what would be more", () => {
    fc.assert(
      fc.property(rates, steps, (rate, attempts) => {
        const shape = bucketShape(rate);
        const bucket = fullBucket(shape, 0);
        let now = 0;
        const passed: { at: number; tokens: number }[] = [];
        for (const { wait, tokens } of attempts) {
          now += wait;
          // Exact, in whole numbers: for every span that ends now, what passed in it and what is asked for.
          const fits = [...passed.map(({ at }) => at), now].every((from, index) => {
            const inSpan = passed.slice(index).reduce((sum, one) => sum + one.tokens, 0) + tokens;
            return BigInt(inSpan - rate.burst) * BigInt(rate.interval) <= BigInt(now - from) * BigInt(rate.rate);
          });
          expect(take(shape, bucket, { now, tokens })).toBe(fits);
          if (fits) passed.push({ at: now, tokens });
        }
      }),
    );
  });

  it("is at the same level whether it was looked at every millisecond or once", () => {
    fc.assert(
      fc.property(rates, fc.nat(2_000), fc.nat(1_000), (rate, elapsed, spent) => {
        const shape = bucketShape(rate);
        const [often, once]: Bucket[] = [fullBucket(shape, 0), fullBucket(shape, 0)] as [Bucket, Bucket];
        charge(shape, often as Bucket, { now: 0, tokens: spent });
        charge(shape, once as Bucket, { now: 0, tokens: spent });
        for (let now = 1; now <= elapsed; now += 1) take(shape, often as Bucket, { now, tokens: 1e9 });
        expect(levelAt(shape, often as Bucket, elapsed)).toBe(levelAt(shape, once as Bucket, elapsed));
      }),
    );
  });

  it("tells the wait to the millisecond", () => {
    fc.assert(
      fc.property(rates, whole(2_000), whole(1_000), (rate, spent, tokens) => {
        fc.pre(tokens <= rate.burst);
        const shape = bucketShape(rate);
        const empty = (): Bucket => {
          const bucket = fullBucket(shape, 0);
          charge(shape, bucket, { now: 0, tokens: spent });
          return bucket;
        };
        const wait = waitFor(shape, empty(), { now: 0, tokens });
        expect(take(shape, empty(), { now: wait, tokens })).toBe(true);
        if (wait > 0) expect(take(shape, empty(), { now: wait - 1, tokens })).toBe(false);
      }),
    );
  });

  it("is exactly full again after a year, at the smallest and the largest rate", () => {
    for (const rate of [
      { rate: 1, interval: 3_600_000, burst: 2 ** 30 },
      { rate: 2 ** 30, interval: 3_600_000, burst: 2 ** 30 },
      { rate: 2 ** 30, interval: 100, burst: 1 },
    ]) {
      const shape = bucketShape(rate);
      const bucket = fullBucket(shape, 0);
      take(shape, bucket, { now: 0, tokens: 1 });
      expect(levelAt(shape, bucket, 365 * 86_400_000)).toBe(shape.full);
    }
  });

  it("does not gain by a clock that stands or gives fractions", () => {
    const shape = bucketShape({ rate: 1, interval: 10, burst: 1 });
    const bucket = fullBucket(shape, 0.9);
    expect(take(shape, bucket, { now: 0.95, tokens: 1 })).toBe(true);
    for (let now = 1; now < 10; now += 0.25) expect(take(shape, bucket, { now, tokens: 1 })).toBe(false);
    expect(take(shape, bucket, { now: 10, tokens: 1 })).toBe(true);
  });

  it.each([
    ["no rate", { rate: 0, interval: 1_000, burst: 1 }],
    ["a fraction", { rate: 1.5, interval: 1_000, burst: 1 }],
    ["more than can be counted exactly", { rate: 1, interval: 3_600_000, burst: 2 ** 40 }],
  ])("refuses %s", (_, rate) => {
    expect(() => bucketShape(rate)).toThrow(RangeError);
  });
});
