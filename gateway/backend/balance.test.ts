import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { makeHandshake, makeRoute } from "../../test/support/make-route.ts";
import type { Endpoint, Route } from "../snapshot.ts";
import { endpointKey, hashKeyOf, newCursor, type PickRequest, pickEndpoint, UNBOUNDED_CONNECTIONS } from "./balance.ts";

type Type = Route["loadBalancing"]["type"];

function endpoints(count: number, subnet = 1): Endpoint[] {
  return Array.from({ length: count }, (_, i) => ({ address: `10.0.${subnet}.${i + 1}`, port: 3000 }));
}

/** A seeded generator (mulberry32), so that tests of chance give one answer. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Setting {
  readonly type?: Type;
  readonly maxLoad?: number;
  readonly backends: Readonly<Record<string, readonly [weight: number, endpoints: readonly Endpoint[]]>>;
}

/** A route over these backends, as what `pickEndpoint` asks for; loads count the picks that were `take`n. */
function balancing({ type = "ConsistentHash", maxLoad = 0, backends }: Setting) {
  const loads = new Map<string, number>();
  const route = makeRoute({
    backends: Object.entries(backends).map(([id, [weight]]) => ({ id, weight })),
    loadBalancing: { type, key: { type: "ConnectionID" }, maxLoad },
  });
  const request: PickRequest = {
    route,
    endpoints: new Map(Object.entries(backends).map(([id, [, list]]) => [id, list])),
    key: "",
    loads: (endpoint) => loads.get(endpointKey(endpoint)) ?? 0,
    exclude: new Set(),
    random: seeded(1),
    cursor: newCursor(),
  };
  const pick = (changes: Partial<PickRequest> = {}) => pickEndpoint({ ...request, ...changes });
  const take = (changes: Partial<PickRequest> = {}) => {
    const picked = pick(changes);
    if (picked !== undefined) {
      const key = endpointKey(picked.endpoint);
      loads.set(key, (loads.get(key) ?? 0) + 1);
    }
    return picked;
  };
  return { pick, take, loads };
}

const KEYS = Array.from({ length: 4_000 }, (_, i) => `client-${i}`);
const placeOf = (pick: ReturnType<ReturnType<typeof balancing>["pick"]>) => pick && endpointKey(pick.endpoint);

function countBy<T>(items: readonly T[], name: (item: T) => string | undefined): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) {
    const key = name(item) ?? "none";
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

describe("ConsistentHash", () => {
  it("is the same on every pod and in every version", () => {
    const { pick } = balancing({ backends: { a: [3, endpoints(5)], b: [1, endpoints(3, 2)] } });
    const places = ["", "x", "seed~signature", "203.0.113.9", "tenant-ä"].map((key) => placeOf(pick({ key })));
    // These stand for what released gateways do: a change here would move every connection in a mixed fleet.
    expect(places).toEqual(["10.0.1.5:3000", "10.0.2.2:3000", "10.0.1.3:3000", "10.0.2.2:3000", "10.0.1.4:3000"]);
  });

  it("spreads keys evenly", () => {
    const { pick } = balancing({ backends: { a: [1, endpoints(10)] } });
    const counts = Object.values(countBy(KEYS, (key) => placeOf(pick({ key }))));
    expect(counts).toHaveLength(10);
    // 400 each; five standard deviations are 95.
    for (const count of counts) expect(Math.abs(count - 400)).toBeLessThan(95);
  });

  it("spreads keys that differ in nothing but a short end", () => {
    const { pick } = balancing({ backends: { a: [1, endpoints(2)] } });
    const addresses = Array.from({ length: 256 }, (_, i) => `192.0.2.${i}`);
    const counts = countBy(addresses, (key) => placeOf(pick({ key })));
    for (const count of Object.values(counts)) expect(Math.abs(count - 128)).toBeLessThan(40);
  });

  it("gives each backend its weight, however many endpoints it has", () => {
    const { pick } = balancing({
      backends: { old: [9, endpoints(2)], canary: [1, endpoints(7, 2)], off: [0, endpoints(3, 3)] },
    });
    const counts = countBy(KEYS, (key) => pick({ key })?.backend);
    expect(Object.keys(counts).sort()).toEqual(["canary", "old"]);
    expect(Math.abs(counts.canary! - 400)).toBeLessThan(95);
  });

  it("moves only the keys of an endpoint that goes, and within its backend", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), fc.nat(), fc.integer({ min: 1, max: 9 }), (count, at, weight) => {
        const all = endpoints(count);
        const gone = endpointKey(all[at % count]!);
        const rest = all.filter((endpoint) => endpointKey(endpoint) !== gone);
        const other = endpoints(3, 2);
        const before = balancing({ backends: { a: [weight, all], b: [2, other] } });
        const after = balancing({ backends: { a: [weight, rest], b: [2, other] } });
        for (const key of KEYS.slice(0, 300)) {
          const was = before.pick({ key });
          const is = after.pick({ key });
          if (placeOf(was) === gone) expect(is?.backend).toBe("a");
          else expect(is).toEqual(was);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("moves keys only towards a backend that gains weight", () => {
    const a = endpoints(3);
    const b = endpoints(3, 2);
    const before = balancing({ backends: { a: [9, a], b: [1, b] } });
    const after = balancing({ backends: { a: [9, a], b: [3, b] } });
    const moved = KEYS.filter((key) => placeOf(before.pick({ key })) !== placeOf(after.pick({ key })));
    expect(moved.length).toBeGreaterThan(300);
    for (const key of moved) expect(after.pick({ key })?.backend).toBe("b");
  });

  it("goes to the next in the key's rank when the first was tried", () => {
    const all = endpoints(4);
    const { pick } = balancing({ backends: { a: [1, all] } });
    for (const key of KEYS.slice(0, 100)) {
      const first = placeOf(pick({ key }))!;
      const without = balancing({ backends: { a: [1, all.filter((endpoint) => endpointKey(endpoint) !== first)] } });
      expect(pick({ key, exclude: new Set([first]) })).toEqual(without.pick({ key }));
    }
    expect(pick({ exclude: new Set(all.map(endpointKey)) })).toBeUndefined();
  });

  it("keeps every endpoint under its bound, even when all come with one key", () => {
    const keys = fc.array(fc.constantFrom("same", "x", "y", "z"), { minLength: 200, maxLength: 600 });
    fc.assert(
      fc.property(keys, fc.integer({ min: 2, max: 6 }), fc.constantFrom(100, 125, 200), (sequence, count, maxLoad) => {
        const { take, loads } = balancing({ maxLoad, backends: { a: [1, endpoints(count)] } });
        for (const [taken, key] of sequence.entries()) {
          const picked = take({ key })!;
          const mean = (taken + 1) / count;
          const bound = Math.max(UNBOUNDED_CONNECTIONS, Math.ceil((mean * maxLoad) / 100));
          expect(loads.get(endpointKey(picked.endpoint))).toBeLessThanOrEqual(bound);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("bounds each backend's endpoints by the backend's weight", () => {
    const { take, loads } = balancing({ maxLoad: 125, backends: { a: [3, endpoints(1)], b: [1, endpoints(1, 2)] } });
    for (let i = 0; i < 1_000; i += 1) take({ key: "same" });
    const [most, least] = [...loads.values()].sort((x, y) => y - x);
    expect(most! + least!).toBe(1_000);
    expect(least).toBeGreaterThan(60);
  });

  it("is sticky while there are few connections, and without a bound always", () => {
    const few = balancing({ maxLoad: 100, backends: { a: [1, endpoints(5)] } });
    for (let i = 0; i < UNBOUNDED_CONNECTIONS; i += 1) few.take({ key: "same" });
    expect(few.loads.size).toBe(1);
    const unbounded = balancing({ maxLoad: 0, backends: { a: [1, endpoints(5)] } });
    for (let i = 0; i < 500; i += 1) unbounded.take({ key: "same" });
    expect(unbounded.loads.size).toBe(1);
  });
});

describe("LeastConnections", () => {
  it("fills endpoints by their share", () => {
    const { take, loads } = balancing({
      type: "LeastConnections",
      backends: { a: [2, endpoints(2)], b: [1, endpoints(2, 2)] },
    });
    for (let i = 0; i < 600; i += 1) take();
    expect(Object.fromEntries(loads)).toEqual({
      "10.0.1.1:3000": 200,
      "10.0.1.2:3000": 200,
      "10.0.2.1:3000": 100,
      "10.0.2.2:3000": 100,
    });
  });

  it("prefers the emptiest, not the first", () => {
    const { pick, loads } = balancing({ type: "LeastConnections", backends: { a: [1, endpoints(3)] } });
    loads.set("10.0.1.1:3000", 4).set("10.0.1.3:3000", 2);
    expect(placeOf(pick())).toBe("10.0.1.2:3000");
    expect(placeOf(pick({ exclude: new Set(["10.0.1.2:3000"]) }))).toBe("10.0.1.3:3000");
  });

  it("leaves equals to chance", () => {
    const { pick } = balancing({ type: "LeastConnections", backends: { a: [1, endpoints(4)] } });
    const counts = countBy(KEYS, () => placeOf(pick()));
    expect(Object.keys(counts)).toHaveLength(4);
    for (const count of Object.values(counts)) expect(Math.abs(count - 1_000)).toBeLessThan(140);
  });
});

describe("RoundRobin", () => {
  it("takes endpoints in turn and backends by weight, smoothly", () => {
    const { pick } = balancing({ type: "RoundRobin", backends: { a: [2, endpoints(2)], b: [1, endpoints(1, 2)] } });
    const picks = Array.from({ length: 12 }, () => pick()!);
    expect(picks.map(({ backend }) => backend).join("")).toBe("abaabaabaaba");
    expect(countBy(picks, placeOf)).toEqual({ "10.0.1.1:3000": 4, "10.0.1.2:3000": 4, "10.0.2.1:3000": 4 });
  });

  it("passes over what was tried", () => {
    const { pick } = balancing({ type: "RoundRobin", backends: { a: [1, endpoints(3)] } });
    const exclude = new Set(["10.0.1.2:3000"]);
    const counts = countBy(
      Array.from({ length: 6 }, () => pick({ exclude })),
      placeOf,
    );
    expect(counts["10.0.1.2:3000"]).toBeUndefined();
    expect(Object.keys(counts)).toHaveLength(2);
  });
});

describe("Random", () => {
  it("follows the weights", () => {
    const { pick } = balancing({ type: "Random", backends: { a: [3, endpoints(1)], b: [1, endpoints(2, 2)] } });
    const counts = countBy(KEYS, () => placeOf(pick()));
    expect(Math.abs(counts["10.0.1.1:3000"]! - 3_000)).toBeLessThan(140);
    expect(Math.abs(counts["10.0.2.1:3000"]! - 500)).toBeLessThan(110);
  });
});

describe.each<Type>(["ConsistentHash", "LeastConnections", "RoundRobin", "Random"])("%s", (type) => {
  it("leaves the share of a backend without endpoints to the others", () => {
    const { pick } = balancing({
      type,
      backends: { empty: [9, []], off: [0, endpoints(1, 3)], b: [1, endpoints(2, 2)] },
    });
    for (const key of KEYS.slice(0, 50)) expect(pick({ key })?.backend).toBe("b");
    expect(balancing({ type, backends: { empty: [1, []] } }).pick()).toBeUndefined();
    expect(balancing({ type, backends: { off: [0, endpoints(1)] } }).pick()).toBeUndefined();
  });

  it("goes over to another backend when all of one were tried", () => {
    const { pick } = balancing({ type, backends: { a: [9, endpoints(1)], b: [1, endpoints(1, 2)] } });
    const exclude = new Set(["10.0.1.1:3000"]);
    for (const key of KEYS.slice(0, 20)) expect(pick({ key, exclude })?.backend).toBe("b");
  });
});

describe("hashKeyOf", () => {
  const handshake = makeHandshake("/?user=u1", { "X-User": "u2", Cookie: "user=u3" });
  const keyed = (key: Route["loadBalancing"]["key"]) =>
    hashKeyOf(handshake, makeRoute({ loadBalancing: { type: "ConsistentHash", key, maxLoad: 0 } }), {
      clientIP: "203.0.113.9",
      affinity: "seed~signature",
      claims: { realm: { user: "u4" } },
    });

  it.each([
    [{ type: "ConnectionID" as const }, "seed~signature"],
    [{ type: "ClientIP" as const }, "203.0.113.9"],
    [{ type: "Header" as const, name: "X-User" }, "u2"],
    [{ type: "QueryParam" as const, name: "user" }, "u1"],
    [{ type: "Cookie" as const, name: "user" }, "u3"],
    [{ type: "Claim" as const, name: "realm.user" }, "u4"],
    [{ type: "Claim" as const, name: "none" }, "seed~signature"],
    [{ type: "Header" as const, name: "X-None" }, "seed~signature"],
    [{ type: "QueryParam" as const, name: "none" }, "seed~signature"],
    [{ type: "Cookie" as const, name: "none" }, "seed~signature"],
  ])("of %j is %s", (key, expected) => {
    expect(keyed(key)).toBe(expected);
  });
});

describe("endpointKey", () => {
  it("keeps IPv6 addresses apart from their ports", () => {
    expect(endpointKey({ address: "2001:db8::1", port: 80 })).toBe("[2001:db8::1]:80");
    expect(endpointKey({ address: "10.0.0.1", port: 80 })).toBe("10.0.0.1:80");
  });
});
