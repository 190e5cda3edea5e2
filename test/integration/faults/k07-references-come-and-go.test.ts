// K7: a Service or Secret that is missing, comes and goes: the condition and the snapshot follow within a second each way.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { createKubeClient, type KubeClient } from "../../../kube/client.ts";
import { RESOURCES } from "../../../kube/resources.ts";
import { CONTROL_PLANE_TIMEOUT_MS, type ControlPlane, startControlPlane } from "../../support/controlplane.ts";
import { eventually } from "../../support/eventually.ts";
import {
  apply,
  condition,
  conditionOf,
  installDefinitions,
  manifestsIn,
  type PretendedPod,
  pretendPod,
  readSnapshot,
  routeTarget,
  startTestOperator,
  type TestOperator,
} from "../../support/operator.ts";

const WITHIN_MS = 1_000;

let plane: ControlPlane;
let client: KubeClient;
let operator: TestOperator;
let namespace: string;
let pod: PretendedPod;

beforeAll(async () => {
  plane = await startControlPlane();
  client = createKubeClient({ kubeconfig: plane.kubeconfig });
  await installDefinitions(plane);
  namespace = await plane.newNamespace();
  operator = await startTestOperator(client);
  pod = pretendPod({ client, namespace, gateway: "public", name: "a" });
  await apply(plane, manifestsIn(namespace).gateway());
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(async () => {
  await pod?.leave();
  await operator?.stop();
  client?.close();
  await plane?.stop();
});

const served = async (name: string) => (await readSnapshot(client, namespace, "public")).routes.get(name);

/** Waits for it to be resolved, programmed and ready; each from now on within a second. */
async function resolved(name: string): Promise<void> {
  await condition(client, routeTarget(namespace, name), { type: "ResolvedRefs", status: "True" }, WITHIN_MS);
  await condition(client, routeTarget(namespace, name), { type: "Ready", status: "True" }, WITHIN_MS);
}

describe("a Service", () => {
  it("missing, then there, then gone", async () => {
    const { route, service, endpoints } = manifestsIn(namespace);
    const missing = { type: "ResolvedRefs", status: "False", reason: "BackendNotFound" };
    await apply(plane, route("chat"));
    const before = await condition(client, routeTarget(namespace, "chat"), missing, WITHIN_MS);
    expect(conditionOf(before, "ResolvedRefs")?.message).toContain(`${namespace}/chat`);
    expect((await served("chat"))?.unavailable).toMatchObject({ reason: "RouteNotResolved" });

    await client.create({ resource: RESOURCES.endpointSlices, namespace }, endpoints());
    await client.create({ resource: RESOURCES.services, namespace }, service());
    await resolved("chat");
    expect((await served("chat"))?.unavailable).toBeUndefined();
    const { backends } = await readSnapshot(client, namespace, "public");
    expect(backends.flatMap(({ endpoints }) => endpoints)).toEqual([{ address: "10.0.0.1", port: 3000 }]);

    await client.delete({ resource: RESOURCES.services, namespace, name: "chat" });
    await condition(client, routeTarget(namespace, "chat"), missing, WITHIN_MS);
    expect((await served("chat"))?.unavailable).toMatchObject({ reason: "RouteNotResolved" });
  });
});

describe("a Secret", () => {
  it("missing, then there, then changed, then gone", async () => {
    const { route, secret } = manifestsIn(namespace);
    const apiKeys = { secretRef: { name: "keys" }, sources: [{ header: "X-Api-Key" }] };
    const missing = { type: "ResolvedRefs", status: "False", reason: "SecretNotFound" };
    await apply(plane, route("keyed", { hub: { name: "news" }, backendRefs: undefined, authentication: { apiKeys } }));
    await condition(client, routeTarget(namespace, "keyed"), missing, WITHIN_MS);
    expect((await served("keyed"))?.unavailable).toMatchObject({ reason: "RouteNotResolved" });

    await client.create({ resource: RESOURCES.secrets, namespace }, secret("keys", { alice: "one" }));
    await resolved("keyed");
    expect(await served("keyed")).not.toHaveProperty("unavailable");
    const { sequence } = await readSnapshot(client, namespace, "public");
    expect(await copied()).toEqual(["one"]);

    await client.merge({ resource: RESOURCES.secrets, namespace, name: "keys" }, { stringData: { alice: "two" } });
    await eventually("the copy is another", async () => (await copied())[0] === "two", WITHIN_MS);
    await eventually(
      "gateways are told",
      async () => (await readSnapshot(client, namespace, "public")).sequence === sequence + 1,
    );

    await client.delete({ resource: RESOURCES.secrets, namespace, name: "keys" });
    await condition(client, routeTarget(namespace, "keyed"), missing, WITHIN_MS);
    await eventually("the copy is gone", async () => (await copied()).length === 0, WITHIN_MS);
  });
});

/** The API keys in the gateway's own Secret. */
async function copied(): Promise<string[]> {
  const target = { resource: RESOURCES.secrets, namespace, name: "holdfast-public" };
  const { data = {} } = await client.get<{ metadata: { name: string }; data?: Record<string, string> }>(target);
  return Object.entries(data)
    .filter(([key]) => key.startsWith("apikey."))
    .map(([, value]) => Buffer.from(value, "base64").toString());
}
