import { describe, expect, it } from "@jest/globals";
import type { MessageRules } from "./inspector.ts";
import { Policies } from "./policies.ts";

const rulesOf = (rules: Partial<MessageRules>): MessageRules => ({
  accept: ["Text"],
  allow: [],
  transform: {},
  onInvalid: "Close",
  mode: "Enforce",
  ...rules,
});
const schema = (type: string): string => JSON.stringify({ properties: { a: { type } } });

/** Every look at the clock is a millisecond later, so each step has a turn of its own, and a test says when that comes. */
function slicing() {
  const turns: (() => void)[] = [];
  let now = 0;
  return {
    now: () => {
      now += 1;
      return now;
    },
    pause: () => new Promise<void>((resolve) => turns.push(resolve)),
    turns,
    async run() {
      let ran = 0;
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve));
        if (turns.length === 0) return ran;
        for (const turn of turns.splice(0)) turn();
        ran += 1;
      }
    },
  };
}

describe("policies", () => {
  it("are compiled in slices, one at a time, in the order in which they were asked for", async () => {
    const loop = slicing();
    const policies = new Policies(loop);
    const done: string[] = [];
    const asked = ["null", "string"].map((type) =>
      policies.compile(rulesOf({ schema: schema(type) })).then(() => done.push(type)),
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(loop.turns).toHaveLength(1);
    expect(await loop.run()).toBeGreaterThan(4);
    await Promise.all(asked);
    expect(done).toEqual(["null", "string"]);
  });

  it("are the same for the same texts, whoever has them, also while they are being compiled", async () => {
    const policies = new Policies();
    const [one, same] = [rulesOf({ schema: schema("null") }), rulesOf({ schema: schema("null"), onInvalid: "Drop" })];
    const [first, second] = await Promise.all([policies.compile(one), policies.compile(same)]);
    expect(second).toBe(first);
    expect(await policies.compile(rulesOf({ schema: schema("null") }))).toBe(first);
    expect(policies.known(same)).toBe(first);
    expect(await policies.compile(rulesOf({ schema: schema("null"), accept: ["Text", "Binary"] }))).not.toBe(first);
  });

  it("that cannot be compiled say why, and are not tried again", async () => {
    const policies = new Policies();
    const [bad, good] = [rulesOf({ allow: ["1 +"] }), rulesOf({ allow: ["true"] })];
    const compiled = await policies.compile(bad);
    expect(compiled).toMatchObject({ problems: [{ field: "allow[0]" }] });
    expect(policies.known(bad)).toBe(compiled);
    expect(await policies.compile(good)).toHaveProperty("policy");
  });
});
