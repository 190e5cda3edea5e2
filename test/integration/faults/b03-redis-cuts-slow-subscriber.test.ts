import { afterEach, expect, it } from "@jest/globals";
import { Redis } from "ioredis";
import type { Bus } from "../../../gateway/bus/bus.ts";
import { createRedisBus } from "../../../gateway/bus/bus-redis.ts";
import { eventually } from "../../support/eventually.ts";
import { type RedisServer, startRedis } from "../../support/redis.ts";

let redis: RedisServer | undefined;
let bus: Bus | undefined;

afterEach(async () => {
  await bus?.close();
  await redis?.stop();
});

it("is down, says so and subscribes anew when Redis cuts the subscriber's connection", async () => {
  redis = await startRedis();
  const opened = createRedisBus({ url: redis.url });
  bus = opened;
  const states: string[] = [];
  opened.onState((state) => states.push(state));
  await eventually("the bus is up", () => opened.up);
  const received: string[] = [];
  await opened.subscribe("news", (payload) => received.push(payload.toString()));

  // What Redis does when `client-output-buffer-limit pubsub` is passed: it closes that client, and only that one.
  const admin = new Redis(redis.url);
  await admin.call("CLIENT", "KILL", "TYPE", "pubsub");
  admin.disconnect();

  await eventually("the cut was noticed and mended", () => states.length === 3);
  expect(states).toEqual(["up", "down", "up"]);
  await opened.publish("news", Buffer.from("after"));
  await eventually("it has arrived", () => received.includes("after"));
});
