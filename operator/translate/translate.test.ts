import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import {
  gatewayObject,
  makeCluster,
  putGateway,
  putRoute,
  routeObject,
  service,
  slice,
} from "../../test/support/make-cluster.ts";
import type { ClusterStore } from "../cluster.ts";
import { TranslationMemory } from "./memory.ts";
import { translate } from "./translate.ts";

const OPTIONS = { externalNames: "Refuse" } as const;

/** Everything that a test may do to a cluster, by a number. */
const CHANGES: readonly ((cluster: ClusterStore, n: number, generation: number) => void)[] = [
  (cluster, n, generation) =>
    putRoute(cluster, routeObject(`r${n}`, { protocols: [`v${generation}`] }, { generation })),
  (cluster, n, generation) =>
    putRoute(cluster, routeObject(`r${n}`, { hostnames: ["same.example.com"] }, { generation })),
  (cluster, n, generation) =>
    putRoute(cluster, routeObject(`r${n}`, { messages: { accept: ["Text"] } }, { generation })),
  (cluster, n, generation) => putRoute(cluster, routeObject(`r${n}`, { limitz: {} }, { generation })),
  (cluster, n, generation) =>
    putRoute(cluster, routeObject(`r${n}`, { backendRefs: [{ name: `s${n}`, port: 3000 }] }, { generation })),
  (cluster, n, generation) =>
    putRoute(
      cluster,
      routeObject(`r${n}`, { authentication: { apiKeys: { secretRef: { name: "keys" } } } }, { generation }),
    ),
  (cluster, n) => cluster.routes.delete(`apps/r${n}`),
  (cluster, n) => cluster.services.set(`apps/s${n}`, service(`s${n}`)),
  (cluster, n) => cluster.services.delete(`apps/s${n}`),
  (cluster, n, generation) =>
    cluster.endpointSlices.set(`apps/s${n}-1`, slice(`s${n}`, [`10.0.${n}.${generation % 250}`])),
  (cluster, n) => cluster.endpointSlices.delete(`apps/s${n}-1`),
  (cluster, n) =>
    cluster.secrets.set("apps/keys", { metadata: { name: "keys", namespace: "apps" }, stringData: { [`k${n}`]: "v" } }),
  (cluster) => cluster.secrets.delete("apps/keys"),
  (cluster, _n, generation) =>
    putGateway(cluster, gatewayObject({ defaults: { timeouts: { idle: "9m" } } }, { generation })),
  (cluster, _n, generation) =>
    putGateway(cluster, gatewayObject({ allowedRoutes: { namespaces: { from: "Same" } } }, { generation })),
  (cluster, _n, generation) =>
    putGateway(
      cluster,
      gatewayObject(
        { allowedRoutes: { namespaces: { from: "Selector", selector: { matchLabels: { open: "yes" } } } } },
        { generation },
      ),
    ),
  (cluster, n) =>
    cluster.namespaces.set("apps", { metadata: { name: "apps", labels: { open: n % 2 === 0 ? "yes" : "no" } } }),
  (cluster, n, generation) =>
    putRoute(cluster, routeObject(`r${n}`, { limits: { connections: { total: 1, scope: "Fleet" } } }, { generation })),
  (cluster, _n, generation) =>
    putGateway(cluster, gatewayObject({ redis: { url: "redis://redis:6379" } }, { generation })),
  (cluster) => cluster.gateways.delete("holdfast/public"),
  // Several places at once, some of them another's: who is refused one of them holds none.
  ...[["x", "y"], ["y", "z"], ["z"], ["w"]].map(
    (hosts) =>
      (cluster: ClusterStore, n: number, generation: number): void =>
        putRoute(
          cluster,
          routeObject(
            `r${n}`,
            { hostnames: hosts.map((host) => `${host}.example.com`) },
            { generation, creationTimestamp: `2026-01-01T00:00:0${generation % 3}Z`, uid: `uid-${generation}` },
          ),
        ),
  ),
  (cluster, n, generation) =>
    putRoute(
      cluster,
      routeObject(
        `r${n}`,
        { parentRefs: ["public", "inner"].map((name) => ({ name, namespace: "holdfast" })) },
        { generation },
      ),
    ),
  (cluster, _n, generation) =>
    putGateway(cluster, gatewayObject({}, { name: "inner", uid: "uid-of-inner", generation })),
  (cluster, n, generation) =>
    putRoute(
      cluster,
      routeObject(`r${n}`, { messages: { schema: { configMapRef: { name: "s", key: "k" } } } }, { generation }),
    ),
  (cluster, n) =>
    cluster.configMaps.set("apps/s", {
      metadata: { name: "s", namespace: "apps" },
      data: { k: n % 2 === 0 ? '{"type":"object"}' : '{"type":1}' },
    }),
  (cluster, n) => {
    const entry = cluster.routes.get(`apps/r${n}`);
    if (entry !== undefined) cluster.routes.set(`apps/r${n}`, { ...entry, status: { pods: `${n}/${n}` } });
  },
];

describe("translate", () => {
  it("comes to the same with what it remembers as without, whatever happens", () => {
    const step = fc.tuple(fc.nat(CHANGES.length - 1), fc.nat(3));
    fc.assert(
      fc.property(fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 20 }), (rounds) => {
        const cluster = makeCluster(routeObject("r0"), routeObject("r1"));
        const memory = new TranslationMemory();
        let generation = 1;
        for (const round of rounds) {
          for (const [change, n] of round) CHANGES[change]?.(cluster, n, ++generation);
          expect(translate(cluster, OPTIONS, memory)).toEqual(translate(cluster, OPTIONS));
        }
      }),
      { numRuns: 300 },
    );
  });

  it("comes to the same after a translation that failed half-way", () => {
    const cluster = makeCluster(routeObject("a"), routeObject("b"));
    const memory = new TranslationMemory();
    translate(cluster, OPTIONS, memory);
    putRoute(cluster, routeObject("a", { protocols: ["v2"] }, { generation: 2 }));
    putRoute(cluster, routeObject("b", {}, { generation: 2 }));
    const entry = cluster.routes.get("apps/b");
    if (entry === undefined || !entry.parsed.ok) throw new Error("b is not there");
    const { spec } = entry.parsed.value;
    const { backendRefs } = spec;
    let failures = 1;
    Object.defineProperty(spec, "backendRefs", {
      get: () => {
        if (failures-- > 0) throw new Error("half-way");
        return backendRefs;
      },
    });
    expect(() => translate(cluster, OPTIONS, memory)).toThrow("half-way");
    expect(translate(cluster, OPTIONS, memory)).toEqual(translate(cluster, OPTIONS));
  });

  it("keeps a route that waits for another's place where it is until that place is free", () => {
    const at = (created: number, ...hosts: string[]) =>
      ({
        spec: { hostnames: hosts.map((host) => `${host}.example.com`) },
        metadata: { creationTimestamp: `2026-01-01T00:00:0${created}Z` },
      }) as const;
    const cluster = makeCluster();
    const memory = new TranslationMemory();
    const put = (name: string, { spec, metadata }: ReturnType<typeof at>, generation: number) =>
      putRoute(cluster, routeObject(name, spec, { ...metadata, generation }));
    const accepted = () =>
      translate(cluster, OPTIONS, memory).routes.map(({ key, parents }) => `${key} ${parents[0]?.accepted.status}`);
    put("old", at(1, "x"), 1);
    put("new", at(2, "x", "y"), 1);
    put("newest", at(3, "y"), 1);
    expect(accepted()).toEqual(["apps/new False", "apps/newest True", "apps/old True"]);
    put("old", at(1, "z"), 2);
    expect(accepted()).toEqual(["apps/new True", "apps/newest False", "apps/old True"]);
    cluster.routes.delete("apps/new");
    expect(accepted()).toEqual(["apps/newest True", "apps/old True"]);
  });

  it("keeps the identity of what has not changed, so that nothing is made of it again", () => {
    const cluster = makeCluster(routeObject("a"), routeObject("b"));
    const memory = new TranslationMemory();
    const [before] = translate(cluster, OPTIONS, memory).plans;
    const [same] = translate(cluster, OPTIONS, memory).plans;
    expect(same?.routes).toBe(before?.routes);
    expect(same?.endpoints).toBe(before?.endpoints);
    putRoute(cluster, routeObject("b", { protocols: ["v2"] }, { generation: 2 }));
    const [after] = translate(cluster, OPTIONS, memory).plans;
    expect(after?.routes[0]).toBe(before?.routes[0]);
    expect(after?.routes[1]).not.toBe(before?.routes[1]);
    expect(after?.endpoints).toBe(before?.endpoints);
  });

  it("says so as soon as a gateway has the Redis that its routes count through", () => {
    const cluster = makeCluster();
    putRoute(cluster, routeObject("r1", { limits: { connections: { total: 1, scope: "Fleet" } } }));
    const memory = new TranslationMemory();
    const said = () => translate(cluster, OPTIONS, memory).routes.map(({ parents }) => parents[0]?.accepted);
    putGateway(cluster, gatewayObject({}, { generation: 1 }));
    expect(said()).toEqual([
      expect.objectContaining({
        status: "True",
        message: expect.stringContaining("scope Fleet of limits.connections"),
      }),
    ]);
    putGateway(cluster, gatewayObject({ redis: { url: "redis://redis:6379" } }, { generation: 2 }));
    expect(said()).toEqual([
      expect.objectContaining({ status: "True", message: expect.not.stringContaining("Fleet") }),
    ]);
  });

  it("takes an object that comes anew without a change for the one that it was", () => {
    const cluster = makeCluster(routeObject("a"));
    const memory = new TranslationMemory();
    const [before] = translate(cluster, OPTIONS, memory).plans;
    putRoute(cluster, { ...routeObject("a"), ...{ status: { pods: "1/1" } } });
    cluster.services.set("apps/chat", service("chat"));
    cluster.endpointSlices.set("apps/chat-1", slice("chat", ["10.0.0.1"]));
    const [after] = translate(cluster, OPTIONS, memory).plans;
    expect(after?.routes).toBe(before?.routes);
    expect(after?.endpoints).toBe(before?.endpoints);
  });
});
