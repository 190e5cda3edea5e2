// Others have their hands in a fleet: the operator puts right what they did, and says why where it cannot.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { RESOURCES } from "../../kube/resources.ts";
import { FLEET_RESOURCES } from "../../operator/fleet/objects.ts";
import { CONTROL_PLANE_TIMEOUT_MS } from "../support/controlplane.ts";
import { eventually } from "../support/eventually.ts";
import { FLEET_NAME, FLEET_WITHIN_MS, type FleetObject, FleetRig } from "../support/fleet-rig.ts";
import { apply, conditionOf, gatewayTarget, manifestsIn, type WithStatus } from "../support/operator.ts";

let rig: FleetRig;
beforeAll(async () => {
  rig = await FleetRig.start();
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(() => rig?.stop());
beforeEach(() => rig.enter(), 30_000);
afterEach(() => rig.leave());

describe("a fleet", () => {
  it.each(FLEET_RESOURCES.map((resource) => [resource.kind, resource] as const))(
    "gets its %s back when somebody deletes it",
    async (_kind, resource) => {
      await rig.give({ autoscaling: { min: 1, max: 3, connectionsPerPod: 100 } });
      const before = await rig.appears(resource);
      await rig.settled();
      await rig.client.delete({ resource, namespace: rig.namespace, name: FLEET_NAME });
      const after = await eventually(
        "another one is there",
        async () => {
          const now = await rig.find(resource);
          return now?.metadata.uid === before.metadata.uid ? undefined : now;
        },
        FLEET_WITHIN_MS,
      );
      expect(after.metadata.labels).toEqual(before.metadata.labels);
      expect(after.metadata.ownerReferences).toEqual(before.metadata.ownerReferences);
    },
    40_000,
  );

  it("is put right where somebody changed it, and keeps what somebody added", async () => {
    await rig.give();
    await rig.appears(RESOURCES.podDisruptionBudgets);
    await rig.settled();
    const role = { resource: RESOURCES.roles, namespace: rig.namespace, name: FLEET_NAME };
    const before = await rig.client.get<FleetObject>(role);
    await rig.client.merge(role, {
      metadata: { labels: { mine: "yes" } },
      rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"] }],
    });
    await rig.client.merge(
      { resource: RESOURCES.deployments, namespace: rig.namespace, name: FLEET_NAME },
      { spec: { replicas: 7, template: { metadata: { annotations: { theirs: "stays" } } } } },
    );
    const rules = JSON.stringify(before.rules);
    await eventually(
      "the rules are back",
      async () => JSON.stringify((await rig.find(RESOURCES.roles))?.rules) === rules,
      FLEET_WITHIN_MS,
    );
    await rig.replicas(2);
    expect((await rig.find(RESOURCES.roles))?.metadata.labels).toMatchObject({ mine: "yes" });
    expect(await rig.find(RESOURCES.deployments)).toMatchObject({
      spec: { template: { metadata: { annotations: { theirs: "stays" } } } },
    });
    const writes = await rig.settled();
    expect(await rig.operator.writes()).toBe(writes);
  }, 40_000);
});

describe("a fleet that cannot be as it should says why", () => {
  const programmed = (wanted: object) => rig.gatewayIs({ type: "Programmed", ...wanted });

  it("when an object of the name is somebody else's, which stays as it is", async () => {
    const theirs = {
      ...manifestsIn(rig.namespace).service(FLEET_NAME),
      metadata: { name: FLEET_NAME, namespace: rig.namespace, labels: { app: "theirs" } },
    };
    await apply(rig.plane, theirs);
    const before = await rig.appears(RESOURCES.services);
    await rig.give();
    const object = await programmed({ reason: "ObjectNotOwned" });
    expect(conditionOf(object, "Programmed")?.message).toBe(
      `Service ${rig.namespace}/${FLEET_NAME} exists and does not belong to this gateway: delete it, or rename the gateway`,
    );
    await rig.settled();
    expect(await rig.find(RESOURCES.services)).toEqual(before);
    expect(await rig.find(RESOURCES.deployments)).toBeUndefined();

    await rig.client.delete({ resource: RESOURCES.services, namespace: rig.namespace, name: FLEET_NAME });
    await rig.pods(2);
    await programmed({ reason: "NoPods" });
  }, 60_000);

  it.each([
    ["wrong", { nodeSelector: { "no key": "a" } }, /^Deployment .* is invalid: spec.template.spec.nodeSelector/],
    ["of the wrong type", { affinity: { nodeAffinity: "a" } }, /^Deployment .*affinity\.nodeAffinity: expected map/],
  ])(
    "when an object is %s, in the API server's words, and goes on as soon as the gateway is changed",
    async (_what, podTemplate, words) => {
      await rig.give({ podTemplate });
      const object = await programmed({ reason: "FleetRefused" });
      expect(conditionOf(object, "Programmed")?.message).toMatch(words);
      await rig.settled();
      await rig.give({ podTemplate: { nodeSelector: { key: "a" } } });
      await rig.pods(2);
    },
    60_000,
  );

  it("when its pods are not let into the namespace", async () => {
    const limits = [{ type: "Container", min: { memory: "64Gi" } }];
    await apply(rig.plane, {
      apiVersion: "v1",
      kind: "LimitRange",
      metadata: { name: "large", namespace: rig.namespace },
      spec: { limits },
    });
    await rig.give();
    const told = await eventually(
      "the refusal is told",
      async () => {
        const object = await rig.client.get<WithStatus>(gatewayTarget(rig.namespace));
        const message = conditionOf(object, "Programmed")?.message ?? "";
        return message.includes("minimum memory usage per Container is 64Gi") && message;
      },
      FLEET_WITHIN_MS,
    );
    expect(told).toContain("2 of 2 pods have not started to report");
  }, 40_000);
});
