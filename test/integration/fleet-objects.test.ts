// What is rendered for a fleet, held against the real API server, in a namespace that admits only restricted pods.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { createKubeClient, type KubeClient } from "../../kube/client.ts";
import { renewLease } from "../../kube/lease.ts";
import { RESOURCES } from "../../kube/resources.ts";
import { covers, withHash } from "../../operator/fleet/compare.ts";
import { fleetNames, fleetOf } from "../golden/fleet/run.ts";
import { CONTROL_PLANE_TIMEOUT_MS, type ControlPlane, startControlPlane } from "../support/controlplane.ts";

let plane: ControlPlane;
let namespace: string;
beforeAll(async () => {
  plane = await startControlPlane();
  namespace = await plane.newNamespace();
  const restricted = ["enforce", "warn", "audit"].map((mode) => `pod-security.kubernetes.io/${mode}=restricted`);
  await plane.kubectl(["label", "namespace", namespace, ...restricted]);
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(() => plane?.stop());

const list = (items: readonly object[]) => JSON.stringify({ apiVersion: "v1", kind: "List", items });
type Rendered = { kind: string; spec: { template: { metadata: object; spec: object } } };

describe.each(fleetNames())("the fleet %s", (name) => {
  const objects = () => fleetOf(name, namespace).map(withHash);

  it("is accepted as it is, without a warning, and nothing in it is changed but by defaults", async () => {
    const args = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--output=json", "--filename=-"];
    const { stdout, stderr } = await plane.kubectl(args, { stdin: list(objects()) });
    expect(stderr).toBe("");
    const { items } = JSON.parse(stdout) as { items: object[] };
    expect(items).toHaveLength(objects().length);
    for (const [index, object] of objects().entries()) expect(covers(items[index], object)).toBe(true);
  });

  it("has pods that a restricted namespace admits", async () => {
    const deployment = (objects() as unknown as Rendered[]).find(({ kind }) => kind === "Deployment")!;
    const { metadata, spec } = deployment.spec.template;
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, name: "a", namespace }, spec };
    const created = await plane.kubectl(["create", "--dry-run=server", "--validate=strict", "--filename=-"], {
      stdin: JSON.stringify(pod),
    });
    expect(created).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("a pod's ServiceAccount", () => {
  const name = "holdfast-public";
  let admin: KubeClient;
  let pod: KubeClient;
  beforeAll(async () => {
    admin = createKubeClient({ kubeconfig: plane.kubeconfig });
    const access = fleetOf("minimal", namespace).filter(({ kind }) => /^(ServiceAccount|Role|RoleBinding)$/.test(kind));
    await plane.kubectl(["apply", "--server-side", "--filename=-"], { stdin: list(access) });
    await plane.kubectl(["create", "secret", "generic", name, "--from-literal=a=b", `--namespace=${namespace}`]);
    await plane.kubectl(["create", "secret", "generic", "other", "--from-literal=a=b", `--namespace=${namespace}`]);
    pod = createKubeClient({ kubeconfig: await plane.serviceAccountKubeconfig({ namespace, name }) });
  }, 30_000);
  afterAll(() => {
    admin?.close();
    pod?.close();
  });
  const forbidden = { status: 403 };

  it("may list and watch the ConfigMaps of its namespace and the one Secret", async () => {
    const signal = new AbortController();
    const secret = { resource: RESOURCES.secrets, namespace };
    const fieldSelector = `metadata.name=${name}`;
    const { items, metadata } = await pod.list(secret, { fieldSelector });
    expect(items).toHaveLength(1);
    const version = { resourceVersion: metadata.resourceVersion ?? "", timeoutSeconds: 5, signal: signal.signal };
    await pod.watch(secret, { fieldSelector, ...version });
    await pod.list({ resource: RESOURCES.configMaps, namespace });
    signal.abort();
  });

  it("may write and remove its Lease", async () => {
    const lease = { namespace, name: `${name}-a`, holder: "a", durationSeconds: 6, fieldManager: "holdfast-gateway" };
    await renewLease(pod, { ...lease, now: Date.now() });
    await renewLease(pod, { ...lease, now: Date.now() });
    await pod.delete({ resource: RESOURCES.leases, namespace, name: lease.name });
  });

  it("may do nothing else", async () => {
    const secrets = { resource: RESOURCES.secrets, namespace };
    await expect(pod.list(secrets)).rejects.toMatchObject(forbidden);
    await expect(pod.get({ ...secrets, name: "other" })).rejects.toMatchObject(forbidden);
    await expect(pod.merge({ ...secrets, name }, { data: {} })).rejects.toMatchObject(forbidden);
    await expect(pod.list({ resource: RESOURCES.configMaps, namespace: "default" })).rejects.toMatchObject(forbidden);
    await expect(pod.list({ resource: RESOURCES.webSocketGateways, namespace })).rejects.toMatchObject(forbidden);
    await expect(pod.list({ resource: RESOURCES.pods, namespace })).rejects.toMatchObject(forbidden);
  });
});
