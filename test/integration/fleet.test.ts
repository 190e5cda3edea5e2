// The operator runs a fleet on a real API server with real controllers. There is no kubelet: pods come to be and stay Pending.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import type { WebSocketGatewayStatus } from "../../crds/websocketgateway.ts";
import { createKubeClient, type KubeClient } from "../../kube/client.ts";
import { isNotFound } from "../../kube/error.ts";
import { renewLease } from "../../kube/lease.ts";
import type { KubeObject } from "../../kube/objects.ts";
import { RESOURCES, type Resource } from "../../kube/resources.ts";
import { FLEET_RESOURCES } from "../../operator/fleet/objects.ts";
import { CONTROL_PLANE_TIMEOUT_MS, type ControlPlane, startControlPlane } from "../support/controlplane.ts";
import { eventually } from "../support/eventually.ts";
import {
  apply,
  condition,
  conditionOf,
  gatewayTarget,
  installDefinitions,
  manifestsIn,
  startTestOperator,
  type TestOperator,
  type WithStatus,
} from "../support/operator.ts";

type Fleet = KubeObject & {
  readonly spec: Readonly<Record<string, never>>;
  readonly rules?: readonly object[];
  readonly status?: WebSocketGatewayStatus & Readonly<Record<string, never>>;
};

const IMAGE = { image: "registry.example/holdfast:1", pullSecrets: [] };
const NAME = "holdfast-public";
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
/** Controllers and garbage collection take their time on a busy machine. */
const WITHIN_MS = 20_000;

let plane: ControlPlane;
let client: KubeClient;
let namespace: string;
let operator: TestOperator;

beforeAll(async () => {
  plane = await startControlPlane({ controllerManager: "on" });
  client = createKubeClient({ kubeconfig: plane.kubeconfig });
  await installDefinitions(plane);
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(async () => {
  client?.close();
  await plane?.stop();
});
beforeEach(async () => {
  namespace = await plane.newNamespace("edge");
  await plane.kubectl(["label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted"]);
  operator = await startTestOperator(client, { gatewayImage: IMAGE });
}, 30_000);
afterEach(async () => {
  await operator.stop();
  await client.delete(gatewayTarget(namespace));
});

const find = (resource: Resource, name = NAME): Promise<Fleet | undefined> =>
  client.get<Fleet>({ resource, namespace, name }).catch((error) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
const appears = (resource: Resource, name = NAME) =>
  eventually(`${resource.kind} ${name} is there`, () => find(resource, name), WITHIN_MS);
const disappears = (resource: Resource, name = NAME) =>
  eventually(`${resource.kind} ${name} is gone`, async () => (await find(resource, name)) === undefined, WITHIN_MS);
const replicas = (count: number) =>
  eventually(
    `${count} replicas`,
    async () => ((await find(RESOURCES.deployments))?.spec.replicas as unknown) === count,
    WITHIN_MS,
  );
const podNames = async () => {
  const pods = await client.list({ resource: RESOURCES.pods, namespace }, { labelSelector: "holdfast.dev/role=pod" });
  return pods.items.map(({ metadata }) => metadata.name);
};
const pods = (count: number) =>
  eventually(
    `${count} pods`,
    async () => {
      const names = await podNames();
      return names.length === count ? names : undefined;
    },
    WITHIN_MS,
  );

const gateway = (spec: object = {}) => {
  const manifest = manifestsIn(namespace).gateway();
  return { ...manifest, spec: { ...manifest.spec, ...spec } };
};
/** Replaces the gateway's spec as a whole. */
const give = (spec: object = {}) => apply(plane, gateway(spec));
const statusOf = async () => (await client.get<Fleet>(gatewayTarget(namespace))).status;

/** Waits until the operator has nothing more to write, and resolves to how often it has written. */
async function settled(): Promise<number> {
  let [count, since] = [await operator.writes(), Date.now()];
  await eventually(
    "nothing is written for two seconds",
    async () => {
      const now = await operator.writes();
      if (now !== count) [count, since] = [now, Date.now()];
      return Date.now() - since >= 2_000;
    },
    WITHIN_MS,
  );
  return count;
}

describe("a fleet", () => {
  it("comes to be, says how far it is, and is not written again", async () => {
    await give();
    for (const resource of FLEET_RESOURCES) {
      if (resource !== RESOURCES.horizontalPodAutoscalers) await appears(resource);
    }
    await appears(RESOURCES.services, `${NAME}-api`);
    await pods(2);
    const object = await condition(
      client,
      gatewayTarget(namespace),
      { type: "Programmed", reason: "NoPods" },
      WITHIN_MS,
    );
    expect(object.status?.pods).toBe("0/2");
    expect(conditionOf(object, "Programmed")?.message).toContain("2 of 2 pods have not started to report");

    const writes = await settled();
    await new Promise((resolve) => setTimeout(resolve, 10_000)); // idle time is what this is about
    expect(await operator.writes()).toBe(writes);
  }, 60_000);

  it("tells the addresses that its load balancer gave", async () => {
    await give();
    await appears(RESOURCES.services);
    await settled();
    expect((await statusOf())?.addresses).toEqual([]);
    const service = { apiVersion: "v1", kind: "Service", metadata: { name: NAME, namespace } };
    const ingress = [{ ip: "192.0.2.7" }, { hostname: "lb.example.com" }];
    await client.patchStatus({ resource: RESOURCES.services, namespace, name: NAME }, {
      ...service,
      status: { loadBalancer: { ingress } },
    } as KubeObject);
    const told = await eventually(
      "the addresses are told",
      async () => {
        const addresses = (await statusOf())?.addresses ?? [];
        return addresses.length > 0 && addresses;
      },
      WITHIN_MS,
    );
    expect(told).toEqual([
      { type: "IPAddress", value: "192.0.2.7" },
      { type: "Hostname", value: "lb.example.com" },
    ]);
  }, 40_000);

  it("follows its gateway, and loses what is not wanted any more", async () => {
    await give({ replicas: 3, service: { type: "NodePort", annotations: { "example.com/a": "b" } } });
    await pods(3);
    await appears(RESOURCES.podDisruptionBudgets);
    expect(await find(RESOURCES.services)).toMatchObject({
      metadata: { annotations: { "example.com/a": "b" } },
      spec: { type: "NodePort" },
    });

    await give({ replicas: 1, service: { type: "ClusterIP" }, podTemplate: { labels: { team: "a" } } });
    await disappears(RESOURCES.podDisruptionBudgets);
    await replicas(1);
    await eventually(
      "the Service is as it is wanted now",
      async () => {
        const service = await find(RESOURCES.services);
        return (service?.spec.type as unknown) === "ClusterIP" && !service?.metadata.annotations?.["example.com/a"];
      },
      WITHIN_MS,
    );
    expect(await find(RESOURCES.deployments)).toMatchObject({
      spec: { template: { metadata: { labels: { team: "a" } } } },
    });
  }, 60_000);

  it("keeps its number of pods when an autoscaler takes over, and gets the wanted one back after it", async () => {
    await give({ replicas: 4 });
    await pods(4);
    const seen = new Set<number>();
    const watching = new AbortController();
    const { metadata } = await client.list({ resource: RESOURCES.deployments, namespace });
    const events = await client.watch(
      { resource: RESOURCES.deployments, namespace },
      { resourceVersion: metadata.resourceVersion ?? "", timeoutSeconds: 60, signal: watching.signal },
    );
    const following = (async () => {
      for await (const { object } of events) seen.add((object as Fleet).spec.replicas as unknown as number);
    })().catch(() => undefined);

    await give({ autoscaling: { min: 2, max: 9, connectionsPerPod: 15_000 } });
    await appears(RESOURCES.horizontalPodAutoscalers);
    await settled();
    // Somebody else's number stays from now on: the autoscaler's.
    await plane.kubectl(["scale", `deployment/${NAME}`, "--replicas=6", `--namespace=${namespace}`]);
    await pods(6);
    await settled();
    watching.abort();
    await following;
    expect([...seen].sort()).toEqual([4, 6]);

    await give({ replicas: 3 });
    await disappears(RESOURCES.horizontalPodAutoscalers);
    await replicas(3);
  }, 90_000);

  it.each(FLEET_RESOURCES.map((resource) => [resource.kind, resource] as const))(
    "gets its %s back when somebody deletes it",
    async (_kind, resource) => {
      await give({ autoscaling: { min: 1, max: 3, connectionsPerPod: 100 } });
      const before = await appears(resource);
      await settled();
      await client.delete({ resource, namespace, name: NAME });
      const after = await eventually(
        "another one is there",
        async () => {
          const now = await find(resource);
          return now?.metadata.uid === before.metadata.uid ? undefined : now;
        },
        WITHIN_MS,
      );
      expect(after.metadata.labels).toEqual(before.metadata.labels);
      expect(after.metadata.ownerReferences).toEqual(before.metadata.ownerReferences);
    },
    40_000,
  );

  it("is put right where somebody changed it, and keeps what somebody added", async () => {
    await give();
    await appears(RESOURCES.podDisruptionBudgets);
    await settled();
    const role = { resource: RESOURCES.roles, namespace, name: NAME };
    const before = await client.get<Fleet>(role);
    await client.merge(role, {
      metadata: { labels: { mine: "yes" } },
      rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"] }],
    });
    await client.merge(
      { resource: RESOURCES.deployments, namespace, name: NAME },
      { spec: { replicas: 7, template: { metadata: { annotations: { theirs: "stays" } } } } },
    );
    const rules = JSON.stringify(before.rules);
    await eventually(
      "the rules are back",
      async () => JSON.stringify((await find(RESOURCES.roles))?.rules) === rules,
      WITHIN_MS,
    );
    await replicas(2);
    expect((await find(RESOURCES.roles))?.metadata.labels).toMatchObject({ mine: "yes" });
    expect(await find(RESOURCES.deployments)).toMatchObject({
      spec: { template: { metadata: { annotations: { theirs: "stays" } } } },
    });
    const writes = await settled();
    expect(await operator.writes()).toBe(writes);
  }, 40_000);

  it("weighs its pods by their connections, and no other pod", async () => {
    await give({ replicas: 2 });
    const [first = "", second = ""] = await pods(2);
    const stranger = { apiVersion: "v1", kind: "Pod", metadata: { name: "stranger", namespace }, spec: STRANGER };
    await apply(plane, stranger);
    const acknowledge = (name: string, connections: number) =>
      renewLease(client, {
        namespace,
        name: `${NAME}-${name}`,
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
    const costOf = async (name: string) => (await find(RESOURCES.pods, name))?.metadata.annotations?.[COST];
    await eventually("the busy pod has its cost", async () => (await costOf(first)) === "500", WITHIN_MS);
    await settled();
    expect([await costOf(second), await costOf("stranger")]).toEqual([undefined, undefined]);
  }, 40_000);

  it.each(["background", "foreground"])(
    "goes with its gateway, deleted in the %s",
    async (cascade) => {
      await give({ autoscaling: { min: 2, max: 3, connectionsPerPod: 100 } });
      await appears(RESOURCES.horizontalPodAutoscalers);
      await plane.kubectl(["delete", "wsg/public", `--cascade=${cascade}`, `--namespace=${namespace}`]);
      for (const resource of FLEET_RESOURCES) await disappears(resource);
      await disappears(RESOURCES.services, `${NAME}-api`);
      await disappears(RESOURCES.configMaps);
      await disappears(RESOURCES.secrets);
      await eventually("no pod is left", async () => (await podNames()).length === 0, WITHIN_MS);
    },
    60_000,
  );

  it("belongs to the new gateway of the name when the old one was deleted and made again", async () => {
    await give();
    const old = await appears(RESOURCES.deployments);
    await client.delete(gatewayTarget(namespace));
    await give();
    const { metadata } = await client.get(gatewayTarget(namespace));
    for (const resource of [RESOURCES.serviceAccounts, RESOURCES.deployments, RESOURCES.podDisruptionBudgets]) {
      const owned = async () => {
        const object = await find(resource);
        return (
          object?.metadata.ownerReferences?.length === 1 && object.metadata.ownerReferences[0]?.uid === metadata.uid
        );
      };
      await eventually(`${resource.kind} has the new owner`, owned, WITHIN_MS);
    }
    await settled();
    expect((await find(RESOURCES.deployments))?.metadata.ownerReferences?.[0]?.uid).not.toBe(
      old.metadata.ownerReferences?.[0]?.uid,
    );
  }, 60_000);

  it("is let go when it is managed by somebody else, and its configuration is still written", async () => {
    await give();
    await pods(2);
    await give({ management: "External" });
    for (const resource of FLEET_RESOURCES) await disappears(resource);
    await settled();
    expect(await find(RESOURCES.configMaps)).toBeDefined();
    expect((await statusOf())?.pods).toBe("0/0");
  }, 60_000);

  it("is left as it is by an operator that has no image", async () => {
    await give();
    await pods(2);
    await settled();
    await operator.stop();
    operator = await startTestOperator(client);
    await give({ drain: { timeout: "7s" } });
    await condition(client, gatewayTarget(namespace), { type: "Accepted", status: "True" }, WITHIN_MS);
    await settled();
    expect(await find(RESOURCES.deployments)).toMatchObject({
      spec: { replicas: 2, template: { spec: { terminationGracePeriodSeconds: 75 } } },
    });
    await give({ replicas: 1 });
    const refused = await condition(client, gatewayTarget(namespace), { type: "Accepted", status: "False" }, WITHIN_MS);
    expect(conditionOf(refused, "Accepted")).toMatchObject({
      reason: "UnsupportedValue",
      message:
        "this operator runs no gateway pods, which spec.replicas would need: start it with --gateway-image, or remove it",
    });
  }, 60_000);
});

describe("a fleet that cannot be as it should says why", () => {
  const programmed = (wanted: object) =>
    condition(client, gatewayTarget(namespace), { type: "Programmed", ...wanted }, WITHIN_MS);

  it("when an object of the name is somebody else's, which stays as it is", async () => {
    const theirs = {
      ...manifestsIn(namespace).service(NAME),
      metadata: { name: NAME, namespace, labels: { app: "theirs" } },
    };
    await apply(plane, theirs);
    const before = await appears(RESOURCES.services);
    await give();
    const object = await programmed({ reason: "ObjectNotOwned" });
    expect(conditionOf(object, "Programmed")?.message).toBe(
      `Service ${namespace}/${NAME} exists and does not belong to this gateway: delete it, or rename the gateway`,
    );
    await settled();
    expect(await find(RESOURCES.services)).toEqual(before);
    expect(await find(RESOURCES.deployments)).toBeUndefined();

    await client.delete({ resource: RESOURCES.services, namespace, name: NAME });
    await pods(2);
    await programmed({ reason: "NoPods" });
  }, 60_000);

  it.each([
    ["wrong", { nodeSelector: { "no key": "a" } }, /^Deployment .* is invalid: spec.template.spec.nodeSelector/],
    ["of the wrong type", { affinity: { nodeAffinity: "a" } }, /^Deployment .*affinity\.nodeAffinity: expected map/],
  ])(
    "when an object is %s, in the API server's words, and goes on as soon as the gateway is changed",
    async (_what, podTemplate, words) => {
      await give({ podTemplate });
      const object = await programmed({ reason: "FleetRefused" });
      expect(conditionOf(object, "Programmed")?.message).toMatch(words);
      await settled();
      await give({ podTemplate: { nodeSelector: { key: "a" } } });
      await pods(2);
    },
    60_000,
  );

  it("when its pods are not let into the namespace", async () => {
    const limits = [{ type: "Container", min: { memory: "64Gi" } }];
    await apply(plane, {
      apiVersion: "v1",
      kind: "LimitRange",
      metadata: { name: "large", namespace },
      spec: { limits },
    });
    await give();
    const told = await eventually(
      "the refusal is told",
      async () => {
        const object = await client.get<WithStatus>(gatewayTarget(namespace));
        const message = conditionOf(object, "Programmed")?.message ?? "";
        return message.includes("minimum memory usage per Container is 64Gi") && message;
      },
      WITHIN_MS,
    );
    expect(told).toContain("2 of 2 pods have not started to report");
  }, 40_000);
});
