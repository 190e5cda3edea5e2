import { afterEach, describe, expect, it } from "@jest/globals";
import { createFakeClock } from "../../test/support/fake-clock.ts";
import { Overload, processProbes } from "./overload.ts";

const LOOK = 250;
const started: Overload[] = [];
afterEach(() => {
  for (const overload of started.splice(0)) overload.stop();
});

function watched() {
  const clock = createFakeClock();
  const load = { loopDelay: 0, heapUse: 0 };
  const changes: string[] = [];
  const overload = new Overload({
    clock,
    probes: { loopDelay: () => load.loopDelay, heapUse: () => load.heapUse },
    thresholds: { loopDelay: 100, heapUse: 0.9 },
    onChange: (state) => void changes.push(state),
  });
  started.push(overload);
  overload.start();
  const now = async (change: Partial<typeof load>): Promise<boolean> => {
    Object.assign(load, change);
    await clock.advance(2 * LOOK);
    return overload.active;
  };
  return { overload, clock, load, changes, now };
}

describe("overload", () => {
  it.each([
    ["the event loop", "loopDelay", 100],
    ["the heap", "heapUse", 0.9],
  ] as const)("begins with %s at its threshold, and ends well below it", async (_, what, threshold) => {
    const { changes, now } = watched();
    expect(await now({ [what]: 0.99 * threshold })).toBe(false);
    expect(await now({ [what]: threshold })).toBe(true);
    expect(await now({ [what]: 0.85 * threshold })).toBe(true);
    expect(await now({ [what]: 0.75 * threshold })).toBe(false);
    expect(changes).toEqual(["overloaded", "well"]);
  });

  it("is not one long pause", async () => {
    const { overload, clock, load } = watched();
    for (const loopDelay of [0, 5_000, 0, 5_000, 0]) {
      load.loopDelay = loopDelay;
      await clock.advance(LOOK);
      expect(overload.active).toBe(false);
    }
  });

  it("leaves no timer behind", () => {
    const { overload, clock } = watched();
    overload.stop();
    expect(clock.pending()).toBe(0);
  });
});

describe("the probes of a process", () => {
  it("see an event loop that is held, and how full the heap is", async () => {
    const probes = processProbes();
    const turns = async (count: number, hold: number): Promise<void> => {
      for (let turn = 0; turn < count; turn += 1) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        const end = performance.now() + hold;
        while (performance.now() < end);
      }
    };
    await turns(8, 60);
    expect(probes.loopDelay()).toBeGreaterThan(30);
    expect(probes.heapUse()).toBeGreaterThan(0);
    expect(probes.heapUse()).toBeLessThan(1);
  });
});
