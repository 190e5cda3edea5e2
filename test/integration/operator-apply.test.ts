// Writing a snapshot to a real API server: in the right order, only what differs, and never over somebody else's object.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { createKubeClient, type KubeClient } from "../../kube/client.ts";
import { RESOURCES } from "../../kube/resources.ts";
import { type ApplyContext, applySnapshot } from "../../operator/apply.ts";
import { createClusterStore } from "../../operator/cluster.ts";
import { type ConfigMap, type KubernetesObject, namespacedName, type Secret } from "../../operator/objects.ts";
import type { SnapshotObjects } from "../../operator/render/snapshot-objects.ts";
import { CONTROL_PLANE_TIMEOUT_MS, type ControlPlane, startControlPlane } from "../support/controlplane.ts";

let plane: ControlPlane;
let client: KubeClient;
let namespace: string;
let writes: string[];
let context: ApplyContext;

beforeAll(async () => {
  plane = await startControlPlane();
  client = createKubeClient({ kubeconfig: plane.kubeconfig });
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(async () => {
  client?.close();
  await plane?.stop();
});
beforeEach(async () => {
  namespace = await plane.newNamespace();
  writes = [];
  context = freshContext();
});

/** What an operator knows that has just taken in what it wrote itself. */
function freshContext(): ApplyContext {
  const cluster = createClusterStore();
  const parts = new Map<string, KubernetesObject>();
  const took = (object: KubernetesObject) => {
    const key = namespacedName(object);
    const role = object.metadata.labels?.["holdfast.dev/role"];
    if (role === "part") parts.set(key, object);
    else if (role === "index") cluster.indexes.set(key, object as ConfigMap);
    else cluster.secrets.set(key, object as Secret);
  };
  const signal = new AbortController().signal;
  return { client, watch: { cluster, parts, took }, onWrite: (role) => writes.push(role), signal };
}

function snapshot({
  sequence = 1,
  owner = "uid-1",
  secret = "c2VjcmV0",
  parts = ["r00-aaaaaaaaaa", "e00-bbbbbbbbbb"],
} = {}): SnapshotObjects {
  const metadata = (name: string, role: string) => ({
    name,
    namespace,
    labels: { "holdfast.dev/gateway": "public", "holdfast.dev/role": role },
    ownerReferences: [
      { apiVersion: "holdfast.dev/v1alpha1", kind: "WebSocketGateway", name: "public", uid: owner, controller: true },
    ],
  });
  return {
    secret: {
      apiVersion: "v1",
      kind: "Secret",
      type: "Opaque",
      metadata: metadata("holdfast-public", "secret"),
      data: { key: secret },
    },
    parts: parts.map((part) => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: metadata(`holdfast-public-${part}`, "part"),
      data: { "part.json": "{}" },
      immutable: true,
    })),
    index: {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: metadata("holdfast-public", "index"),
      data: { "index.json": JSON.stringify({ sequence }) },
    },
  };
}

const read = (resource: (typeof RESOURCES)["secrets" | "configMaps"], name: string) =>
  client.get<ConfigMap>({ resource, namespace, name });

describe("applySnapshot", () => {
  it("writes the Secret first and the index last", async () => {
    expect(await applySnapshot(context, snapshot())).toEqual({ ok: true });
    expect(writes).toEqual(["secret", "part", "part", "index"]);
    expect(await read(RESOURCES.secrets, "holdfast-public")).toMatchObject({ data: { key: "c2VjcmV0" } });
    expect(await read(RESOURCES.configMaps, "holdfast-public-r00-aaaaaaaaaa")).toMatchObject({ immutable: true });
    expect(await read(RESOURCES.configMaps, "holdfast-public")).toMatchObject({
      data: { "index.json": '{"sequence":1}' },
    });
  });

  it("writes only what differs", async () => {
    await applySnapshot(context, snapshot());
    writes.length = 0;
    await applySnapshot(context, snapshot());
    expect(writes).toEqual([]);
    await applySnapshot(context, snapshot({ sequence: 2, parts: ["r00-cccccccccc", "e00-bbbbbbbbbb"] }));
    expect(writes).toEqual(["part", "index"]);
  });

  it("finds what it wrote in a former life, and writes nothing", async () => {
    await applySnapshot(context, snapshot());
    writes.length = 0;
    const reborn = freshContext();
    const parts = await client.list<ConfigMap>(
      { resource: RESOURCES.configMaps, namespace },
      { labelSelector: "holdfast.dev/role=part" },
    );
    for (const part of parts.items) reborn.watch.took(part);
    expect(await applySnapshot(reborn, snapshot())).toEqual({ ok: true });
    expect(writes).toEqual([]);
  });

  it("takes keys out of the Secret that nothing refers to any more", async () => {
    await applySnapshot(context, { ...snapshot(), secret: { ...snapshot().secret, data: { a: "YQ==", b: "Yg==" } } });
    await applySnapshot(context, { ...snapshot(), secret: { ...snapshot().secret, data: { b: "Yg==" } } });
    expect((await read(RESOURCES.secrets, "holdfast-public")).data).toEqual({ b: "Yg==" });
  });

  it("makes a part again that somebody deleted, and takes one over that the cache did not show yet", async () => {
    await applySnapshot(context, snapshot());
    const name = "holdfast-public-r00-aaaaaaaaaa";
    (context.watch.parts as Map<string, KubernetesObject>).delete(`${namespace}/${name}`);
    expect(await applySnapshot(context, snapshot())).toEqual({ ok: true });
    await client.delete({ resource: RESOURCES.configMaps, namespace, name });
    (context.watch.parts as Map<string, KubernetesObject>).delete(`${namespace}/${name}`);
    await applySnapshot(context, snapshot());
    expect(await read(RESOURCES.configMaps, name)).toMatchObject({ data: { "part.json": "{}" } });
  });

  it("gives everything to the gateway that was made again, lest it is deleted with the first one", async () => {
    await applySnapshot(context, snapshot());
    await applySnapshot(context, snapshot({ owner: "uid-2" }));
    const { items } = await client.list(
      { resource: RESOURCES.configMaps, namespace },
      { labelSelector: "holdfast.dev/gateway=public" },
    );
    const owners = items.map(({ metadata }) => metadata.ownerReferences?.map(({ uid }) => uid));
    expect(owners).toEqual([["uid-2"], ["uid-2"], ["uid-2"]]);
    expect((await read(RESOURCES.secrets, "holdfast-public")).metadata.ownerReferences).toMatchObject([
      { uid: "uid-2" },
    ]);
  });

  it("does not write an index over one that it has not seen", async () => {
    await applySnapshot(context, snapshot());
    await client.merge(
      { resource: RESOURCES.configMaps, namespace, name: "holdfast-public" },
      { data: { "index.json": '{"sequence":9}' } },
    );
    await expect(applySnapshot(context, snapshot({ sequence: 2 }))).rejects.toMatchObject({ status: 409 });
    expect(await read(RESOURCES.configMaps, "holdfast-public")).toMatchObject({
      data: { "index.json": '{"sequence":9}' },
    });
  });
});

describe("an object of the name that is not ours", () => {
  it.each([
    ["Secret", "holdfast-public", RESOURCES.secrets],
    ["ConfigMap", "holdfast-public", RESOURCES.configMaps],
    ["ConfigMap", "holdfast-public-r00-aaaaaaaaaa", RESOURCES.configMaps],
  ])("stays as it is, and is named: %s %s", async (kind, name, resource) => {
    const theirs = { apiVersion: "v1", kind, metadata: { name, namespace }, data: { mine: "bWluZQ==" } };
    const before = await client.create<ConfigMap>({ resource, namespace }, theirs);
    const outcome = await applySnapshot(context, snapshot());
    expect(outcome).toEqual({
      ok: false,
      message: `${kind} ${namespace}/${name} exists and does not belong to this gateway: delete it, or rename the gateway`,
    });
    expect((await read(resource, name)).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    expect(writes).not.toContain("index");
  });
});
