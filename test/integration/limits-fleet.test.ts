// Limits that two gateways of one fleet share through a real Redis.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { Route } from "../../gateway/snapshot.ts";
import { eventually } from "../support/eventually.ts";
import { makeRoute } from "../support/make-route.ts";
import { CHAT } from "../support/make-snapshot.ts";
import { handshakeText, rawRequest } from "../support/raw-client.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { type Client, createRig } from "../support/rig.ts";
import type { TestGateway } from "../support/test-gateway.ts";

const rig = createRig();
let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const as = { headers: { "X-Api-Key": "key-of-ann" } };
let fleets = 0;

/** Two pods of one gateway; each test has a gateway of its own. */
async function pods(limits: Partial<Route["limits"]>): Promise<[TestGateway, TestGateway]> {
  const echo = await rig.backend();
  const apiKeys = { secretKeys: ["ann"], sources: [{ in: "header" as const, name: "X-Api-Key", prefix: "" }] };
  const route = makeRoute({ apiKeys });
  const routes = [{ ...route, limits: { ...route.limits, ...limits } }];
  fleets += 1;
  const name = `fleet-${fleets}`;
  const start = async (): Promise<TestGateway> => {
    const backends = { [CHAT]: [echo.port] };
    const pod = await rig.gateway({ routes, backends, settings: { name }, secrets: { ann: "key-of-ann" } });
    pod.gateway.limits.useRedis(redis.url);
    await eventually("limits are shared", async () => (await pod.metric("holdfast_limits_fleet_up")) === 1);
    return pod;
  };
  return [await start(), await start()];
}

const refusal = async (pod: TestGateway): Promise<unknown> => {
  const reply = await rawRequest(pod.port, handshakeText(as));
  return [reply.status, JSON.parse(reply.body).reason];
};

/** Sends messages as fast as they come back, for that long (ms); resolves with how many came back. */
async function echoes(client: Client, milliseconds: number): Promise<number> {
  let count = 0;
  client.socket.on("message", () => {
    count += 1;
  });
  const end = performance.now() + milliseconds;
  while (performance.now() < end) {
    client.socket.send("x");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return count;
}

describe("limits of a fleet", () => {
  it("connections: the user's one too many is refused by the other pod", async () => {
    const [one, two] = await pods({ connections: { perUser: 2, scope: "Fleet" } });
    const first = await rig.client(one.url(), as);
    await rig.client(two.url(), as);
    expect(await refusal(one)).toEqual([429, "TooManyConnectionsPerUser"]);
    expect(await refusal(two)).toEqual([429, "TooManyConnectionsPerUser"]);
    await first.close();
    await eventually("the permit is back", async () => {
      const again = await rig.client(two.url(), as).catch(() => undefined);
      return again !== undefined;
    });
  });

  it("connections: those of a pod that has ended are given back", async () => {
    const [one, two] = await pods({ connections: { total: 1, scope: "Fleet" } });
    await rig.client(one.url(), as);
    expect(await refusal(two)).toEqual([503, "TooManyConnections"]);
    await one.stop();
    await eventually(
      "there is room",
      async () => (await rig.client(two.url(), as).catch(() => undefined)) !== undefined,
      15_000,
    );
  }, 20_000);

  it("handshakes: one rate for all pods, and each pod's own while Redis is away", async () => {
    const total = { rate: 1, interval: 3_600_000, burst: 2 };
    const [one, two] = await pods({ handshakes: { total, scope: "Fleet" } });
    await rig.client(one.url(), as);
    await rig.client(two.url(), as);
    expect(await refusal(one)).toEqual([503, "TooManyHandshakes"]);
    await redis.kill();
    const away = async () => (await two.metric("holdfast_limits_fleet_up")) === 0;
    await eventually("Redis is missed", away);
    await rig.client(two.url(), as);
    await rig.client(two.url(), as);
    expect(await refusal(two)).toEqual([503, "TooManyHandshakes"]);
    await redis.start();
    await eventually("Redis is back", async () => !(await away()));
  });

  it("messages: a user's rate on all pods together, in the long run", async () => {
    const perUser = { rate: 40, interval: 1_000, burst: 10 };
    const [one, two] = await pods({ messages: { perUser, onExceeded: "Drop", scope: "Fleet" } });
    const clients = [await rig.client(one.url(), as), await rig.client(two.url(), as)];
    const begun = performance.now();
    const counts = await Promise.all(clients.map((client) => echoes(client, 3_000)));
    const seconds = (performance.now() - begun) / 1_000;
    const total = (counts[0] ?? 0) + (counts[1] ?? 0);
    // Each pod for itself would let 2 × (10 + 40 × 3) through; before pods hear of each other, each spends a burst and what
    // comes in a quarter of a second, once.
    expect(total).toBeLessThan(2 * perUser.burst + perUser.rate * (seconds + 0.5));
    expect(total).toBeGreaterThan(0.6 * perUser.rate * seconds);
  }, 15_000);
});
