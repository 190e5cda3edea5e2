// Any pod reaches any client: two gateways that share nothing but a real Redis.
import { expect, it } from "@jest/globals";
import { Redis } from "ioredis";
import type { Bus } from "../../gateway/bus/bus.ts";
import { createRedisBus } from "../../gateway/bus/bus-redis.ts";
import { eventually } from "../support/eventually.ts";
import { type HubGateway, listen, startHubGateway } from "../support/hub-gateway.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { createRig } from "../support/rig.ts";

const rig = createRig();

async function startPod(redis: RedisServer): Promise<HubGateway> {
  const bus: Bus = rig.use(createRedisBus({ url: redis.url }), (part) => part.close());
  await eventually("the bus is up", () => bus.up);
  return startHubGateway(rig, { bus });
}

/** A gateway subscribes when its first member joins, which the client is not told of. */
function subscribers(admin: Redis, count: number): Promise<unknown> {
  return eventually(`${count} pods subscribed to the group`, async () => {
    const [, here] = (await admin.call("PUBSUB", "NUMSUB", "holdfast:hub:live:group:news")) as [string, number];
    return here === count;
  });
}

it("reaches the clients of every pod from the API of any pod, each client once and in order", async () => {
  const redis = rig.use(await startRedis(), (server) => server.stop());
  const admin = rig.use(new Redis(redis.url), (client) => client.disconnect());
  const [first, second] = [await startPod(redis), await startPod(redis)];
  const clients = [await listen(rig, first.url()), await listen(rig, second.url()), await listen(rig, second.url())];
  await subscribers(admin, 2);
  const numbers = Array.from({ length: 50 }, (_, index) => `${index}`);
  for (const number of numbers) await first.send("news", number);
  for (const client of clients) expect(await client.until(50)).toEqual(numbers);
  await second.send("news", "from the other side");
  for (const client of clients) expect((await client.until(51)).at(-1)).toBe("from the other side");
  expect(await first.metric("holdfast_bus_messages_total", { direction: "sent" })).toBe(50);
  expect(await first.metric("holdfast_bus_messages_total", { direction: "received" })).toBe(1);
});

it("subscribes a pod only to groups that have members there", async () => {
  const redis = rig.use(await startRedis(), (server) => server.stop());
  const admin = rig.use(new Redis(redis.url), (client) => client.disconnect());
  const pod = await startPod(redis);
  await subscribers(admin, 0);
  const client = await listen(rig, pod.url());
  await subscribers(admin, 1);
  await client.close();
  await subscribers(admin, 0);
  // What remains is the channel on which every pod hears of revocations.
  const channels = (await admin.call("PUBSUB", "CHANNELS")) as string[];
  expect(channels.filter((channel) => channel !== "holdfast:control")).toEqual([]);
});

it("goes on locally while Redis is away, answers 503 then, and counts the gap when Redis is back (B1)", async () => {
  const redis = rig.use(await startRedis(), (server) => server.stop());
  const admin = rig.use(new Redis(redis.url), (client) => client.disconnect());
  admin.on("error", () => {}); // it loses its connection with the server
  const [first, second] = [await startPod(redis), await startPod(redis)];
  const [here, there] = [await listen(rig, first.url()), await listen(rig, second.url())];
  await subscribers(admin, 2);
  await redis.kill();
  await eventually("the outage shows", async () => (await first.metric("holdfast_bus_up")) === 0);

  const refused = await first.call("live/groups/news/:send", { body: "local" });
  expect(refused.status).toBe(503);
  expect(await here.until(1)).toEqual(["local"]);
  expect(first.gateway.readiness.ready).toBe(true);
  const late = await listen(rig, first.url()); // joins a group that is there already
  await redis.start();
  await eventually("both are back", async () => (await first.metric("holdfast_bus_up")) === 1);
  await eventually("both are back", async () => (await second.metric("holdfast_bus_up")) === 1);
  // Two channels in each pod: the group's and everybody's.
  expect(await first.metric("holdfast_hub_gaps_total")).toBe(2);

  await first.send("news", "everywhere");
  expect(await here.until(2)).toEqual(["local", "everywhere"]);
  expect(await late.until(1)).toEqual(["everywhere"]);
  expect(await there.until(1)).toEqual(["everywhere"]);
});
