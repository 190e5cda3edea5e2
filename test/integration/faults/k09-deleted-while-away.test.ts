// K9: what is deleted while the operator is down is gone from the snapshot when it is back; nothing waits for it to be deleted.
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { createKubeClient, type KubeClient } from "../../../kube/client.ts";
import { CONTROL_PLANE_TIMEOUT_MS, type ControlPlane, startControlPlane } from "../../support/controlplane.ts";
import { eventually } from "../../support/eventually.ts";
import {
  apply,
  condition,
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
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(async () => {
  await pod?.leave();
  await operator?.stop();
  client?.close();
  await plane?.stop();
});

it("a route deleted while the operator is down goes at once, and is gone from the snapshot when the operator is back", async () => {
  const { gateway, route, service, endpoints } = manifestsIn(namespace);
  await apply(plane, gateway(), service(), endpoints(), route("stays"), route("goes"));
  await condition(client, routeTarget(namespace, "goes"), { type: "Ready", status: "True" });
  const before = await readSnapshot(client, namespace, "public");
  expect([...before.routes.keys()].sort()).toEqual(["goes", "stays"]);

  await operator.stop();
  const deleted = await plane.kubectl(["delete", "wsr/goes", `--namespace=${namespace}`, "--timeout=5s"]);
  expect(deleted).toMatchObject({ code: 0, stderr: "" });
  for (const target of [routeTarget(namespace, "stays"), gatewayTarget(namespace)]) {
    expect((await client.get(target)).metadata).not.toHaveProperty("finalizers");
  }
  expect((await readSnapshot(client, namespace, "public")).sequence).toBe(before.sequence);

  operator = await startTestOperator(client);
  const after = await eventually("the snapshot is another", async () => {
    const snapshot = await readSnapshot(client, namespace, "public");
    return snapshot.sequence === before.sequence ? undefined : snapshot;
  });
  expect([...after.routes.keys()]).toEqual(["stays"]);
  expect(after.sequence).toBe(before.sequence + 1);
  await condition(client, routeTarget(namespace, "stays"), { type: "Ready", status: "True" });
});
