// K8: a reference to another namespace holds only where a ReferenceGrant there says so; without one nothing of it is read.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
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
  readSnapshot,
  routeTarget,
  startTestOperator,
  type TestOperator,
} from "../../support/operator.ts";

/** Takes any grant: what counts is that the kind is there. The Gateway API's own definition is not part of this project. */
const GRANT_DEFINITION = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: {
    name: "referencegrants.gateway.networking.k8s.io",
    // The API server takes a definition in a group of k8s.io only with this.
    annotations: { "api-approved.kubernetes.io": "unapproved, stands in for the Gateway API's own" },
  },
  spec: {
    group: "gateway.networking.k8s.io",
    scope: "Namespaced",
    names: { kind: "ReferenceGrant", plural: "referencegrants", singular: "referencegrant" },
    versions: [
      {
        name: "v1beta1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};
const NOT_PERMITTED = { type: "ResolvedRefs", status: "False", reason: "RefNotPermitted" };
const RESOLVED = { type: "ResolvedRefs", status: "True" };

let plane: ControlPlane;
let client: KubeClient;
let operator: TestOperator;
let home: string;
let other: string;

beforeAll(async () => {
  plane = await startControlPlane();
  client = createKubeClient({ kubeconfig: plane.kubeconfig });
  await installDefinitions(plane);
}, CONTROL_PLANE_TIMEOUT_MS);
beforeEach(async () => {
  [home, other] = [await plane.newNamespace(), await plane.newNamespace()];
  const { gateway, route } = manifestsIn(home);
  const { service, endpoints, secret } = manifestsIn(other);
  await apply(plane, gateway(), service(), endpoints(), secret("keys", { alice: "one" }));
  await apply(
    plane,
    route("chat", { backendRefs: [{ name: "chat", namespace: other, port: 3000 }] }),
    keyedRoute("keyed"),
  );
});
afterAll(async () => {
  client?.close();
  await plane?.stop();
});

/** A route that wants the other namespace's Secret. */
function keyedRoute(name: string): object {
  const apiKeys = { secretRef: { name: "keys", namespace: other }, sources: [{ header: "X-Api-Key" }] };
  return manifestsIn(home).route(name, { hub: {}, backendRefs: undefined, authentication: { apiKeys } });
}

/** Whether the operator has asked the API server for the other namespace's Secret. */
const keysRead = () => operator.log.some(({ msg }) => String(msg) === `secrets ${other}/keys: read`);

async function refused(name: string, object: string): Promise<void> {
  const route = await condition(client, routeTarget(home, name), NOT_PERMITTED);
  expect(conditionOf(route, "ResolvedRefs")?.message).toContain(object);
}

/** The gateway's snapshot and Secret have nothing of the other namespace. */
async function expectNothingTaken(): Promise<void> {
  const { routes } = await readSnapshot(client, home, "public");
  for (const name of ["chat", "keyed"]) expect(routes.get(name)?.unavailable?.reason).toBe("RouteNotResolved");
  expect(await endpointsTold()).toEqual([]);
  expect(await copiedKeys()).toEqual([]);
  expect(keysRead()).toBe(false);
}

/** Every endpoint in the gateway's snapshot. */
async function endpointsTold(): Promise<string[]> {
  const { backends } = await readSnapshot(client, home, "public");
  return backends.flatMap(({ endpoints }) => endpoints.map(({ address, port }) => `${address}:${port}`));
}

/** The API keys in the gateway's own Secret. */
async function copiedKeys(): Promise<string[]> {
  const target = { resource: RESOURCES.secrets, namespace: home, name: "holdfast-public" };
  const { data = {} } = await client.get<{ metadata: { name: string }; data?: Record<string, string> }>(target);
  return Object.entries(data)
    .filter(([key]) => key.startsWith("apikey."))
    .map(([, value]) => Buffer.from(value, "base64").toString());
}

const grant = (from: string, to: readonly object[]) => ({
  apiVersion: "gateway.networking.k8s.io/v1beta1",
  kind: "ReferenceGrant",
  metadata: { name: "for-routes", namespace: other },
  spec: { from: [{ group: "holdfast.dev", kind: "WebSocketRoute", namespace: from }], to },
});
const BOTH = [
  { group: "", kind: "Service", name: "chat" },
  { group: "", kind: "Secret", name: "keys" },
];

describe("where grants cannot be given", () => {
  beforeAll(async () => {
    operator = await startTestOperator(client);
  });
  afterAll(() => operator?.stop());

  it("a Service and a Secret of another namespace are refused, and nothing of them is read", async () => {
    await refused("chat", `${other}/chat`);
    await refused("keyed", `${other}/keys`);
    await expectNothingTaken();
  }, 30_000);
});

describe("where grants can be given", () => {
  beforeAll(async () => {
    await apply(plane, GRANT_DEFINITION);
    const definition = "crd/referencegrants.gateway.networking.k8s.io";
    const waited = await plane.kubectl(["wait", "--for=condition=Established", "--timeout=30s", definition]);
    if (waited.code !== 0) throw new Error(waited.stderr);
    operator = await startTestOperator(client);
  }, 40_000);
  afterAll(() => operator?.stop());

  it("a grant holds for what it names only: not for another namespace, another object or another kind", async () => {
    const [service] = BOTH;
    await apply(plane, grant("somebody-else", BOTH), {
      ...grant(home, [
        { group: "", kind: "Secret", name: "others" },
        { group: "", kind: "Service", name: "keys" },
      ]),
      metadata: { name: "for-others", namespace: other },
    });
    const last = { ...grant(home, [service as object]), metadata: { name: "last", namespace: other } };
    await apply(plane, last);
    await condition(client, routeTarget(home, "chat"), RESOLVED);
    // This one comes when the operator knows all of the grants.
    await apply(plane, keyedRoute("late"));
    await refused("late", `${other}/keys`);
    await refused("keyed", `${other}/keys`);
    expect(await copiedKeys()).toEqual([]);
    expect(keysRead()).toBe(false);
  }, 30_000);

  it("a grant resolves them, and they are refused again when it goes", async () => {
    await refused("chat", `${other}/chat`);
    await apply(plane, grant(home, BOTH));
    await condition(client, routeTarget(home, "chat"), RESOLVED);
    await condition(client, routeTarget(home, "keyed"), RESOLVED);
    await eventually("the key is copied", async () => (await copiedKeys())[0] === "one");
    await eventually("the Service's endpoint is told", async () => (await endpointsTold())[0] === "10.0.0.1:3000");
    expect(keysRead()).toBe(true);

    await client.delete({ resource: RESOURCES.referenceGrants, namespace: other, name: "for-routes" });
    await refused("chat", `${other}/chat`);
    await refused("keyed", `${other}/keys`);
    await eventually("the copy is gone", async () => (await copiedKeys()).length === 0);
    await eventually("the endpoint is gone", async () => (await endpointsTold()).length === 0);
  }, 30_000);
});
