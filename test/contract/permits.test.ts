// What gateway/limits promises of connections and handshakes, held against both twins. Two of them stand for two pods.
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { systemClock } from "../../gateway/clock.ts";
import { FLEET_TIMINGS, Fleet } from "../../gateway/limits/fleet.ts";
import type { ConnectionRequest, Permit, Permits } from "../../gateway/limits/permits.ts";
import { MemoryPermits } from "../../gateway/limits/permits-memory.ts";
import { RedisPermits } from "../../gateway/limits/permits-redis.ts";
import type { HandshakeRates } from "../../gateway/limits/rates.ts";
import { MemoryRates } from "../../gateway/limits/rates-memory.ts";
import { RedisRates } from "../../gateway/limits/rates-redis.ts";
import { isRefusal, type Refusal } from "../../gateway/refusals.ts";
import type { Route } from "../../gateway/snapshot.ts";
import { eventually } from "../support/eventually.ts";
import { makeRoute } from "../support/make-route.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

interface Pod {
  readonly permits: Permits;
  readonly rates: HandshakeRates;
  /** Says that the pod is alive, as it does now and then. */
  beat(): Promise<void>;
  /** Ends as a killed process does. */
  die(): void;
}

const EXPIRY = 1_000;
let redis: RedisServer;
let gateways = 0;

/** In memory, pods that share are one. */
function memoryPods(): () => Promise<Pod> {
  const pod: Pod = {
    permits: new MemoryPermits(),
    rates: new MemoryRates(systemClock),
    beat: async () => {},
    die: () => {},
  };
  return async () => pod;
}

function redisPods(): () => Promise<Pod> {
  gateways += 1;
  const gateway = `test/${gateways}`;
  let pods = 0;
  return async () => {
    pods += 1;
    const fleet = new Fleet({
      pod: `pod-${pods}`,
      gateway: () => gateway,
      timings: { ...FLEET_TIMINGS, expiry: EXPIRY },
    });
    fleets.push(fleet);
    fleet.use(redis.url);
    await eventually("the fleet's counts are there", () => fleet.up);
    const permits = new RedisPermits(fleet, new MemoryPermits());
    const rates = new RedisRates(fleet, new MemoryRates(systemClock));
    return { permits, rates, beat: () => permits.beat(), die: () => fleet.close() };
  };
}
const fleets: Fleet[] = [];

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
afterEach(() => {
  for (const fleet of fleets.splice(0)) fleet.close();
});

const limited = (limits: Partial<Route["limits"]>, name = "chat"): Route => {
  const route = makeRoute({ name });
  return { ...route, limits: { ...route.limits, ...limits } };
};

async function granted(permits: Permits, request: ConnectionRequest): Promise<Permit> {
  const result = await permits.acquire(request);
  if (isRefusal(result)) throw new Error(result.reason);
  return result;
}

async function refused(permits: Permits, request: ConnectionRequest): Promise<Refusal["reason"] | undefined> {
  const result = await permits.acquire(request);
  return isRefusal(result) ? result.reason : undefined;
}

describe.each([
  ["memory", memoryPods],
  ["redis", redisPods],
] as const)("permits of the %s twin", (_, podsOf) => {
  it("grant the route's total over all pods, and one more for each that is given back", async () => {
    const start = podsOf();
    const [one, two] = [await start(), await start()];
    const route = limited({ connections: { total: 2 } });
    const first = await granted(one.permits, { route, clientIP: "a" });
    await granted(two.permits, { route, clientIP: "b" });
    expect(await refused(one.permits, { route, clientIP: "c" })).toBe("TooManyConnections");
    expect(await refused(two.permits, { route, clientIP: "c" })).toBe("TooManyConnections");
    first.release();
    first.release();
    const again = async () => (await refused(two.permits, { route, clientIP: "c" })) === undefined;
    await eventually("a permit is back", again);
    expect(await refused(one.permits, { route, clientIP: "d" })).toBe("TooManyConnections");
  });

  it("grant exactly the limit to many that come at once on several pods", async () => {
    const start = podsOf();
    const pods = [await start(), await start(), await start()];
    const route = limited({ connections: { total: 50 } });
    const asked = Array.from({ length: 300 }, (_, index) =>
      (pods[index % pods.length] as Pod).permits.acquire({ route, clientIP: String(index) }),
    );
    const results = await Promise.all(asked);
    expect(results.filter((result) => !isRefusal(result))).toHaveLength(50);
  });

  it("count client addresses and users by themselves, and name the client's own limits first", async () => {
    const start = podsOf();
    const [one, two] = [await start(), await start()];
    const route = limited({ connections: { total: 3, perClientIP: 2, perUser: 1 } });
    await granted(one.permits, { route, clientIP: "a", user: "ann" });
    expect(await refused(two.permits, { route, clientIP: "b", user: "ann" })).toBe("TooManyConnectionsPerUser");
    await granted(two.permits, { route, clientIP: "a", user: "bob" });
    expect(await refused(one.permits, { route, clientIP: "a", user: "cat" })).toBe("TooManyConnectionsPerClient");
    await granted(one.permits, { route, clientIP: "b" });
    expect(await refused(one.permits, { route, clientIP: "c" })).toBe("TooManyConnections");
    await granted(one.permits, { route: limited({ connections: { total: 1 } }, "other"), clientIP: "c" });
  });

  it("grant everything in mode Report, and say what would have been refused", async () => {
    const start = podsOf();
    const [one, two] = [await start(), await start()];
    const route = limited({ connections: { total: 1, mode: "Report" } });
    expect((await granted(one.permits, { route, clientIP: "a" })).exceeded).toBeUndefined();
    expect((await granted(two.permits, { route, clientIP: "b" })).exceeded).toBe("TooManyConnections");
  });
});

describe.each([
  ["memory", memoryPods],
  ["redis", redisPods],
] as const)("handshake rates of the %s twin", (_, podsOf) => {
  it("let the burst through over all pods, then refuse, and take nothing for what they refuse", async () => {
    const start = podsOf();
    const [one, two] = [await start(), await start()];
    const rate = (burst: number) => ({ rate: 1, interval: 3_600_000, burst });
    const route = limited({ handshakes: { total: rate(4), perClientIP: rate(2) } });
    const take = (pod: Pod, clientIP: string) => pod.rates.take({ route, clientIP });
    expect([await take(one, "a"), await take(two, "a")]).toEqual([undefined, undefined]);
    for (let i = 0; i < 5; i += 1) expect(await take(one, "a")).toBe("TooManyHandshakesPerClient");
    expect([await take(two, "b"), await take(one, "c")]).toEqual([undefined, undefined]);
    expect([await take(one, "b"), await take(two, "d")]).toEqual(["TooManyHandshakes", "TooManyHandshakes"]);
  });

  it("let one more through with each interval's share", async () => {
    const pod = await podsOf()();
    const route = limited({ handshakes: { total: { rate: 10, interval: 1_000, burst: 1 } } });
    const request = { route, clientIP: "a" };
    const begun = performance.now();
    expect(await pod.rates.take(request)).toBeUndefined();
    await eventually("a share is back", async () => (await pod.rates.take(request)) === undefined);
    // The clocks of this process and of Redis are read in whole milliseconds.
    expect(performance.now() - begun).toBeGreaterThan(95);
  });
});

describe("permits in Redis", () => {
  const route = limited({ connections: { total: 2 } });

  it("of a pod that died come back when it has not been heard of, and those of a living one stay", async () => {
    const start = redisPods();
    const [dying, living] = [await start(), await start()];
    await granted(dying.permits, { route, clientIP: "a" });
    await granted(living.permits, { route, clientIP: "b" });
    expect(await refused(living.permits, { route, clientIP: "c" })).toBe("TooManyConnections");
    dying.die();
    const back = async (): Promise<boolean> => {
      await living.beat();
      return (await refused(living.permits, { route, clientIP: "c" })) === undefined;
    };
    await eventually("the dead pod's permit is back", back);
    await living.beat();
    expect(await refused(living.permits, { route, clientIP: "d" })).toBe("TooManyConnections");
  });

  it("are published again by each pod after Redis has lost them", async () => {
    const start = redisPods();
    const [one, two] = [await start(), await start()];
    const many = limited({ connections: { total: 1_202 } });
    const held = await Promise.all(
      Array.from({ length: 1_200 }, (_, index) => granted(one.permits, { route: many, clientIP: String(index) })),
    );
    await redis.kill();
    // Redis is away: each pod limits by itself.
    await granted(two.permits, { route: many, clientIP: "x" });
    held[0]?.release();
    await redis.start();
    await eventually("both pods have published", async () => {
      await one.beat();
      await two.beat();
      const result = await two.permits.acquire({
        route: limited({ connections: { total: 1_200 } }),
        clientIP: "probe",
      });
      if (!isRefusal(result)) result.release();
      return isRefusal(result);
    });
    await granted(one.permits, { route: many, clientIP: "y" });
    await granted(one.permits, { route: many, clientIP: "z" });
    expect(await refused(two.permits, { route: many, clientIP: "v" })).toBe("TooManyConnections");
  });

  it("are this pod's own while Redis is away", async () => {
    const pod = await redisPods()();
    pod.die();
    await granted(pod.permits, { route, clientIP: "a" });
    await granted(pod.permits, { route, clientIP: "b" });
    expect(await refused(pod.permits, { route, clientIP: "c" })).toBe("TooManyConnections");
    const paced = limited({ handshakes: { total: { rate: 1, interval: 3_600_000, burst: 1 } } });
    expect(await pod.rates.take({ route: paced, clientIP: "a" })).toBeUndefined();
    expect(await pod.rates.take({ route: paced, clientIP: "a" })).toBe("TooManyHandshakes");
  });
});
