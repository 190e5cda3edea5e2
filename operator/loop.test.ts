import { beforeEach, describe, expect, it } from "@jest/globals";
import { createFakeClock, type FakeClock } from "../test/support/fake-clock.ts";
import { Loop } from "./loop.ts";

let clock: FakeClock;
let ranAt: number[];
let delays: number[];
let run: () => Promise<void>;
let loop: Loop;

beforeEach(() => {
  clock = createFakeClock(1_000);
  ranAt = [];
  delays = [];
  run = async () => {};
  loop = new Loop({
    clock,
    random: () => 0,
    run: () => {
      ranAt.push(clock.now());
      return run();
    },
    onError: (_error, retryInMs) => delays.push(retryInMs),
  });
});

describe("the loop", () => {
  it("waits until it has been quiet for 20 ms", async () => {
    loop.changed();
    await clock.advance(15);
    loop.changed();
    await clock.advance(19);
    expect(ranAt).toEqual([]);
    await clock.advance(1);
    expect(ranAt).toEqual([1_035]);
    await clock.advance(60_000);
    expect(ranAt).toEqual([1_035]);
  });

  it("waits at most 200 ms when it never gets quiet", async () => {
    for (let ms = 0; ms < 250; ms += 10) {
      loop.changed();
      await clock.advance(10);
    }
    expect(ranAt).toEqual([1_200]);
  });

  it("runs one pass at a time, and once more for what changed meanwhile", async () => {
    let finish = () => {};
    run = () => new Promise((resolve) => (finish = resolve));
    loop.changed();
    await clock.advance(20);
    loop.changed();
    loop.changed();
    await clock.advance(5_000);
    expect(ranAt).toEqual([1_020]);
    finish();
    await clock.advance(1);
    expect(ranAt).toEqual([1_020, 6_020]);
  });

  it("comes back after a failure, more and more slowly however much changes, and soon again after a success", async () => {
    run = () => Promise.reject(new Error("away"));
    loop.changed();
    for (let step = 0; step < 40; step++) {
      await clock.advance(50);
      loop.changed();
    }
    expect(delays).toEqual([100, 200, 400, 800, 1_600]);
    expect(ranAt).toHaveLength(5);
    run = async () => {};
    await clock.advance(2_000);
    expect(ranAt).toHaveLength(6);
    loop.changed();
    await clock.advance(20);
    expect(ranAt).toHaveLength(7);
  });

  it("wakes by a time without any change, once", async () => {
    loop.wakeBy(9_000);
    loop.wakeBy(7_000);
    await clock.advance(60_000);
    expect(ranAt).toEqual([7_000]);
  });

  it("stops after the pass that runs", async () => {
    let finish = () => {};
    run = () => new Promise((resolve) => (finish = resolve));
    loop.changed();
    await clock.advance(20);
    loop.changed();
    let stopped = false;
    const stopping = loop.stop().then(() => (stopped = true));
    await clock.advance(10);
    expect(stopped).toBe(false);
    finish();
    await stopping;
    await clock.advance(60_000);
    expect(ranAt).toEqual([1_020]);
    expect(clock.pending()).toBe(0);
  });
});
