// K7: a Service or Secret that is missing, comes and goes: the condition and the snapshot follow within a second each way.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { RESOURCES } from "../../../kube/resources.ts";
import { CONTROL_PLANE_TIMEOUT_MS } from "../../support/controlplane.ts";
import { eventually } from "../../support/eventually.ts";
import { conditionOf } from "../../support/operator.ts";
import { type OperatorRig, startOperatorRig } from "../../support/operator-rig.ts";

const WITHIN_MS = 1_000;

let rig: OperatorRig;

beforeAll(async () => {
  rig = await startOperatorRig("a");
  await rig.apply(rig.manifests.gateway());
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(() => rig?.stop());

const served = async (name: string) => (await rig.snapshot()).routes.get(name);

/** Waits for it to be resolved, programmed and ready; each from now on within a second. */
async function resolved(name: string): Promise<void> {
  await rig.routeIs(name, { type: "ResolvedRefs", status: "True" }, WITHIN_MS);
  await rig.routeIs(name, { type: "Ready", status: "True" }, WITHIN_MS);
}

describe("a Service", () => {
  it("missing, then there, then gone", async () => {
    const { client, namespace, manifests } = rig;
    const { route, service, endpoints } = manifests;
    const missing = { type: "ResolvedRefs", status: "False", reason: "BackendNotFound" };
    await rig.apply(route("chat"));
    const before = await rig.routeIs("chat", missing, WITHIN_MS);
    expect(conditionOf(before, "ResolvedRefs")?.message).toContain(`${namespace}/chat`);
    expect((await served("chat"))?.unavailable).toMatchObject({ reason: "RouteNotResolved" });

    await client.create({ resource: RESOURCES.endpointSlices, namespace }, endpoints());
    await client.create({ resource: RESOURCES.services, namespace }, service());
    await resolved("chat");
    expect((await served("chat"))?.unavailable).toBeUndefined();
    const { backends } = await rig.snapshot();
    expect(backends.flatMap(({ endpoints }) => endpoints)).toEqual([{ address: "10.0.0.1", port: 3000 }]);

    await client.delete({ resource: RESOURCES.services, namespace, name: "chat" });
    await rig.routeIs("chat", missing, WITHIN_MS);
    expect((await served("chat"))?.unavailable).toMatchObject({ reason: "RouteNotResolved" });
  });
});

describe("a Secret", () => {
  it("missing, then there, then changed, then gone", async () => {
    const { client, namespace, manifests } = rig;
    const { route, secret } = manifests;
    const apiKeys = { secretRef: { name: "keys" }, sources: [{ header: "X-Api-Key" }] };
    const missing = { type: "ResolvedRefs", status: "False", reason: "SecretNotFound" };
    await rig.apply(route("keyed", { hub: { name: "news" }, backendRefs: undefined, authentication: { apiKeys } }));
    await rig.routeIs("keyed", missing, WITHIN_MS);
    expect((await served("keyed"))?.unavailable).toMatchObject({ reason: "RouteNotResolved" });

    await client.create({ resource: RESOURCES.secrets, namespace }, secret("keys", { alice: "one" }));
    await resolved("keyed");
    expect(await served("keyed")).not.toHaveProperty("unavailable");
    const { sequence } = await rig.snapshot();
    expect(await copied()).toEqual(["one"]);

    await client.merge({ resource: RESOURCES.secrets, namespace, name: "keys" }, { stringData: { alice: "two" } });
    await eventually("the copy is another", async () => (await copied())[0] === "two", WITHIN_MS);
    await eventually("gateways are told", async () => (await rig.snapshot()).sequence === sequence + 1);

    await client.delete({ resource: RESOURCES.secrets, namespace, name: "keys" });
    await rig.routeIs("keyed", missing, WITHIN_MS);
    await eventually("the copy is gone", async () => (await copied()).length === 0, WITHIN_MS);
  });
});

/** The API keys in the gateway's own Secret. */
async function copied(): Promise<string[]> {
  const target = { resource: RESOURCES.secrets, namespace: rig.namespace, name: "holdfast-public" };
  const { data = {} } = await rig.client.get<{ metadata: { name: string }; data?: Record<string, string> }>(target);
  return Object.entries(data)
    .filter(([key]) => key.startsWith("apikey."))
    .map(([, value]) => Buffer.from(value, "base64").toString());
}
