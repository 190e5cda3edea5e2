// K1 on a real API server: it crashes and comes back, and the list-watch loop still holds what the cluster holds.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { createKubeClient, type KubeClient } from "../../../kube/client.ts";
import { systemClock } from "../../../kube/clock.ts";
import { type ListWatchState, listWatch } from "../../../kube/listwatch.ts";
import type { KubeObject } from "../../../kube/objects.ts";
import { RESOURCES } from "../../../kube/resources.ts";
import { CONTROL_PLANE_TIMEOUT_MS, type ControlPlane, startControlPlane } from "../../support/controlplane.ts";
import { eventually } from "../../support/eventually.ts";

type ConfigMap = KubeObject & { readonly data?: Readonly<Record<string, string>> };

const BACK_WITHIN_MS = 15_000;

let plane: ControlPlane;
let client: KubeClient;
let namespace: string;
let stop: AbortController;
let running: Promise<void>;
let mirror: Map<string, string>;
let states: ListWatchState[];

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
  stop = new AbortController();
  mirror = new Map();
  states = [];
});
afterEach(async () => {
  stop.abort();
  await running;
});

function start(): void {
  const put = ({ metadata, data }: ConfigMap) => mirror.set(metadata.name, data?.v ?? "");
  running = listWatch<ConfigMap>({
    client,
    resource: RESOURCES.configMaps,
    namespace,
    onSync: (objects) => objects.forEach(put),
    onEvent: ({ type, object }) => (type === "DELETED" ? mirror.delete(object.metadata.name) : put(object)),
    onState: (state) => states.push(state),
    clock: systemClock,
    random: Math.random,
    signal: stop.signal,
  });
}

const target = (name: string) => ({ resource: RESOURCES.configMaps, namespace, name });
const write = (name: string, v: string) =>
  client.apply(target(name), {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace },
    data: { v },
  } as never);
const content = () => Object.fromEntries([...mirror].filter(([name]) => name !== "kube-root-ca.crt").sort());
const holds = (what: object) =>
  eventually(JSON.stringify(what), () => JSON.stringify(content()) === JSON.stringify(what), BACK_WITHIN_MS);

describe("a list-watch loop on a real API server", () => {
  it("sees what was, what comes, what changes and what goes", async () => {
    await write("a", "1");
    start();
    await holds({ a: "1" });
    await write("b", "1");
    await write("a", "2");
    await holds({ a: "2", b: "1" });
    await client.delete(target("a"));
    await holds({ b: "1" });
    expect(states.map(({ state }) => state)).toEqual(["synced"]);
  });

  it("goes on after a crash, without spinning while nobody answers", async () => {
    await write("a", "1");
    await write("b", "1");
    start();
    await holds({ a: "1", b: "1" });

    await plane.stopApiServer();
    await eventually("three failures", () => states.filter(({ state }) => state === "failed").length >= 3);
    await plane.startApiServer();
    await client.delete(target("a"));
    await write("b", "2");
    await write("c", "1");

    await holds({ b: "2", c: "1" });
    expect(states.length).toBeLessThan(20);
  }, 60_000);

  it("lists in pages what does not fit into one", async () => {
    const names = Array.from({ length: 620 }, (_, index) => `many-${String(index).padStart(3, "0")}`);
    for (let start = 0; start < names.length; start += 20) {
      await Promise.all(names.slice(start, start + 20).map((name) => write(name, "1")));
    }
    start();
    await eventually("all are there", () => Object.keys(content()).length === names.length);
    expect(Object.keys(content())).toEqual(names);
  }, 60_000);
});

describe("the API server's own words", () => {
  it("for a resource version that it does not keep are what the loop takes for expired", async () => {
    const events = await client.watch(
      { resource: RESOURCES.configMaps, namespace },
      { resourceVersion: "1", timeoutSeconds: 5, signal: AbortSignal.timeout(10_000) },
    );
    const first = (await events[Symbol.asyncIterator]().next()).value;
    expect(first).toMatchObject({ type: "ERROR", object: { code: 410, reason: "Expired" } });
  });

  it("for a kind that is not installed are 404", async () => {
    await expect(client.list({ resource: RESOURCES.referenceGrants })).rejects.toMatchObject({ status: 404 });
  });

  it("for a stale resourceVersion in an apply are 409, and nothing is written", async () => {
    const before = await write("guarded", "1");
    await write("guarded", "2");
    const stale = {
      ...before,
      metadata: { name: "guarded", namespace, resourceVersion: before.metadata.resourceVersion },
    };
    await expect(client.apply(target("guarded"), stale as never, { conflicts: "force" })).rejects.toMatchObject({
      status: 409,
    });
    expect(await client.get(target("guarded"))).toMatchObject({ data: { v: "2" } });
  });
});
