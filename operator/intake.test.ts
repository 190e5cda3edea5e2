import { beforeEach, describe, expect, it } from "@jest/globals";
import type { KubeObject } from "../kube/objects.ts";
import { RESOURCES, type Resource } from "../kube/resources.ts";
import { type ClusterStore, createClusterStore } from "./cluster.ts";
import { CLUSTER_INTAKES, type Intake, type IntakeContext, isNewer, NAMED_INTAKES } from "./intake.ts";

let store: ClusterStore;
let context: IntakeContext;
beforeEach(() => {
  store = createClusterStore();
  context = { store, services: new Set(["apps/chat"]), now: Date.parse("2026-11-22T10:00:00Z") };
});

const intakeOf = (resource: Resource): Intake => CLUSTER_INTAKES.find((each) => each.resource === resource)!;
const put = (resource: Resource, object: KubeObject, at = context.now) => {
  const intake = intakeOf(resource);
  return intake.put({ ...context, now: at }, intake.trim(object));
};
const meta = (name: string, version: number, more: object = {}) => ({
  name,
  namespace: "apps",
  uid: `uid-${name}`,
  resourceVersion: String(version),
  ...more,
});

describe("routes", () => {
  const route = (version: number, { generation = 1, status = {}, metadata = {} } = {}) => ({
    apiVersion: "holdfast.dev/v1alpha1",
    kind: "WebSocketRoute",
    metadata: meta("chat", version, { generation, ...metadata }),
    spec: { backendRefs: [{ name: "chat", port: 3000 }] },
    status,
  });
  const said = (reason: string) => ({ status: { conditions: [{ type: "Accepted", reason }] } });

  it("matter when they are new, changed, annotated or told something by somebody else", () => {
    expect(put(RESOURCES.webSocketRoutes, route(1))).toBe("now");
    expect(put(RESOURCES.webSocketRoutes, route(2, { generation: 2 }))).toBe("now");
    expect(put(RESOURCES.webSocketRoutes, route(3, { generation: 2, metadata: { annotations: { a: "1" } } }))).toBe(
      "now",
    );
    expect(put(RESOURCES.webSocketRoutes, route(4, { generation: 2, ...said("Invented") }))).toBe("now");
  });

  it("do not matter when our own write comes back, or what was before it", () => {
    put(RESOURCES.webSocketRoutes, route(1));
    put(RESOURCES.webSocketRoutes, route(9, said("Accepted"))); // as `took` does after the write
    expect(put(RESOURCES.webSocketRoutes, route(5))).toBe("no");
    expect(put(RESOURCES.webSocketRoutes, route(9, said("Accepted")))).toBe("no");
    expect(store.routes.get("apps/chat")?.metadata.resourceVersion).toBe("9");
  });

  it("do not matter when a status of ours is under way and the watch is faster than the answer", () => {
    put(RESOURCES.webSocketRoutes, route(1));
    context = { ...context, writesStatus: ({ metadata }) => metadata.name === "chat" };
    expect(put(RESOURCES.webSocketRoutes, route(2, said("Accepted")))).toBe("no");
    expect(put(RESOURCES.webSocketRoutes, route(3, { ...said("Accepted"), generation: 2 }))).toBe("now");
    context = { ...context, writesStatus: () => false };
    expect(put(RESOURCES.webSocketRoutes, route(4, { ...said("Invented"), generation: 2 }))).toBe("now");
  });

  it("are replaced by another of the same name, however low its version looks", () => {
    put(RESOURCES.webSocketRoutes, route(9));
    const reborn = route(3, { metadata: { uid: "another" } });
    expect(put(RESOURCES.webSocketRoutes, reborn)).toBe("now");
    expect(store.routes.get("apps/chat")?.metadata.uid).toBe("another");
  });
});

describe("services and their endpoints", () => {
  const slice = (service: string, version: number) => ({
    metadata: meta(`${service}-abc`, version, { labels: { "kubernetes.io/service-name": service } }),
    addressType: "IPv4",
    endpoints: [
      { addresses: ["10.0.0.1"], conditions: { ready: true }, nodeName: "node-1", targetRef: { name: "pod" } },
    ],
    ports: [{ port: 3000 }],
  });

  it("matter only where a route refers to them, and are kept either way", () => {
    expect(put(RESOURCES.services, { metadata: meta("chat", 1) })).toBe("now");
    expect(put(RESOURCES.services, { metadata: meta("other", 1) })).toBe("no");
    expect(put(RESOURCES.endpointSlices, slice("chat", 1))).toBe("now");
    expect(put(RESOURCES.endpointSlices, slice("other", 1))).toBe("no");
    expect([...store.services.keys()]).toEqual(["apps/chat", "apps/other"]);
    expect([...store.endpointSlices.keys()]).toEqual(["apps/chat-abc", "apps/other-abc"]);
  });

  it("are kept without what nobody reads", () => {
    put(RESOURCES.endpointSlices, slice("chat", 1));
    expect(store.endpointSlices.get("apps/chat-abc")?.endpoints).toEqual([
      { addresses: ["10.0.0.1"], conditions: { ready: true } },
    ]);
  });
});

describe("leases", () => {
  const renewedAt = (second: number) => `2026-11-22T10:00:${String(second).padStart(2, "0")}.000000Z`;
  const lease = (second: number, annotations: Record<string, string> = {}) => ({
    metadata: meta("holdfast-public-a", second + 1, {
      labels: { "holdfast.dev/gateway": "public", "holdfast.dev/role": "pod" },
      annotations: { "holdfast.dev/sequence": "3", "holdfast.dev/ready": "true", ...annotations },
    }),
    spec: { holderIdentity: "a", leaseDurationSeconds: 6, renewTime: renewedAt(second) },
  });
  const at = (second: number) => context.now + second * 1000;

  it("do not matter while they are just renewed", () => {
    expect(put(RESOURCES.leases, lease(0), at(0))).toBe("now");
    expect(put(RESOURCES.leases, lease(2), at(2))).toBe("no");
    expect(store.leases.get("apps/holdfast-public-a")?.observedAt).toBe(at(2));
  });

  it("matter at once when the pod says something, or comes back after it had expired", () => {
    put(RESOURCES.leases, lease(0), at(0));
    expect(put(RESOURCES.leases, lease(2, { "holdfast.dev/sequence": "4" }), at(2))).toBe("now");
    expect(put(RESOURCES.leases, lease(9, { "holdfast.dev/sequence": "4" }), at(9))).toBe("now");
  });

  it("may wait when only the number of connections is another", () => {
    put(RESOURCES.leases, lease(0, { "holdfast.dev/connections": "5" }), at(0));
    expect(put(RESOURCES.leases, lease(2, { "holdfast.dev/connections": "6" }), at(2))).toBe("later");
  });
});

describe("other kinds", () => {
  it("namespaces matter for their labels", () => {
    const namespace = (version: number, labels: object) => ({
      metadata: { name: "apps", resourceVersion: String(version), labels: labels as Record<string, string> },
    });
    expect(put(RESOURCES.namespaces, namespace(1, { a: "1" }))).toBe("now");
    expect(put(RESOURCES.namespaces, namespace(2, { a: "1" }))).toBe("no");
    expect(put(RESOURCES.namespaces, namespace(3, { a: "2" }))).toBe("now");
  });

  it("an index that somebody deletes is still what the sequence goes on from", () => {
    const index = { metadata: meta("holdfast-public", 7), data: { "index.json": '{"sequence":7}' } };
    put(RESOURCES.configMaps, index);
    expect(intakeOf(RESOURCES.configMaps).remove(context, index)).toBe("now");
    expect(store.indexes.get("apps/holdfast-public")).toMatchObject({ data: index.data });
    expect(store.indexes.get("apps/holdfast-public")?.metadata.resourceVersion).toBeUndefined();
    expect(put(RESOURCES.configMaps, { ...index, metadata: meta("holdfast-public", 8) })).toBe("now");
  });

  it("secrets matter when they come, change and go", () => {
    const secret = (version: number) => ({ metadata: meta("keys", version), data: { a: "YQ==" } });
    expect(NAMED_INTAKES.secrets.put(context, secret(1))).toBe("now");
    expect(NAMED_INTAKES.secrets.put(context, secret(1))).toBe("no");
    expect(NAMED_INTAKES.secrets.remove(context, secret(1))).toBe("now");
    expect(store.secrets.size).toBe(0);
  });
});

describe("what is newer", () => {
  it("is a higher number of the same object, beyond what a double can hold", () => {
    const at = (resourceVersion: string) => ({ metadata: { name: "a", uid: "u", resourceVersion } });
    expect(isNewer(at("9007199254740993"), at("9007199254740992"))).toBe(true);
    expect(isNewer(at("9"), at("10"))).toBe(false);
    expect(isNewer(at("10"), at("10"))).toBe(false);
    expect(isNewer(at("b"), at("a"))).toBe(true);
  });
});
