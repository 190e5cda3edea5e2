// `helm install` on a real API server with RBAC on: the operator with no other permissions than the chart gives it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { createKubeClient, type KubeClient } from "../../kube/client.ts";
import type { KubeObject } from "../../kube/objects.ts";
import { RESOURCES } from "../../kube/resources.ts";
import { CHART, findHelms, HELM_TIMEOUT_MS, type Helm, type Helms, NAMESPACE } from "../support/chart.ts";
import { type ControlPlane, startControlPlane } from "../support/controlplane.ts";
import { eventually } from "../support/eventually.ts";
import { type HoldfastProcess, startHoldfast } from "../support/holdfast.ts";
import {
  apply,
  condition,
  conditionOf,
  gatewayTarget,
  manifestsIn,
  type PretendedPod,
  pretendPod,
  routeTarget,
} from "../support/operator.ts";

const WITHIN_MS = 20_000;

let helms: Helms;
let plane: ControlPlane;
let client: KubeClient;
let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "holdfast-install-"));
  helms = await findHelms();
  plane = await startControlPlane({ controllerManager: "on" });
  client = createKubeClient({ kubeconfig: plane.kubeconfig });
}, HELM_TIMEOUT_MS);
afterAll(async () => {
  client?.close();
  await plane?.stop();
  helms?.clean();
  rmSync(dir, { recursive: true, force: true });
});

/** @throws Error with Helm's words when it fails. */
async function run(helm: Helm, args: readonly string[], values: object = {}): Promise<string> {
  const options = { kubeconfig: plane.kubeconfig, stdin: JSON.stringify(values) };
  const { code, stdout, stderr } = await helm.run([...args, `--namespace=${NAMESPACE}`], options);
  if (code !== 0) throw new Error(`helm ${args.join(" ")}: ${stderr}`);
  return stdout + stderr;
}

const install = (helm: Helm, values: object = {}) =>
  run(helm, ["install", "holdfast", CHART, "--create-namespace", "--values=-"], values);
const upgrade = (helm: Helm, values: object = {}) => run(helm, ["upgrade", "holdfast", CHART, "--values=-"], values);
const uninstall = (helm: Helm) => run(helm, ["uninstall", "holdfast"]);

async function exists(kind: string, name: string): Promise<boolean> {
  const { stdout } = await plane.kubectl([
    "get",
    kind,
    name,
    `--namespace=${NAMESPACE}`,
    "--ignore-not-found",
    "--output=name",
  ]);
  return stdout.trim() !== "";
}

/** The operator as the chart's Deployment starts it, as the chart's ServiceAccount. */
async function startOperator(): Promise<HoldfastProcess> {
  const { stdout } = await plane.kubectl([
    "get",
    "deployment/holdfast-operator",
    `--namespace=${NAMESPACE}`,
    "--output=json",
  ]);
  const [container] = JSON.parse(stdout).spec.template.spec.containers as { args: string[] }[];
  const kubeconfig = await plane.serviceAccountKubeconfig({ namespace: NAMESPACE, name: "holdfast-operator" });
  const own = ["--kubeconfig", kubeconfig, "--host=127.0.0.1", "--admin-port=0", `--leader-namespace=${NAMESPACE}`];
  return startHoldfast({ name: "operator", args: [...(container?.args ?? []), ...own, "--leader-retry=200ms"], dir });
}

/** What the API server did not let it do. */
const forbidden = (operator: HoldfastProcess) =>
  operator.lines().filter((line) => /is forbidden: User/.test(JSON.stringify(line)));

describe("the operator with the chart's permissions", () => {
  let operator: HoldfastProcess;
  let pod: PretendedPod;
  beforeAll(async () => {
    await plane.kubectl(["create", "namespace", "apps"]);
    await plane.kubectl(["create", "namespace", "other"]);
    await install(helms.latest, { rbac: { secretNamespaces: ["apps"] } });
    operator = await startOperator();
  }, 60_000);
  afterAll(async () => {
    await pod?.leave();
    await operator?.kill();
    await uninstall(helms.latest);
    await plane.kubectl(["delete", "crd", "--all"]);
    await plane.kubectl(["delete", "namespace", NAMESPACE, "apps", "other"]);
  }, 60_000);

  it("makes the default gateway and the fleet that runs it", async () => {
    await eventually("the gateway", () => exists("wsg", "public"), WITHIN_MS);
    await condition(client, gatewayTarget(NAMESPACE), { type: "Accepted", status: "True" }, WITHIN_MS);
    for (const kind of ["serviceaccount", "role", "rolebinding", "networkpolicy", "service", "deployment", "pdb"])
      await eventually(`the ${kind}`, () => exists(kind, "holdfast-public"), WITHIN_MS);
    await eventually(
      "the pods",
      async () => {
        const pods = await client.list<KubeObject>(
          { resource: RESOURCES.pods, namespace: NAMESPACE },
          { labelSelector: "holdfast.dev/gateway=public" },
        );
        return pods.items.length === 2;
      },
      WITHIN_MS,
    );
  }, 60_000);

  it("gets a route of another namespace served, with a Secret of it", async () => {
    const { route, service, endpoints, secret } = manifestsIn("apps");
    pod = pretendPod({ client, namespace: NAMESPACE, gateway: "public", name: "a" });
    const apiKeys = { secretRef: { name: "keys" }, sources: [{ header: "X-Api-Key" }] };
    const spec = { parentRefs: undefined, authentication: { apiKeys } };
    await apply(plane, service(), endpoints(), secret("keys", { alice: "precious" }), route("chat", spec));
    for (const type of ["Accepted", "ResolvedRefs", "Programmed"])
      await condition(client, routeTarget("apps", "chat"), { type, status: "True" }, WITHIN_MS);
  }, 60_000);

  it("was refused nothing", () => {
    expect(forbidden(operator)).toEqual([]);
  });

  it("names the permission that is missing for a Secret of a namespace that is not named", async () => {
    const { route, service, endpoints, secret } = manifestsIn("other");
    const apiKeys = { secretRef: { name: "keys" }, sources: [{ header: "X-Api-Key" }] };
    const spec = { parentRefs: undefined, authentication: { apiKeys } };
    await apply(plane, service(), endpoints(), secret("keys", { alice: "precious" }), route("chat", spec));
    const wanted = { type: "ResolvedRefs", status: "False", reason: "SecretForbidden" };
    const told = await condition(client, routeTarget("other", "chat"), wanted, WITHIN_MS);
    expect(conditionOf(told, "ResolvedRefs")?.message).toBe(
      "Secret other/keys may not be read: the operator needs get, list and watch of secrets in namespace other (rbac.secretNamespaces of the Helm chart)",
    );
    // The others go on.
    expect(conditionOf(await client.get(routeTarget("apps", "chat")), "ResolvedRefs")?.status).toBe("True");
  }, 60_000);

  it("reads it once the chart is told to", async () => {
    await upgrade(helms.latest, { rbac: { secretNamespaces: ["apps", "other"] } });
    await condition(client, routeTarget("other", "chat"), { type: "ResolvedRefs", status: "True" }, WITHIN_MS);
  }, 60_000);

  it("says of a gateway in a namespace that is not named why nothing comes of it", async () => {
    await apply(plane, manifestsIn("other").gateway("stray"));
    const wanted = { type: "Programmed", status: "False", reason: "WriteForbidden" };
    const told = await condition(client, gatewayTarget("other", "stray"), wanted, WITHIN_MS);
    expect(conditionOf(told, "Programmed")?.message).toMatch(/in the namespace "other"/);
    await plane.kubectl(["delete", "wsg/stray", "--namespace=other"]);
  }, 60_000);

  it("follows the values: another number of pods, another name, no gateway", async () => {
    const values = { rbac: { secretNamespaces: ["apps", "other"] } };
    await upgrade(helms.latest, { ...values, gateway: { replicas: 3 } });
    await eventually(
      "three pods are wanted",
      async () => {
        const { stdout } = await plane.kubectl([
          "get",
          "deployment/holdfast-public",
          `--namespace=${NAMESPACE}`,
          "--output=jsonpath={.spec.replicas}",
        ]);
        return stdout === "3";
      },
      WITHIN_MS,
    );
    await upgrade(helms.latest, { ...values, gateway: { name: "edge" } });
    await eventually("the other one is there", () => exists("wsg", "edge"), WITHIN_MS);
    await eventually("the first one is gone", async () => !(await exists("wsg", "public")), WITHIN_MS);
    await upgrade(helms.latest, { ...values, gateway: { enabled: false } });
    // The garbage collector looks for new kinds, such as ours, every 30 s only.
    await eventually("it goes with its ConfigMap", async () => !(await exists("wsg", "edge")), 60_000);
    await eventually("and its fleet goes too", async () => !(await exists("deployment", "holdfast-edge")), 60_000);
    const elsewhere = forbidden(operator).filter((line) => !/namespace \\*"other/.test(JSON.stringify(line)));
    expect(elsewhere).toEqual([]);
  }, 180_000);
});

describe("both Helms", () => {
  it.each(["3", "4"])(
    "install, upgrade and uninstall: Helm %s",
    async (version) => {
      const helm = helms.both.find((each) => each.version === version) as Helm;
      const words = await install(helm);
      expect(words).toContain(`kubectl wait --for=condition=Ready wsg/public --namespace ${NAMESPACE}`);
      expect(await upgrade(helm, { operator: { replicas: 3 }, crds: { keep: true } })).toContain("has been upgraded");
      await uninstall(helm);
      expect(await exists("deployment", "holdfast-operator")).toBe(false);
      // Kept, and with them what people made.
      expect(await exists("crd", "websocketroutes.holdfast.dev")).toBe(true);
      await install(helm, { crds: { keep: false } });
      await uninstall(helm);
      await eventually(
        "the definitions go",
        async () => !(await exists("crd", "websocketroutes.holdfast.dev")),
        WITHIN_MS,
      );
      await plane.kubectl(["delete", "namespace", NAMESPACE]);
    },
    120_000,
  );
});
