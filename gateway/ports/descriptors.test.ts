import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { descriptorBudget, parseLimit } from "./descriptors.ts";

describe("the descriptor budget", () => {
  it("reads the soft limit as the kernel prints it", () => {
    const text =
      "Limit                     Soft Limit           Hard Limit           Units\nMax open files            20000                1048576              files\n";
    expect(parseLimit(text)).toBe(20_000);
    expect(parseLimit("Max open files            unlimited            unlimited            files")).toBe(
      Number.POSITIVE_INFINITY,
    );
    expect(parseLimit(readFileSync("/proc/self/limits", "utf8"))).toBeGreaterThan(0);
  });

  it.each([256, 1024, 20_000])("leaves something for the process and for refusals under a limit of %i", (limit) => {
    const { full, spent } = descriptorBudget(limit);
    expect(full).toBeGreaterThanOrEqual(limit / 2);
    expect(spent).toBeGreaterThan(full);
    expect(spent).toBeLessThan(limit);
  });

  it("serves somebody under any limit, and everybody under none", () => {
    expect(descriptorBudget(10)).toEqual({ full: 2, spent: 4 });
    expect(descriptorBudget(Number.POSITIVE_INFINITY).full).toBe(Number.POSITIVE_INFINITY);
  });
});
