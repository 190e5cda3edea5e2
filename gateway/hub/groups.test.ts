import { describe, expect, it } from "@jest/globals";
import { BusUnavailable, type Deliver, type Subscription } from "../bus/bus.ts";
import { createMemoryBus } from "../bus/bus-memory.ts";
import { Groups } from "./groups.ts";

/** A bus that is away: it confirms a subscription when told to. */
function heldBus() {
  const log: string[] = [];
  const confirm: (() => void)[] = [];
  return {
    log,
    confirm: () => confirm.shift()?.(),
    subscribe: (channel: string, _deliver: Deliver): Promise<Subscription> => {
      log.push(`subscribe ${channel}`);
      const unsubscribe = async () => void log.push(`unsubscribe ${channel}`);
      return new Promise((resolve) => confirm.push(() => resolve({ unsubscribe })));
    },
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("groups", () => {
  it("is subscribed on the bus while there are members, and only then", async () => {
    const bus = heldBus();
    const groups = new Groups<string>(bus, () => () => {});
    groups.join("news", "ann");
    groups.join("news", "bob");
    bus.confirm();
    await settled();
    groups.leave("news", "ann");
    expect([...(groups.members("news") ?? [])]).toEqual(["bob"]);
    expect(bus.log).toEqual(["subscribe news"]);
    groups.leave("news", "bob");
    expect(bus.log).toEqual(["subscribe news", "unsubscribe news"]);
    expect(groups.members("news")).toBeUndefined();
    expect(groups.size).toBe(0);
  });

  it("asks the bus once, however often a group empties and fills while the bus is away", async () => {
    const bus = heldBus();
    const groups = new Groups<string>(bus, () => () => {});
    for (let round = 0; round < 100; round++) {
      groups.join("news", "ann");
      groups.leave("news", "ann");
    }
    expect(bus.log).toEqual(["subscribe news"]);
    bus.confirm();
    await settled();
    expect(bus.log).toEqual(["subscribe news", "unsubscribe news"]);
    expect(groups.size).toBe(0);
  });

  it("keeps the subscription when somebody is there again by the time the bus confirms it", async () => {
    const bus = heldBus();
    const groups = new Groups<string>(bus, () => () => {});
    groups.join("news", "ann");
    groups.leave("news", "ann");
    groups.join("news", "bob");
    bus.confirm();
    await settled();
    expect(bus.log).toEqual(["subscribe news"]);
    expect([...(groups.members("news") ?? [])]).toEqual(["bob"]);
  });

  it("hands what the bus brings to the channel's own function", async () => {
    const bus = createMemoryBus();
    const received: string[] = [];
    const groups = new Groups<string>(bus, (channel) => (payload) => received.push(`${channel}: ${payload}`));
    groups.join("news", "ann");
    groups.join("games", "ann");
    await settled();
    await bus.publish("games", Buffer.from("1"));
    await settled();
    expect(received).toEqual(["games: 1"]);
  });

  it("goes on locally when the bus is closed for good", async () => {
    const bus = { subscribe: () => Promise.reject(new BusUnavailable("closed")) };
    const groups = new Groups<string>(bus, () => () => {});
    groups.join("news", "ann");
    await settled();
    expect(groups.members("news")?.size).toBe(1);
    groups.leave("news", "ann");
    expect(groups.size).toBe(0);
  });
});
