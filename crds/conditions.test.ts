import { describe, expect, it } from "@jest/globals";
import { buildCondition, CONDITIONS, REASONS } from "./conditions.ts";
import { Condition } from "./status.ts";

const input = {
  type: "Ready",
  status: "False",
  reason: "PodsUnavailable",
  message: "pod a-1 has stopped reporting",
  observedGeneration: 3,
  now: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
} as const;

describe("buildCondition", () => {
  it("writes the time as Kubernetes reads it", () => {
    const { now: _, ...rest } = input;
    expect(buildCondition(input)).toEqual({ ...rest, lastTransitionTime: "2026-01-02T03:04:05Z" });
  });

  it("cuts a message that Kubernetes would refuse", () => {
    const condition = buildCondition({ ...input, message: "x".repeat(40_000) });
    expect(Condition.parse(condition).message).toMatch(/^x+…$/);
  });

  it("can be written with every type and reason of the table", () => {
    const types = Object.keys(CONDITIONS) as (keyof typeof CONDITIONS)[];
    const reasons = Object.keys(REASONS) as (keyof typeof REASONS)[];
    for (const type of types) expect(Condition.safeParse(buildCondition({ ...input, type })).success).toBe(true);
    for (const reason of reasons) expect(Condition.safeParse(buildCondition({ ...input, reason })).success).toBe(true);
  });
});
