// What gateway/bus/bus.ts promises, held against both twins. Two buses on one "wire" stand for two pods.
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { type Bus, BusUnavailable } from "../../gateway/bus/bus.ts";
import { createMemoryBus } from "../../gateway/bus/bus-memory.ts";
import { createRedisBus } from "../../gateway/bus/bus-redis.ts";
import { eventually } from "../support/eventually.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

interface Twin {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  open(): Bus;
}

let redis: RedisServer | undefined;

const twins: Twin[] = [
  { name: "memory", start: async () => {}, stop: async () => {}, open: createMemoryBus },
  {
    name: "redis",
    start: async () => {
      redis = await startRedis();
    },
    stop: async () => redis?.stop(),
    open: () => createRedisBus({ url: redis!.url }),
  },
];

describe.each(twins)("the $name bus", ({ start, stop, open }) => {
  const buses: Bus[] = [];
  beforeAll(start);
  afterAll(async () => stop());
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.close()));
  });

  async function openBus(): Promise<Bus> {
    const bus = open();
    buses.push(bus);
    await eventually("the bus is up", () => bus.up);
    return bus;
  }

  it("delivers what is published once a subscription has resolved, byte for byte", async () => {
    const bus = await openBus();
    const received: Buffer[] = [];
    await bus.subscribe("news", (payload) => received.push(payload));
    const payload = Buffer.from([0x00, 0xff, 0x0d, 0x0a, 0xc3, 0x28]);
    await bus.publish("news", payload);
    await bus.publish("news", Buffer.alloc(0));
    await eventually("both have arrived", () => received.length === 2);
    expect(received).toEqual([payload, Buffer.alloc(0)]);
  });

  it("keeps the order of one publisher, over a thousand messages that nobody waits for", async () => {
    const bus = await openBus();
    const received: number[] = [];
    await bus.subscribe("numbers", (payload) => received.push(payload.readUInt32BE()));
    const numbers = Array.from({ length: 1_000 }, (_, index) => index);
    await Promise.all(
      numbers.map((number) => {
        const payload = Buffer.alloc(4);
        payload.writeUInt32BE(number);
        return bus.publish("numbers", payload);
      }),
    );
    await eventually("all have arrived", () => received.length === numbers.length);
    expect(received).toEqual(numbers);
  });

  it("gives a message to each subscriber of its channel once, and to no other channel", async () => {
    const bus = await openBus();
    const received: string[] = [];
    const deliver = (who: string) => (payload: Buffer) => void received.push(`${who} ${payload}`);
    await Promise.all([
      bus.subscribe("a", deliver("first")),
      bus.subscribe("a", deliver("second")),
      bus.subscribe("ab", deliver("other")),
      bus.subscribe("*", deliver("star")),
    ]);
    await bus.publish("a", Buffer.from("1"));
    await bus.publish("ab", Buffer.from("2"));
    await eventually("three deliveries", () => received.length >= 3);
    expect(received).toEqual(["first 1", "second 1", "other 2"]);
  });

  it("counts two subscriptions with the same function as two", async () => {
    const bus = await openBus();
    const received: string[] = [];
    const deliver = (payload: Buffer) => void received.push(payload.toString());
    const first = await bus.subscribe("same", deliver);
    await bus.subscribe("same", deliver);
    await first.unsubscribe();
    await first.unsubscribe();
    await bus.publish("same", Buffer.from("once"));
    await eventually("it has arrived", () => received.length > 0);
    await bus.publish("same", Buffer.from("again"));
    await eventually("the second has arrived", () => received.includes("again"));
    expect(received).toEqual(["once", "again"]);
  });

  it("delivers nothing after unsubscribing, while other subscribers of the channel go on", async () => {
    const bus = await openBus();
    const gone: string[] = [];
    const here: string[] = [];
    const leaving = await bus.subscribe("room", (payload) => gone.push(payload.toString()));
    await bus.subscribe("room", (payload) => here.push(payload.toString()));
    await leaving.unsubscribe();
    await bus.publish("room", Buffer.from("hello"));
    await eventually("the one who stays has it", () => here.length === 1);
    expect(gone).toEqual([]);
  });

  it("delivers again when a channel is left and joined at once", async () => {
    const bus = await openBus();
    const received: string[] = [];
    for (let round = 0; round < 20; round++) {
      const subscription = await bus.subscribe("door", () => {});
      const leaving = subscription.unsubscribe();
      const again = await bus.subscribe("door", (payload) => received.push(payload.toString()));
      await leaving;
      await bus.publish("door", Buffer.from(`${round}`));
      await eventually("the message of this round", () => received.includes(`${round}`));
      await again.unsubscribe();
    }
    expect(received).toHaveLength(20);
  });

  it("lets a subscriber publish and unsubscribe while it is being delivered to", async () => {
    const bus = await openBus();
    const received: string[] = [];
    const once = await bus.subscribe("ping", (payload) => {
      received.push(`ping ${payload}`);
      void once.unsubscribe();
      void bus.publish("pong", payload);
    });
    await bus.subscribe("ping", (payload) => received.push(`second ${payload}`));
    await bus.subscribe("pong", (payload) => received.push(`pong ${payload}`));
    await bus.publish("ping", Buffer.from("1"));
    await eventually("the answer", () => received.includes("pong 1"));
    await bus.publish("ping", Buffer.from("2"));
    await eventually("the second message", () => received.includes("second 2"));
    expect(received).toEqual(["ping 1", "second 1", "pong 1", "second 2"]);
  });

  it("publishes to a channel without subscribers", async () => {
    const bus = await openBus();
    await expect(bus.publish("nobody", Buffer.from("x"))).resolves.toBeUndefined();
  });

  it("is not up and refuses everything once closed; closing twice is harmless", async () => {
    const bus = await openBus();
    await bus.close();
    await bus.close();
    expect(bus.up).toBe(false);
    await expect(bus.publish("x", Buffer.from("x"))).rejects.toThrow(BusUnavailable);
    await expect(bus.subscribe("x", () => {})).rejects.toThrow(BusUnavailable);
  });
});
