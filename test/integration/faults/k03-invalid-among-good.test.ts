// K3, the operator's half: what is wrong with one route or one snapshot is said there, and nothing else suffers.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { createKubeClient, type KubeClient } from "../../../kube/client.ts";
import { CONTROL_PLANE_TIMEOUT_MS, type ControlPlane, startControlPlane } from "../../support/controlplane.ts";
import {
  apply,
  condition,
  conditionOf,
  gatewayTarget,
  installDefinitions,
  manifestsIn,
  type PretendedPod,
  pretendPod,
  readSnapshot,
  routeTarget,
  startTestOperator,
  type TestOperator,
} from "../../support/operator.ts";

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
  const { gateway, route, service, endpoints } = manifestsIn(namespace);
  await apply(plane, gateway(), service(), endpoints(), route("good"));
  await condition(client, routeTarget(namespace, "good"), { type: "Ready", status: "True" });
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(async () => {
  await pod?.leave();
  await operator?.stop();
  client?.close();
  await plane?.stop();
});

const route = (name: string, spec: object = {}) => manifestsIn(namespace).route(name, spec);

describe("an invalid route among good ones", () => {
  it("is not accepted, with the field named, and the others are served", async () => {
    const regex = { path: { type: "RegularExpression", value: "/a(b" } };
    await apply(plane, route("broken", { matches: [regex] }), route("other"));
    const broken = await condition(client, routeTarget(namespace, "broken"), { type: "Accepted", status: "False" });
    expect(conditionOf(broken, "Accepted")).toMatchObject({ reason: "Invalid" });
    expect(conditionOf(broken, "Accepted")?.message).toContain("spec.matches[0].path.value");
    await condition(client, routeTarget(namespace, "other"), { type: "Ready", status: "True" });
    const { routes } = await readSnapshot(client, namespace, "public");
    expect([...routes.keys()].sort()).toEqual(["good", "other"]);
  });

  it("that asks for what this release does not do is told so, and is not served without it", async () => {
    const health = { passive: { consecutiveFailures: 3, ejectFor: "30s" } };
    await apply(plane, route("later", { health }));
    const later = await condition(client, routeTarget(namespace, "later"), { type: "Accepted", status: "False" });
    expect(conditionOf(later, "Accepted")).toMatchObject({ reason: "UnsupportedValue" });
    expect(conditionOf(later, "Accepted")?.message).toContain("spec.health");
    expect((await readSnapshot(client, namespace, "public")).routes.has("later")).toBe(false);
  });
});

describe("a snapshot that a gateway refuses", () => {
  it("is told in the gateway's words, and Programmed comes back when it takes the next one", async () => {
    pod.refuse("listener ws: port 8080 is in use");
    await apply(plane, route("good", { hostnames: ["new.example.com"] }));
    const refused = await condition(client, routeTarget(namespace, "good"), {
      type: "Programmed",
      status: "False",
      reason: "SnapshotRefused",
    });
    expect(conditionOf(refused, "Programmed")?.message).toContain("listener ws: port 8080 is in use");
    expect(conditionOf(await client.get(gatewayTarget(namespace)), "Programmed")).toMatchObject({ status: "True" });

    await pod.leave();
    pod = pretendPod({ client, namespace, gateway: "public", name: "a" });
    await condition(client, routeTarget(namespace, "good"), { type: "Programmed", status: "True" });
  });
});
