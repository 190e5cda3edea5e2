import { randomBytes } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "@jest/globals";
import { partHash, ROUTES_PART, SNAPSHOT_OBJECTS, SnapshotIndex } from "../../gateway/snapshot.ts";
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
import type { ConfigMap, Secret } from "../objects.ts";
import type { GatewayPlan } from "../translate/plan.ts";
import { translate } from "../translate/translate.ts";
import { PartMemory } from "./parts.ts";
import { type RenderInput, readIndex, renderSnapshot } from "./snapshot-objects.ts";

function planOf(cluster: ClusterStore): GatewayPlan {
  const [plan] = translate(cluster, { externalNames: "Refuse" }).plans;
  if (plan === undefined) throw new Error("the gateway is not accepted");
  return plan;
}

function rendered(cluster: ClusterStore, input: Partial<RenderInput> = {}) {
  const random = (bytes: number) => Buffer.alloc(bytes, 1);
  const result = renderSnapshot({ plan: planOf(cluster), previous: undefined, secret: undefined, random, ...input });
  if (!result.ok) throw new Error(result.message);
  return result;
}

function textOf(part: ConfigMap): string {
  const zipped = part.binaryData?.[SNAPSHOT_OBJECTS.partGzipKey];
  if (zipped !== undefined) return gunzipSync(Buffer.from(zipped, "base64")).toString("utf8");
  return part.data?.[SNAPSHOT_OBJECTS.partKey] ?? "";
}

function routeParts(objects: { readonly parts: readonly ConfigMap[] }): ConfigMap[] {
  return objects.parts.filter(({ metadata }) => /^holdfast-public-r/.test(metadata.name));
}

const manyRoutes = (count: number) => Array.from({ length: count }, (_, index) => routeObject(`r${index}`));

describe("renderSnapshot", () => {
  it("gives the same bytes for the same input", () => {
    const cluster = makeCluster(...manyRoutes(50));
    expect(JSON.stringify(rendered(cluster))).toBe(JSON.stringify(rendered(makeCluster(...manyRoutes(50)))));
  });

  it("names each part by its content, labels it, and lets it go with the gateway", () => {
    const { index, objects } = rendered(makeCluster(routeObject("chat")));
    for (const part of objects.parts) {
      const reference = index.parts.find(({ object }) => object === part.metadata.name);
      expect(reference?.hash).toBe(partHash(textOf(part)));
      expect(part.metadata.name).toMatch(/^holdfast-public-[re][0-9a-f]{2}-[0-9a-f]{10}$/);
      expect(part.metadata.name.slice(-10)).toBe(reference?.hash.slice(0, 10));
      expect(part).toMatchObject({
        kind: "ConfigMap",
        immutable: true,
        metadata: {
          namespace: "holdfast",
          labels: { "holdfast.dev/gateway": "public", "holdfast.dev/role": "part" },
          ownerReferences: [{ kind: "WebSocketGateway", name: "public", uid: "uid-of-public" }],
        },
      });
    }
    expect(objects.index.metadata).toMatchObject({ name: "holdfast-public", labels: { "holdfast.dev/role": "index" } });
    expect(objects.secret.metadata).toMatchObject({
      name: "holdfast-public",
      labels: { "holdfast.dev/role": "secret" },
    });
  });

  it("keeps to the schema that gateways read by", () => {
    const { objects } = rendered(makeCluster(routeObject("chat")));
    const index = JSON.parse(objects.index.data?.[SNAPSHOT_OBJECTS.indexKey] ?? "");
    expect(SnapshotIndex.safeParse(index).error).toBeUndefined();
    const routes = routeParts(objects).flatMap((part) => ROUTES_PART.parse(JSON.parse(textOf(part))).routes);
    expect(routes.map(({ name }) => name)).toEqual(["chat"]);
  });

  it("rewrites one part for a change of one route, and none of the others", () => {
    const cluster = makeCluster(...manyRoutes(300));
    const before = new Set(rendered(cluster).objects.parts.map(({ metadata }) => metadata.name));
    putRoute(cluster, routeObject("r17", { protocols: ["chat.v2"] }, { generation: 2 }));
    const after = rendered(cluster).objects.parts.filter(({ metadata }) => !before.has(metadata.name));
    expect(after).toHaveLength(1);
    expect(textOf(after[0] as ConfigMap)).toContain("chat.v2");
  });

  it("rewrites one part when a route comes and one when it goes, whatever its age", () => {
    const cluster = makeCluster(...manyRoutes(300));
    const names = () => rendered(cluster).objects.parts.map(({ metadata }) => metadata.name);
    const before = names();
    putRoute(cluster, routeObject("newcomer", {}, { creationTimestamp: "2001-01-01T00:00:00Z" }));
    const with1 = names();
    expect(with1.filter((name) => !before.includes(name))).toHaveLength(1);
    cluster.routes.delete("apps/newcomer");
    expect(names()).toEqual(before);
  });

  it("rewrites one endpoints part and no routes part when endpoints change", () => {
    const cluster = makeCluster(...manyRoutes(20));
    const before = new Set(rendered(cluster).objects.parts.map(({ metadata }) => metadata.name));
    cluster.endpointSlices.set("apps/chat-1", slice("chat", ["10.0.0.1", "10.0.0.2"]));
    const after = rendered(cluster).objects.parts.filter(({ metadata }) => !before.has(metadata.name));
    expect(after.map(({ metadata }) => metadata.name)).toEqual([expect.stringMatching(/^holdfast-public-e/)]);
  });

  it("renders the same with and without what it remembers", () => {
    const memory = new PartMemory();
    const cluster = makeCluster(...manyRoutes(100));
    rendered(cluster, { memory });
    putRoute(cluster, routeObject("r3", { protocols: ["v2"] }, { generation: 2 }));
    cluster.routes.delete("apps/r4");
    expect(JSON.stringify(rendered(cluster, { memory }))).toBe(JSON.stringify(rendered(cluster)));
  });

  it("cuts finer where parts would get long, and loses nothing by it", () => {
    const spec = {
      origins: Array.from({ length: 60 }, (_, index) => `https://origin-${index}.${"x".repeat(60)}.example`),
    };
    const routes = Array.from({ length: 800 }, (_, index) => routeObject(`r${index}`, spec));
    const { objects } = rendered(makeCluster(...routes));
    const parts = routeParts(objects);
    expect(parts.length).toBeGreaterThan(16);
    expect(Math.max(...parts.map((part) => textOf(part).length))).toBeLessThan(512 * 1024);
    expect(parts.flatMap((part) => ROUTES_PART.parse(JSON.parse(textOf(part))).routes)).toHaveLength(800);
  });

  it("zips what cannot be cut, to the same bytes each time", () => {
    const cluster = makeCluster(routeObject("chat"));
    const addresses = Array.from({ length: 9000 }, (_, index) => `10.1.${index >> 8}.${index & 255}`);
    cluster.endpointSlices.set("apps/chat-1", slice("chat", addresses));
    const [part] = rendered(cluster).objects.parts;
    expect(part?.data).toBeUndefined();
    const zipped = Buffer.from(part?.binaryData?.[SNAPSHOT_OBJECTS.partGzipKey] ?? "", "base64");
    // RFC 1952 §2.3.1: no time, and no system that would differ between two operators.
    expect([zipped.readUInt32LE(4), zipped[9]]).toEqual([0, 255]);
    expect(JSON.parse(textOf(part as ConfigMap)).backends[0].endpoints).toHaveLength(9000);
  });

  it("refuses what does not fit into an object, with the size", () => {
    const cluster = makeCluster(routeObject("chat", { authentication: { apiKeys: { secretRef: { name: "keys" } } } }));
    const data = Object.fromEntries(
      Array.from({ length: 30 }, (_, index) => [`key-${index}`, randomBytes(40_000).toString("base64")]),
    );
    cluster.secrets.set("apps/keys", { metadata: { name: "keys", namespace: "apps" }, stringData: data });
    const random = (bytes: number) => Buffer.alloc(bytes);
    const result = renderSnapshot({ plan: planOf(cluster), previous: undefined, secret: undefined, random });
    expect(result).toEqual({ ok: false, message: expect.stringMatching(/certificates and keys have \d{7} bytes/) });
  });
});

describe("sequence and revision", () => {
  it("begins at 1, stays while nothing changes, and grows by one for each change", () => {
    const cluster = makeCluster(routeObject("chat"));
    const first = rendered(cluster);
    expect(first.index.sequence).toBe(1);
    const again = rendered(cluster, { previous: readIndex(first.objects.index), secret: first.objects.secret });
    expect(again.index).toEqual(first.index);
    putRoute(cluster, routeObject("chat", { protocols: ["v2"] }, { generation: 2 }));
    const changed = rendered(cluster, { previous: readIndex(again.objects.index), secret: first.objects.secret });
    expect(changed.index.sequence).toBe(2);
    expect(changed.index.revision).not.toBe(first.index.revision);
  });

  it("changes with the settings alone", () => {
    const cluster = makeCluster(routeObject("chat"));
    const first = rendered(cluster);
    putGateway(cluster, gatewayObject({ trustedProxies: ["10.0.0.0/8"] }, { generation: 2 }));
    expect(rendered(cluster).index.revision).not.toBe(first.index.revision);
  });

  it.each([
    ["nothing", undefined],
    ["no data", { metadata: { name: "x" } }],
    ["no JSON", { metadata: { name: "x" }, data: { "index.json": "{" } }],
    ["no sequence", { metadata: { name: "x" }, data: { "index.json": '{"revision":"a","sequence":"1"}' } }],
  ])("reads an index that holds %s as none", (_what, object) => {
    expect(readIndex(object)).toBeUndefined();
  });
});

describe("the gateway's Secret", () => {
  const owned = (data: Record<string, string>): Secret => ({
    metadata: { name: "holdfast-public", namespace: "holdfast", resourceVersion: "7" },
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")])),
  });

  it("gets its keys once and keeps them", () => {
    const cluster = makeCluster(routeObject("chat"));
    const first = rendered(cluster, { random: randomBytes });
    const key = first.secretValues.get(SNAPSHOT_OBJECTS.connectionIdKey) ?? "";
    expect(Buffer.from(key, "base64")).toHaveLength(32);
    const again = rendered(cluster, { secret: first.objects.secret, random: randomBytes });
    expect(again.secretValues).toEqual(first.secretValues);
    expect(again.index.secretRevision).toBe(first.index.secretRevision);
  });

  it("is written against the version that was read, and drops what nothing refers to any more", () => {
    const secret = owned({ "connection-id.key": "k", "api-token": "t", "apikey.apps.gone.alice": "old" });
    const { objects } = rendered(makeCluster(routeObject("chat")), { secret });
    expect(objects.secret.metadata.resourceVersion).toBe("7");
    expect(objects.secret.data).toEqual(owned({ "api-token": "t", "connection-id.key": "k" }).data);
  });

  it("changes its revision, and no part, when a value changes", () => {
    const cluster = makeCluster(routeObject("chat", { authentication: { apiKeys: { secretRef: { name: "keys" } } } }));
    cluster.services.set("apps/chat", service("chat"));
    const put = (value: string) =>
      cluster.secrets.set("apps/keys", { metadata: { name: "keys", namespace: "apps" }, stringData: { alice: value } });
    put("one");
    const first = rendered(cluster);
    put("two");
    const second = rendered(cluster);
    expect(second.index.secretRevision).not.toBe(first.index.secretRevision);
    expect(second.index.parts).toEqual(first.index.parts);
    expect(JSON.stringify([second.objects.index, second.objects.parts])).not.toContain("two");
  });
});
