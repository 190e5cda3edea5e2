import { describe, expect, it } from "@jest/globals";
import type { Bus, Deliver } from "./bus.ts";
import { createMemoryBus } from "./bus-memory.ts";
import { SwitchableBus } from "./bus-switch.ts";

/** A message's way through a memory bus takes one turn. */
const delivered = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("SwitchableBus", () => {
  it("moves subscriptions to the new bus, once each, and leaves the old one closed", async () => {
    const [first, second] = [createMemoryBus(), createMemoryBus()];
    const bus = new SwitchableBus(first);
    const heard: string[] = [];
    const kept = await bus.subscribe("a", (payload) => heard.push(`kept ${payload}`));
    const left = await bus.subscribe("a", (payload) => heard.push(`left ${payload}`));
    await left.unsubscribe();
    await bus.use(second);
    await bus.publish("a", Buffer.from("1"));
    await second.publish("a", Buffer.from("2"));
    await delivered();
    expect(heard).toEqual(["kept 1", "kept 2"]);
    expect(first.up).toBe(false);
    await kept.unsubscribe();
    await bus.publish("a", Buffer.from("3"));
    await delivered();
    expect(heard).toHaveLength(2);
    await bus.close();
    expect(second.up).toBe(false);
  });

  it("tells the exchange as a gap", async () => {
    const bus = new SwitchableBus(createMemoryBus());
    const states: string[] = [];
    bus.onState((state) => states.push(state));
    await bus.use(createMemoryBus());
    expect(states).toEqual(["down", "up"]);
  });

  it("lets a subscription that waits for the old bus be made on the new one", async () => {
    const waiting = Promise.withResolvers<never>();
    const asked: string[] = [];
    const away: Bus = {
      up: false,
      subscribe: (channel: string, _deliver: Deliver) => {
        asked.push(channel);
        return waiting.promise;
      },
      publish: () => Promise.reject(new Error("not asked")),
      onState: () => undefined,
      close: async () => waiting.reject(new Error("closed")),
    };
    const bus = new SwitchableBus(away);
    const heard: string[] = [];
    const subscribed = bus.subscribe("a", (payload) => heard.push(String(payload)));
    expect(asked).toEqual(["a"]);
    await bus.use(createMemoryBus());
    await subscribed;
    await bus.publish("a", Buffer.from("1"));
    await delivered();
    expect(heard).toEqual(["1"]);
  });
});
