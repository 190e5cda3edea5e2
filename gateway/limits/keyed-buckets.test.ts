import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { bucketShape, fullBucket, take } from "./bucket.ts";
import { KeyedBuckets } from "./keyed-buckets.ts";

const shape = bucketShape({ rate: 1, interval: 100, burst: 3 });

describe("buckets by key", () => {
  it("decide as if every bucket were kept for ever", () => {
    const step = fc.record({ wait: fc.nat(400), key: fc.constantFrom("a", "b", "c") });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const forgetful = new KeyedBuckets(shape, { now: 0 });
        const kept = new Map(["a", "b", "c"].map((key) => [key, fullBucket(shape, 0)]));
        let now = 0;
        for (const { wait, key } of steps) {
          now += wait;
          const wanted = take(shape, kept.get(key) ?? fullBucket(shape, now), { now, tokens: 1 });
          expect(take(shape, forgetful.of(key, now), { now, tokens: 1 })).toBe(wanted);
        }
      }),
    );
  });

  it("forgets keys that have been quiet for as long as a bucket takes to fill", () => {
    const buckets = new KeyedBuckets(shape, { now: 0 });
    for (let key = 0; key < 1_000; key += 1) buckets.of(String(key), 0);
    expect(buckets.size).toBe(1_000);
    buckets.of("later", 300);
    expect(buckets.size).toBe(1_001);
    buckets.of("later", 600);
    expect(buckets.size).toBe(1);
  });

  it("keeps a bounded number, however many keys a flood brings", () => {
    const buckets = new KeyedBuckets(shape, { now: 0 });
    for (let key = 0; key < 200_000; key += 1) buckets.of(String(key), 0);
    expect(buckets.size).toBeLessThanOrEqual(131_072);
  });
});
