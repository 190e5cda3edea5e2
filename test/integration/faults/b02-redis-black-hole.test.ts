import { afterEach, expect, it } from "@jest/globals";
import { type Bus, BusUnavailable } from "../../../gateway/bus/bus.ts";
import { createRedisBus } from "../../../gateway/bus/bus-redis.ts";
import { eventually } from "../../support/eventually.ts";
import { type RedisServer, startRedis } from "../../support/redis.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.ts";

let redis: RedisServer | undefined;
let proxy: TcpProxy | undefined;
let bus: Bus | undefined;

afterEach(async () => {
  await bus?.close();
  await proxy?.close();
  await redis?.stop();
});

it("notices within 5 s that packets are dropped, refuses what it had taken, and recovers", async () => {
  redis = await startRedis();
  proxy = await startTcpProxy(redis.port);
  const opened = createRedisBus({ url: `redis://127.0.0.1:${proxy.port}` });
  bus = opened;
  await eventually("the bus is up", () => opened.up);
  const received: string[] = [];
  await opened.subscribe("news", (payload) => received.push(payload.toString()));
  await opened.publish("news", Buffer.from("before"));
  await eventually("it has arrived", () => received.includes("before"));

  proxy.swallow();
  const swallowedAt = performance.now();
  const lost = opened.publish("news", Buffer.from("lost"));
  const refusal = expect(lost).rejects.toThrow(BusUnavailable);
  await eventually("the bus is down", () => !opened.up, 6_000);
  expect(performance.now() - swallowedAt).toBeLessThan(5_000);
  await refusal;

  proxy.restore();
  await eventually("the bus is up again", () => opened.up, 6_000);
  await opened.publish("news", Buffer.from("after"));
  await eventually("it has arrived", () => received.includes("after"));
  expect(received).toEqual(["before", "after"]);
});
