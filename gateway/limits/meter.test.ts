import { describe, expect, it } from "@jest/globals";
import { bucketShape } from "./bucket.ts";
import { KeyedBuckets } from "./keyed-buckets.ts";
import { Meter, type RateRule, VERDICT } from "./meter.ts";

const messages = (onExceeded: RateRule["onExceeded"], burst = 2): RateRule => ({
  policy: "messages.perConnection",
  unit: "messages",
  shape: bucketShape({ rate: 10, interval: 1_000, burst }),
  onExceeded,
});
const bytes = (onExceeded: RateRule["onExceeded"], burst = 100): RateRule => ({
  policy: "bytes.perConnection",
  unit: "bytes",
  shape: bucketShape({ rate: 1_000, interval: 1_000, burst }),
  onExceeded,
});

function meterOf(...rules: RateRule[]) {
  const exceeded: string[] = [];
  const onExceeded = ({ policy, onExceeded }: RateRule) => void exceeded.push(`${policy} ${onExceeded}`);
  return { meter: new Meter({ rules: rules.map((rule) => ({ rule })), now: 0, onExceeded }), exceeded };
}

describe("a connection's meter", () => {
  it.each([
    ["Close", VERDICT.close, 0],
    ["Drop", VERDICT.drop, 1],
    ["Throttle", VERDICT.wait, 1],
    ["Report", VERDICT.pass, 1],
  ] as const)("lets the burst pass, and then does what %s says", (onExceeded, verdict, told) => {
    const { meter, exceeded } = meterOf(messages(onExceeded));
    expect([meter.starts(5), meter.starts(5)]).toEqual([VERDICT.pass, VERDICT.pass]);
    expect(meter.starts(5)).toBe(verdict);
    expect(exceeded).toHaveLength(told);
    meter.now = 100;
    expect(meter.starts(5)).toBe(VERDICT.pass);
  });

  it("counts a message by its first frame and bytes by every frame", () => {
    const { meter } = meterOf(messages("Close"), bytes("Close"));
    expect(meter.starts(40)).toBe(VERDICT.pass);
    for (let i = 0; i < 3; i += 1) expect(meter.continues(20)).toBe(VERDICT.pass);
    expect(meter.continues(1)).toBe(VERDICT.close);
    expect(meter.starts(0)).toBe(VERDICT.pass);
    expect(meter.starts(0)).toBe(VERDICT.close);
  });

  it("lets a message that has begun end, where messages are dropped whole, and has it paid off", () => {
    const { meter } = meterOf(bytes("Drop"));
    expect(meter.starts(100)).toBe(VERDICT.pass);
    expect(meter.continues(50)).toBe(VERDICT.pass);
    meter.now = 50;
    expect(meter.starts(1)).toBe(VERDICT.drop);
    meter.now = 51;
    expect(meter.starts(1)).toBe(VERDICT.pass);
  });

  it("lets a frame that is larger than the burst pass when the bucket is full, where it only throttles", () => {
    const { meter } = meterOf(bytes("Throttle"));
    expect(meter.starts(1_000)).toBe(VERDICT.pass);
    expect([meter.starts(100), meter.wait]).toEqual([VERDICT.wait, 1_000]);
    meter.now = 999;
    expect([meter.starts(100), meter.wait]).toEqual([VERDICT.wait, 1]);
    meter.now = 1_000;
    expect(meter.starts(100)).toBe(VERDICT.pass);
  });

  it("takes nothing for a message that does not pass, of any rate", () => {
    const { meter } = meterOf(messages("Drop", 1), bytes("Drop"));
    expect(meter.starts(101)).toBe(VERDICT.drop);
    expect(meter.starts(100)).toBe(VERDICT.pass);
  });

  it("goes by the severest of the rates that are exceeded", () => {
    const { meter } = meterOf(messages("Throttle", 1), bytes("Drop", 1));
    meter.starts(1);
    expect(meter.starts(1)).toBe(VERDICT.drop);
  });

  it("reports exactly those messages that dropping would leave out", () => {
    const [reporting, dropping] = [meterOf(messages("Report")), meterOf(messages("Drop"))];
    for (let now = 0; now < 3_000; now += 37) {
      reporting.meter.now = now;
      dropping.meter.now = now;
      reporting.meter.starts(1);
      dropping.meter.starts(1);
    }
    expect(reporting.exceeded.length).toBe(dropping.exceeded.length);
    expect(reporting.exceeded.length).toBeGreaterThan(10);
  });

  it("shares a user's bucket between the user's connections, and with nobody else", () => {
    const rule = { ...messages("Close"), policy: "messages.perUser" };
    const buckets = new KeyedBuckets(rule.shape, { now: 0 });
    const meterFor = (key: string) =>
      new Meter({ rules: [{ rule, shared: { buckets, key } }], now: 0, onExceeded: () => undefined });
    const [one, two, other] = [meterFor("ann"), meterFor("ann"), meterFor("bob")] as const;
    expect([one.starts(1), two.starts(1)]).toEqual([VERDICT.pass, VERDICT.pass]);
    expect([one.starts(1), two.starts(1)]).toEqual([VERDICT.close, VERDICT.close]);
    expect(other.starts(1)).toBe(VERDICT.pass);
  });
});
