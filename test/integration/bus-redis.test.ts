// What only the Redis twin has: several processes, credentials, and bounds of its own.
import { afterEach, expect, it } from "@jest/globals";
import { Redis } from "ioredis";
import { type Bus, BusUnavailable } from "../../gateway/bus/bus.ts";
import { createRedisBus, type RedisBusOptions } from "../../gateway/bus/bus-redis.ts";
import { eventually } from "../support/eventually.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

let redis: RedisServer | undefined;
const buses: Bus[] = [];

afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()));
  await redis?.stop();
});

async function openBus(options: Partial<RedisBusOptions> = {}): Promise<Bus> {
  const bus = createRedisBus({ url: redis!.url, ...options });
  buses.push(bus);
  await eventually("the bus is up", () => bus.up);
  return bus;
}

it("carries a message from one bus to all others, and back to itself", async () => {
  redis = await startRedis();
  const pods = await Promise.all([openBus(), openBus(), openBus()]);
  const received: string[] = [];
  await Promise.all(pods.map((pod, index) => pod.subscribe("news", (payload) => received.push(`${index} ${payload}`))));
  await pods[0]!.publish("news", Buffer.from("hello"));
  await eventually("three deliveries", () => received.length === 3);
  expect(received.sort()).toEqual(["0 hello", "1 hello", "2 hello"]);
});

it("holds one subscription in Redis for a channel, however many share it, and gives it back", async () => {
  redis = await startRedis();
  const bus = await openBus();
  const admin = new Redis(redis.url);
  const inRedis = async () => ((await admin.call("PUBSUB", "NUMSUB", "holdfast:news")) as [string, number])[1];
  const first = await bus.subscribe("news", () => {});
  const second = await bus.subscribe("news", () => {});
  expect(await inRedis()).toBe(1);
  await first.unsubscribe();
  expect(await inRedis()).toBe(1);
  await second.unsubscribe();
  expect(await inRedis()).toBe(0);
  admin.disconnect();
});

it("says why it cannot use Redis, once, and never with the password", async () => {
  redis = await startRedis("--requirepass", "right-horse");
  const problems: string[] = [];
  const bus = createRedisBus({
    url: `redis://:wrong-horse@127.0.0.1:${redis.port}`,
    onProblem: (problem) => problems.push(problem),
  });
  buses.push(bus);
  await eventually("both links have told", () => problems.length === 2);
  expect(problems.join("\n")).toMatch(/WRONGPASS|invalid password|invalid username-password/i);
  expect(problems.join("\n")).not.toContain("horse");
  await expect(bus.publish("news", Buffer.from("x"))).rejects.toThrow(BusUnavailable);
  const right = await openBus({ url: `redis://:right-horse@127.0.0.1:${redis.port}` });
  await expect(right.publish("news", Buffer.from("x"))).resolves.toBeUndefined();
});

it("refuses to hold more unacknowledged bytes than it may", async () => {
  redis = await startRedis();
  const bus = await openBus({ maxInFlightBytes: 1_000 });
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => bus.publish("news", Buffer.alloc(400))));
  expect(outcomes.map((outcome) => outcome.status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
  await expect(bus.publish("news", Buffer.alloc(400))).resolves.toBeUndefined();
});
