import { expect, it } from "@jest/globals";
import { backoffMs } from "./backoff.ts";

it("doubles up to the longest delay, and jitter takes at most half of it", () => {
  const options = { firstMs: 100, maxMs: 1_000 };
  const delays = (random: number) => [1, 2, 3, 4, 5, 60].map((failures) => backoffMs(failures, options, () => random));
  expect(delays(0)).toEqual([50, 100, 200, 400, 500, 500]);
  expect(delays(1)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
});
