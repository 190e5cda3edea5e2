// K9: what is deleted while the operator is down is gone from the snapshot when it is back; nothing waits for it to be deleted.
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { CONTROL_PLANE_TIMEOUT_MS } from "../../support/controlplane.ts";
import { eventually } from "../../support/eventually.ts";
import { gatewayTarget, routeTarget, startTestOperator } from "../../support/operator.ts";
import { type OperatorRig, startOperatorRig } from "../../support/operator-rig.ts";

let rig: OperatorRig;

beforeAll(async () => {
  rig = await startOperatorRig("a");
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(() => rig?.stop());

it("a route deleted while the operator is down goes at once, and is gone from the snapshot when the operator is back", async () => {
  const { client, namespace, manifests } = rig;
  const { gateway, route, service, endpoints } = manifests;
  await rig.apply(gateway(), service(), endpoints(), route("stays"), route("goes"));
  await rig.routeIs("goes", { type: "Ready", status: "True" });
  const before = await rig.snapshot();
  expect([...before.routes.keys()].sort()).toEqual(["goes", "stays"]);

  await rig.operator.stop();
  const deleted = await rig.plane.kubectl(["delete", "wsr/goes", `--namespace=${namespace}`, "--timeout=5s"]);
  expect(deleted).toMatchObject({ code: 0, stderr: "" });
  for (const target of [routeTarget(namespace, "stays"), gatewayTarget(namespace)]) {
    expect((await client.get(target)).metadata).not.toHaveProperty("finalizers");
  }
  expect((await rig.snapshot()).sequence).toBe(before.sequence);

  rig.operator = await startTestOperator(client);
  const after = await eventually("the snapshot is another", async () => {
    const snapshot = await rig.snapshot();
    return snapshot.sequence === before.sequence ? undefined : snapshot;
  });
  expect([...after.routes.keys()]).toEqual(["stays"]);
  expect(after.sequence).toBe(before.sequence + 1);
  await rig.routeIs("stays", { type: "Ready", status: "True" });
});
