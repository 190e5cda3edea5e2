import { describe, expect, it } from "@jest/globals";
import type { Condition } from "../crds/status.ts";
import {
  GATEWAY,
  gatewayObject,
  lease,
  makeCluster,
  type PodSays,
  putGateway,
  putRoute,
  routeObject,
  service,
  slice,
} from "../test/support/make-cluster.ts";
import type { ClusterStore } from "./cluster.ts";
import { emptyMemory, type PassInput, type PassResult, pass } from "./pass.ts";

const START = Date.parse("2026-01-01T00:00:00Z");

/** The operator around a cluster: passes, and what they write is in the cluster for the next one. */
class Rig {
  readonly cluster: ClusterStore;
  now = START;
  memory = emptyMemory();

  constructor(cluster: ClusterStore) {
    this.cluster = cluster;
  }

  pass(input: Partial<PassInput> = {}): PassResult {
    const { cluster, memory, now } = this;
    const random = (bytes: number) => Buffer.alloc(bytes, 1);
    const result = pass({ cluster, memory, now, random, options: { externalNames: "Refuse" }, ...input });
    this.memory = result.memory;
    for (const { plan, rendered } of result.gateways) {
      if (!rendered.ok || input.blocked?.has(plan.key)) continue;
      cluster.indexes.set("holdfast/holdfast-public", rendered.objects.index);
      cluster.secrets.set("holdfast/holdfast-public", rendered.objects.secret);
    }
    for (const { key, entry, status } of result.routeStatuses) cluster.routes.set(key, { ...entry, status });
    for (const { key, entry, status } of result.gatewayStatuses) cluster.gateways.set(key, { ...entry, status });
    return result;
  }

  restart(): void {
    this.memory = emptyMemory();
  }

  says(pod: string, says: PodSays): void {
    this.cluster.leases.set(`holdfast/holdfast-public-${pod}`, lease(pod, says, this.now));
  }

  get sequence(): number {
    const text = this.cluster.indexes.get("holdfast/holdfast-public")?.data?.["index.json"] ?? "{}";
    return JSON.parse(text).sequence;
  }

  condition(route: string, type: string): Condition | undefined {
    const { status } = this.cluster.routes.get(`apps/${route}`) ?? {};
    return (status as { conditions: Condition[] }).conditions.find((condition) => condition.type === type);
  }

  /** `status reason: message` */
  said(route: string, type: string): string {
    const { status, reason, message } = this.condition(route, type) ?? {};
    return `${status} ${reason}: ${message}`;
  }
}

describe("Programmed", () => {
  it("is true once every ready pod has said that it serves the generation, and not before", () => {
    const rig = new Rig(makeCluster(routeObject("chat")));
    rig.says("a", { sequence: 0 });
    rig.says("b", { sequence: 0 });
    rig.pass();
    expect(rig.said("chat", "Programmed")).toBe(
      "False Pending: 0/2 gateway pods serve generation 1; waiting for a (sequence 0, needs 1), b (sequence 0, needs 1)",
    );
    rig.says("a", { sequence: 1 });
    rig.pass();
    expect(rig.said("chat", "Programmed")).toBe(
      "False Pending: 1/2 gateway pods serve generation 1; waiting for b (sequence 0, needs 1)",
    );
    rig.says("b", { sequence: 1 });
    rig.pass();
    expect(rig.said("chat", "Ready")).toBe("True Ready: 2/2 gateway pods serve generation 1");
  });

  it("goes back for the route that has changed and for no other", () => {
    const rig = new Rig(makeCluster(routeObject("chat"), routeObject("news")));
    rig.says("a", { sequence: 1 });
    rig.pass();
    putRoute(rig.cluster, routeObject("chat", { protocols: ["v2"] }, { generation: 2 }));
    const { routeStatuses } = rig.pass();
    expect(routeStatuses.map(({ key }) => key)).toEqual(["apps/chat"]);
    expect(rig.said("chat", "Programmed")).toMatch(/^False Pending: .*needs 2/);
    expect(rig.said("news", "Programmed")).toMatch(/^True/);
    rig.says("a", { sequence: 2 });
    rig.pass();
    expect(rig.said("chat", "Programmed")).toBe("True Programmed: 1/1 gateway pods serve generation 2");
  });

  it("goes back when what it refers to appears, since a pod that has not heard of it still answers 500", () => {
    const rig = new Rig(makeCluster(routeObject("chat")));
    rig.cluster.services.delete("apps/chat");
    rig.says("a", { sequence: 1 });
    rig.pass();
    expect(rig.said("chat", "ResolvedRefs")).toBe("False BackendNotFound: Service apps/chat does not exist");
    rig.cluster.services.set("apps/chat", service("chat"));
    rig.pass();
    expect(rig.said("chat", "Programmed")).toMatch(/^False Pending/);
    rig.says("a", { sequence: 2 });
    rig.pass();
    expect(rig.said("chat", "Ready")).toMatch(/^True/);
  });

  it("stays when only endpoints come and go", () => {
    const rig = new Rig(makeCluster(routeObject("chat")));
    rig.says("a", { sequence: 1 });
    rig.pass();
    rig.cluster.endpointSlices.set("apps/chat-1", slice("chat", ["10.0.0.2"]));
    expect(rig.pass().routeStatuses).toEqual([]);
    expect(rig.sequence).toBe(2);
  });

  it("needs the newest sequence after a restart, when nobody remembers what came with which", () => {
    const rig = new Rig(makeCluster(routeObject("chat"), routeObject("news")));
    rig.pass();
    putRoute(rig.cluster, routeObject("chat", { protocols: ["v2"] }, { generation: 2 }));
    rig.pass();
    rig.restart();
    rig.says("a", { sequence: 1 });
    rig.pass();
    expect(rig.said("news", "Programmed")).toMatch(/needs 2/);
    expect(rig.sequence).toBe(2);
    rig.says("a", { sequence: 2 });
    rig.pass();
    expect(rig.said("news", "Programmed")).toMatch(/^True/);
  });

  it("tells of pods that stop reporting when their Lease ends, without any event", () => {
    const rig = new Rig(makeCluster(routeObject("chat")));
    rig.says("a", { sequence: 1 });
    rig.says("b", { sequence: 1 });
    const { wakeAt } = rig.pass();
    expect(wakeAt).toBe(START + 6000);
    rig.now = START + 5000;
    rig.says("a", { sequence: 1 });
    rig.now = wakeAt ?? 0;
    rig.pass();
    expect(rig.said("chat", "Ready")).toBe("False PodsUnavailable: b has stopped reporting");
    expect(rig.said("chat", "Programmed")).toBe("True Programmed: 1/1 ready gateway pods serve generation 1");
    expect(rig.cluster.routes.get("apps/chat")?.status).toMatchObject({ pods: "1/2" });
  });

  it("says why nothing newer comes when the configuration does not fit, and leaves what is served", () => {
    const rig = new Rig(makeCluster(routeObject("old")));
    rig.says("a", { sequence: 1 });
    rig.pass();
    const keys = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`k${index}`, "x".repeat(40_000)]));
    rig.cluster.secrets.set("apps/keys", { metadata: { name: "keys", namespace: "apps" }, stringData: keys });
    putRoute(rig.cluster, routeObject("new", { authentication: { apiKeys: { secretRef: { name: "keys" } } } }));
    rig.pass();
    expect(rig.sequence).toBe(1);
    expect(rig.said("new", "Programmed")).toMatch(/^False ConfigTooLarge: the referenced certificates and keys have/);
    expect(rig.said("old", "Programmed")).toMatch(/^True/);
    expect(rig.cluster.gateways.get(GATEWAY)?.status).toMatchObject({
      conditions: expect.arrayContaining([expect.objectContaining({ type: "Programmed", reason: "ConfigTooLarge" })]),
    });
  });

  it("leaves a route that is too large out of the snapshot and serves the others", () => {
    const value = "x".repeat(4000);
    const headers = Array.from({ length: 16 }, (_, index) => ({ name: `X-${index}`, value }));
    const matches = Array.from({ length: 10 }, (_, index) => ({ path: { value: `/${index}` }, headers }));
    const rig = new Rig(makeCluster(routeObject("huge", { matches }), routeObject("small")));
    rig.says("a", { sequence: 1 });
    const { gateways } = rig.pass();
    expect(gateways[0]?.plan.routes.map(({ name }) => name)).toEqual(["small"]);
    expect(rig.said("huge", "Accepted")).toMatch(/^True/);
    expect(rig.said("huge", "Programmed")).toMatch(/^False ConfigTooLarge: the route takes 6\d{5} characters/);
  });

  it("tells of objects that belong to somebody else, for the routes too", () => {
    const rig = new Rig(makeCluster(routeObject("chat")));
    rig.says("a", { sequence: 0 });
    const message = "ConfigMap holdfast/holdfast-public is not ours";
    rig.pass({ blocked: new Map([[GATEWAY, { reason: "ObjectNotOwned", message }]]) });
    expect(rig.said("chat", "Programmed")).toBe("False ObjectNotOwned: ConfigMap holdfast/holdfast-public is not ours");
  });
});

describe("a Secret that the operator may not read", () => {
  const authentication = { apiKeys: { secretRef: { name: "keys" }, sources: [{ header: "X-Api-Key" }] } };

  it("is told from one that does not exist, both ways", () => {
    const rig = new Rig(makeCluster(routeObject("chat", { authentication })));
    rig.pass();
    expect(rig.said("chat", "ResolvedRefs")).toBe("False SecretNotFound: Secret apps/keys does not exist");
    rig.cluster.forbidden.add("secrets apps/keys");
    rig.pass();
    expect(rig.said("chat", "ResolvedRefs")).toMatch(
      /^False SecretForbidden: Secret apps\/keys may not be read: .* in namespace apps \(rbac.secretNamespaces/,
    );
    rig.cluster.forbidden.clear();
    rig.pass();
    expect(rig.said("chat", "ResolvedRefs")).toBe("False SecretNotFound: Secret apps/keys does not exist");
  });
});

describe("statuses", () => {
  it("are written once: a second pass over the same cluster has nothing to say", () => {
    const rig = new Rig(makeCluster(routeObject("chat"), routeObject("news"), routeObject("broken", { limitz: 1 })));
    rig.says("a", { sequence: 1, connections: 3 });
    expect(rig.pass().routeStatuses).toHaveLength(3);
    rig.now += 1000;
    const again = rig.pass();
    expect([...again.routeStatuses, ...again.gatewayStatuses]).toEqual([]);
    rig.restart();
    const afterRestart = rig.pass();
    expect([...afterRestart.routeStatuses, ...afterRestart.gatewayStatuses]).toEqual([]);
  });

  it("keep the time of a condition until it flips", () => {
    const rig = new Rig(makeCluster(routeObject("chat")));
    rig.says("a", { sequence: 1 });
    rig.pass();
    rig.now += 60_000;
    rig.says("a", { sequence: 1 });
    putRoute(rig.cluster, { ...routeObject("chat", { protocols: ["v2"] }, { generation: 2 }), ...statusOf(rig) });
    rig.pass();
    expect(rig.condition("chat", "Accepted")).toMatchObject({
      observedGeneration: 2,
      lastTransitionTime: "2026-01-01T00:00:00Z",
    });
    expect(rig.condition("chat", "Programmed")?.lastTransitionTime).toBe("2026-01-01T00:01:00Z");
  });

  it("are mended when somebody else changes them", () => {
    const rig = new Rig(makeCluster(routeObject("chat")));
    rig.says("a", { sequence: 1 });
    rig.pass();
    const entry = rig.cluster.routes.get("apps/chat");
    if (entry === undefined) throw new Error("the route is gone");
    rig.cluster.routes.set("apps/chat", { ...entry, status: { conditions: "nonsense", parents: [null] } });
    expect(rig.pass().routeStatuses).toHaveLength(1);
    expect(rig.said("chat", "Ready")).toMatch(/^True/);
  });

  it("count connections at once when something else is said, and else every 30 s", () => {
    const rig = new Rig(makeCluster(routeObject("chat")));
    const connections = () => Object(rig.cluster.gateways.get(GATEWAY)?.status).connections;
    rig.says("a", { sequence: 1, connections: 1 });
    rig.pass();
    expect(connections()).toBe(1);
    rig.now += 3000;
    rig.says("a", { sequence: 1, connections: 2 });
    const { gatewayStatuses, wakeAt } = rig.pass();
    expect(gatewayStatuses).toEqual([]);
    expect(wakeAt).toBe(rig.now + 6000);
    rig.now = START + 30_000;
    rig.says("a", { sequence: 1, connections: 2 });
    rig.pass();
    expect(connections()).toBe(2);
    rig.says("a", { sequence: 1, connections: 9 });
    putRoute(rig.cluster, routeObject("another"));
    rig.pass();
    expect(connections()).toBe(9);
  });

  it("of a gateway that is no longer accepted leave what it serves as it is", () => {
    const rig = new Rig(makeCluster(routeObject("chat")));
    rig.says("a", { sequence: 1 });
    rig.pass();
    putGateway(rig.cluster, gatewayObject({ redis: { url: "redis://r:1", type: "Cluster" } }, { generation: 2 }));
    const { gateways, gatewayStatuses } = rig.pass();
    expect(gateways).toEqual([]);
    expect(gatewayStatuses[0]?.status.conditions).toEqual(
      expect.arrayContaining([expect.objectContaining({ type: "Accepted", reason: "UnsupportedValue" })]),
    );
    expect(rig.said("chat", "Accepted")).toMatch(/^False NoMatchingParent/);
  });
});

describe("events", () => {
  const told = ({ routeStatuses }: PassResult) =>
    routeStatuses.flatMap(({ flips }) => flips.map(({ type, reason }) => `${type} ${reason}`));

  it("tell of what flips, and not of every change that is on its way for a moment", () => {
    const rig = new Rig(makeCluster(routeObject("chat")));
    rig.says("a", { sequence: 0 });
    expect(told(rig.pass())).toEqual([]);
    rig.says("a", { sequence: 1 });
    expect(told(rig.pass())).toEqual(["Normal Ready"]);
    putRoute(rig.cluster, { ...routeObject("chat", { protocols: ["v2"] }, { generation: 2 }), ...statusOf(rig) });
    expect(told(rig.pass())).toEqual([]);
    rig.says("a", { sequence: 2 });
    expect(told(rig.pass())).toEqual([]);
    rig.cluster.services.delete("apps/chat");
    expect(told(rig.pass())).toEqual(["Warning BackendNotFound"]);
    rig.says("a", { sequence: 3 });
    rig.cluster.services.set("apps/chat", service("chat"));
    expect(told(rig.pass())).toEqual(["Normal ResolvedRefs"]);
    rig.says("a", { sequence: 3, refused: "no such field" });
    expect(told(rig.pass())).toEqual(["Warning SnapshotRefused"]);
  });

  it("tell of a pod that is missing and of its return", () => {
    const rig = new Rig(makeCluster(routeObject("chat")));
    rig.says("a", { sequence: 1 });
    rig.says("b", { sequence: 1 });
    rig.pass();
    rig.says("b", { sequence: 1, ready: false });
    expect(told(rig.pass())).toEqual(["Warning PodsUnavailable"]);
    rig.says("b", { sequence: 1 });
    expect(told(rig.pass())).toEqual(["Normal Ready"]);
  });
});

describe("a gateway's pod that drains", () => {
  const drained = ({ gatewayStatuses: [change] }: PassResult) => {
    const { status, message } = change?.status.conditions?.find(({ type }) => type === "Draining") ?? {};
    return (
      change && { said: `${status}: ${message}`, told: change.flips.map(({ type, reason }) => `${type} ${reason}`) }
    );
  };

  it("is told with what is left, every two seconds at most, and when it is over", () => {
    const rig = new Rig(makeCluster(routeObject("chat")));
    rig.says("a", { sequence: 1 });
    rig.says("b", { sequence: 1, connections: 9 });
    expect(drained(rig.pass())?.said).toBe("undefined: undefined");

    rig.says("b", { sequence: 1, connections: 9, draining: true });
    const begun = rig.pass();
    expect(drained(begun)).toEqual({
      said: "True: clients are sent to other pods by b (9 connections left)",
      told: ["Normal Draining"],
    });
    expect(begun.gatewayStatuses[0]?.status).toMatchObject({ pods: "1/1", connections: 9 });
    expect(rig.said("chat", "Ready")).toBe("True Ready: 1/1 gateway pods serve generation 1");

    rig.says("b", { sequence: 1, connections: 4, draining: true });
    const soon = rig.pass();
    expect([drained(soon), begun.recountAt, soon.recountAt]).toEqual([undefined, START + 2_000, START + 2_000]);
    rig.now = START + 2_000;
    expect(drained(rig.pass())).toEqual({
      said: "True: clients are sent to other pods by b (4 connections left)",
      told: [],
    });

    rig.cluster.leases.delete("holdfast/holdfast-public-b");
    expect(drained(rig.pass())).toEqual({
      said: "False: no gateway pod sends clients away",
      told: ["Normal Drained"],
    });
  });
});

/** A change of the spec comes with the status that the object has. */
function statusOf({ cluster }: Rig): object {
  return { status: cluster.routes.get("apps/chat")?.status };
}
