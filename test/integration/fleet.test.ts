// The operator runs a fleet on a real API server with real controllers: from its gateway's first spec to its end.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { renewLease } from "../../kube/lease.ts";
import type { KubeObject } from "../../kube/objects.ts";
import { RESOURCES } from "../../kube/resources.ts";
import { FLEET_RESOURCES } from "../../operator/fleet/objects.ts";
import { CONTROL_PLANE_TIMEOUT_MS } from "../support/controlplane.ts";
import { eventually } from "../support/eventually.ts";
import { FLEET_NAME, FLEET_WITHIN_MS, type FleetObject, FleetRig } from "../support/fleet-rig.ts";
import { apply, conditionOf, gatewayTarget } from "../support/operator.ts";

const COST = "controller.kubernetes.io/pod-deletion-cost";
/** What a restricted namespace lets in. */
const STRANGER = {
  securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
  containers: [
    {
      name: "a",
      image: "a",
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
    },
  ],
};

let rig: FleetRig;
beforeAll(async () => {
  rig = await FleetRig.start();
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(() => rig?.stop());
beforeEach(() => rig.enter(), 30_000);
afterEach(() => rig.leave());

describe("a fleet", () => {
  it("comes to be, says how far it is, and is not written again", async () => {
    await rig.give();
    for (const resource of FLEET_RESOURCES) {
      if (resource !== RESOURCES.horizontalPodAutoscalers) await rig.appears(resource);
    }
    await rig.appears(RESOURCES.services, `${FLEET_NAME}-api`);
    await rig.pods(2);
    const object = await rig.gatewayIs({ type: "Programmed", reason: "NoPods" });
    expect(object.status?.pods).toBe("0/2");
    expect(conditionOf(object, "Programmed")?.message).toContain("2 of 2 pods have not started to report");

    const writes = await rig.settled();
    await new Promise((resolve) => setTimeout(resolve, 10_000)); // idle time is what this is about
    expect(await rig.operator.writes()).toBe(writes);
  }, 60_000);

  it("tells the addresses that its load balancer gave", async () => {
    await rig.give();
    await rig.appears(RESOURCES.services);
    await rig.settled();
    expect((await rig.status())?.addresses).toEqual([]);
    const service = { apiVersion: "v1", kind: "Service", metadata: { name: FLEET_NAME, namespace: rig.namespace } };
    const ingress = [{ ip: "192.0.2.7" }, { hostname: "lb.example.com" }];
    await rig.client.patchStatus({ resource: RESOURCES.services, namespace: rig.namespace, name: FLEET_NAME }, {
      ...service,
      status: { loadBalancer: { ingress } },
    } as KubeObject);
    const told = await eventually(
      "the addresses are told",
      async () => {
        const addresses = (await rig.status())?.addresses ?? [];
        return addresses.length > 0 && addresses;
      },
      FLEET_WITHIN_MS,
    );
    expect(told).toEqual([
      { type: "IPAddress", value: "192.0.2.7" },
      { type: "Hostname", value: "lb.example.com" },
    ]);
  }, 40_000);

  it("follows its gateway, and loses what is not wanted any more", async () => {
    await rig.give({ replicas: 3, service: { type: "NodePort", annotations: { "example.com/a": "b" } } });
    await rig.pods(3);
    await rig.appears(RESOURCES.podDisruptionBudgets);
    expect(await rig.find(RESOURCES.services)).toMatchObject({
      metadata: { annotations: { "example.com/a": "b" } },
      spec: { type: "NodePort" },
    });

    await rig.give({ replicas: 1, service: { type: "ClusterIP" }, podTemplate: { labels: { team: "a" } } });
    await rig.disappears(RESOURCES.podDisruptionBudgets);
    await rig.replicas(1);
    await eventually(
      "the Service is as it is wanted now",
      async () => {
        const service = await rig.find(RESOURCES.services);
        return (service?.spec.type as unknown) === "ClusterIP" && !service?.metadata.annotations?.["example.com/a"];
      },
      FLEET_WITHIN_MS,
    );
    expect(await rig.find(RESOURCES.deployments)).toMatchObject({
      spec: { template: { metadata: { labels: { team: "a" } } } },
    });
  }, 60_000);

  it("keeps its number of pods when an autoscaler takes over, and gets the wanted one back after it", async () => {
    await rig.give({ replicas: 4 });
    await rig.pods(4);
    const seen = new Set<number>();
    const watching = new AbortController();
    const { metadata } = await rig.client.list({ resource: RESOURCES.deployments, namespace: rig.namespace });
    const events = await rig.client.watch(
      { resource: RESOURCES.deployments, namespace: rig.namespace },
      { resourceVersion: metadata.resourceVersion ?? "", timeoutSeconds: 60, signal: watching.signal },
    );
    const following = (async () => {
      for await (const { object } of events) seen.add((object as FleetObject).spec.replicas as unknown as number);
    })().catch(() => undefined);

    await rig.give({ autoscaling: { min: 2, max: 9, connectionsPerPod: 15_000 } });
    await rig.appears(RESOURCES.horizontalPodAutoscalers);
    await rig.settled();
    // Somebody else's number stays from now on: the autoscaler's.
    await rig.plane.kubectl(["scale", `deployment/${FLEET_NAME}`, "--replicas=6", `--namespace=${rig.namespace}`]);
    await rig.pods(6);
    await rig.settled();
    watching.abort();
    await following;
    expect([...seen].sort()).toEqual([4, 6]);

    await rig.give({ replicas: 3 });
    await rig.disappears(RESOURCES.horizontalPodAutoscalers);
    await rig.replicas(3);
  }, 90_000);

  it("weighs its pods by their connections, and no other pod", async () => {
    await rig.give({ replicas: 2 });
    const [first = "", second = ""] = await rig.pods(2);
    const stranger = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "stranger", namespace: rig.namespace },
      spec: STRANGER,
    };
    await apply(rig.plane, stranger);
    const acknowledge = (name: string, connections: number) =>
      renewLease(rig.client, {
        namespace: rig.namespace,
        name: `${FLEET_NAME}-${name}`,
        labels: { "holdfast.dev/gateway": "public", "holdfast.dev/role": "pod" },
        annotations: { "holdfast.dev/connections": String(connections) },
        holder: name,
        durationSeconds: 60,
        now: Date.now(),
        fieldManager: "holdfast-gateway",
      });
    await acknowledge("stranger", 9);
    await acknowledge(first, 500);
    await acknowledge(second, 0);
    const costOf = async (name: string) => (await rig.find(RESOURCES.pods, name))?.metadata.annotations?.[COST];
    await eventually("the busy pod has its cost", async () => (await costOf(first)) === "500", FLEET_WITHIN_MS);
    await rig.settled();
    expect([await costOf(second), await costOf("stranger")]).toEqual([undefined, undefined]);
  }, 40_000);

  it.each(["background", "foreground"])(
    "goes with its gateway, deleted in the %s",
    async (cascade) => {
      await rig.give({ autoscaling: { min: 2, max: 3, connectionsPerPod: 100 } });
      await rig.appears(RESOURCES.horizontalPodAutoscalers);
      await rig.plane.kubectl(["delete", "wsg/public", `--cascade=${cascade}`, `--namespace=${rig.namespace}`]);
      for (const resource of FLEET_RESOURCES) await rig.disappears(resource);
      await rig.disappears(RESOURCES.services, `${FLEET_NAME}-api`);
      await rig.disappears(RESOURCES.configMaps);
      await rig.disappears(RESOURCES.secrets);
      await eventually("no pod is left", async () => (await rig.podNames()).length === 0, FLEET_WITHIN_MS);
    },
    60_000,
  );

  it("belongs to the new gateway of the name when the old one was deleted and made again", async () => {
    await rig.give();
    const old = await rig.appears(RESOURCES.deployments);
    await rig.client.delete(gatewayTarget(rig.namespace));
    await rig.give();
    const { metadata } = await rig.client.get(gatewayTarget(rig.namespace));
    for (const resource of [RESOURCES.serviceAccounts, RESOURCES.deployments, RESOURCES.podDisruptionBudgets]) {
      const owned = async () => {
        const object = await rig.find(resource);
        return (
          object?.metadata.ownerReferences?.length === 1 && object.metadata.ownerReferences[0]?.uid === metadata.uid
        );
      };
      await eventually(`${resource.kind} has the new owner`, owned, FLEET_WITHIN_MS);
    }
    await rig.settled();
    expect((await rig.find(RESOURCES.deployments))?.metadata.ownerReferences?.[0]?.uid).not.toBe(
      old.metadata.ownerReferences?.[0]?.uid,
    );
  }, 60_000);

  it("is let go when it is managed by somebody else, and its configuration is still written", async () => {
    await rig.give();
    await rig.pods(2);
    await rig.give({ management: "External" });
    for (const resource of FLEET_RESOURCES) await rig.disappears(resource);
    await rig.settled();
    expect(await rig.find(RESOURCES.configMaps)).toBeDefined();
    expect((await rig.status())?.pods).toBe("0/0");
  }, 60_000);

  it("is left as it is by an operator that has no image", async () => {
    await rig.give();
    await rig.pods(2);
    await rig.settled();
    await rig.replaceOperator();
    await rig.give({ drain: { timeout: "7s" } });
    await rig.gatewayIs({ type: "Accepted", status: "True" });
    await rig.settled();
    expect(await rig.find(RESOURCES.deployments)).toMatchObject({
      spec: { replicas: 2, template: { spec: { terminationGracePeriodSeconds: 75 } } },
    });
    await rig.give({ replicas: 1 });
    const refused = await rig.gatewayIs({ type: "Accepted", status: "False" });
    expect(conditionOf(refused, "Accepted")).toMatchObject({
      reason: "UnsupportedValue",
      message:
        "this operator runs no gateway pods, which spec.replicas would need: start it with --gateway-image, or remove it",
    });
  }, 60_000);
});
