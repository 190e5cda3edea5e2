import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { until } from "../support/controlplane/apiserver-client.ts";
import { runCommand } from "../support/controlplane/command.ts";
import { processesMentioning } from "../support/controlplane/processes.ts";
import { CONTROL_PLANE_TIMEOUT_MS, type ControlPlane, startControlPlane } from "../support/controlplane.ts";

const DEPLOYMENT = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.test/web}]}
`;

describe("a control plane for tests", () => {
  let plane: ControlPlane;
  beforeAll(async () => {
    plane = await startControlPlane({ controllerManager: "on" });
  }, CONTROL_PLANE_TIMEOUT_MS);
  afterAll(() => plane?.stop());

  it("is the Kubernetes version that go.mod pins, and its clients know theirs", async () => {
    const goMod = readFileSync(new URL("../controlplane/go.mod", import.meta.url), "utf8");
    const pinned = (module: string) => new RegExp(`^\\t${module} (v\\S+)`, "m").exec(goMod)?.[1];

    const versions = JSON.parse((await plane.kubectl(["version", "--output=json"])).stdout);
    expect(versions.serverVersion.gitVersion).toBe(pinned("k8s.io/kubernetes"));
    expect(versions.clientVersion.gitVersion).toBe(pinned("k8s.io/kubernetes"));
    expect((await plane.helm(["version", "--short"])).stdout).toContain(pinned("helm.sh/helm/v4"));
  });

  it("keeps its objects while the API server is away", async () => {
    const namespace = await plane.newNamespace();
    const inNamespace = `--namespace=${namespace}`;
    await plane.kubectl(["create", "configmap", "kept", "--from-literal=greeting=hello", inNamespace]);
    const read = () => plane.kubectl(["get", "configmap", "kept", "--output=jsonpath={.data.greeting}", inNamespace]);
    const server = plane.server;

    await plane.stopApiServer();
    const refused = await read();
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("refused");

    await plane.startApiServer();
    expect(plane.server).toBe(server);
    expect(await read()).toEqual({ code: 0, stdout: "hello", stderr: "" });
  });

  it("runs controllers: a Deployment gets its ReplicaSet and pod, a deleted namespace goes", async () => {
    const namespace = await plane.newNamespace("apps");
    const inNamespace = `--namespace=${namespace}`;
    const applied = await plane.kubectl(["apply", "--filename=-", inNamespace], { stdin: DEPLOYMENT });
    expect(applied).toEqual({ code: 0, stdout: "deployment.apps/web created\n", stderr: "" });

    const names = async (kind: string) => (await plane.kubectl(["get", kind, "--output=name", inNamespace])).stdout;
    await until("the ReplicaSet is there", 15_000, async () => (await names("replicaset")).includes("/web-"));
    await until("its pod is there", 15_000, async () => (await names("pod")).includes("/web-"));

    const deleted = await plane.kubectl(["delete", "namespace", namespace, "--timeout=30s"]);
    expect(deleted.stderr).toBe("");
    expect(deleted.code).toBe(0);
  }, 60_000);

  it("lets a ServiceAccount do what RBAC grants it and nothing else", async () => {
    const namespace = await plane.newNamespace();
    const inNamespace = `--namespace=${namespace}`;
    const account = { namespace, name: "reader" };
    await plane.kubectl(["create", "serviceaccount", account.name, inNamespace]);
    await plane.kubectl(["create", "role", "reads", "--verb=list", "--resource=configmaps", inNamespace]);
    const subject = `--serviceaccount=${namespace}:${account.name}`;
    await plane.kubectl(["create", "rolebinding", "reads", "--role=reads", subject, inNamespace]);

    const env = { KUBECONFIG: await plane.serviceAccountKubeconfig(account) };
    const granted = await plane.kubectl(["get", "configmaps", inNamespace], { env });
    const denied = await plane.kubectl(["get", "secrets", inNamespace], { env });

    expect(granted.code).toBe(0);
    expect(denied.code).toBe(1);
    expect(denied.stderr).toContain(`User "system:serviceaccount:${namespace}:reader" cannot list resource "secrets"`);
  });

  it(
    "says why when a server does not start, and leaves nothing",
    async () => {
      const tmp = mkdtempSync(join(tmpdir(), "holdfast-failing-"));
      const { code, stderr } = await runScript('await startControlPlane({ apiServerArgs: ["--no-such-flag"] });', tmp);
      expect(code).toBe(1);
      expect(stderr).toContain("kube-apiserver ended with code 1; its log ends:");
      expect(stderr).toContain("unknown flag: --no-such-flag");
      expect(processesMentioning(tmp)).toEqual([]);
      expect(readdirSync(tmp)).toEqual([]);
      rmSync(tmp, { recursive: true });
    },
    CONTROL_PLANE_TIMEOUT_MS,
  );

  it("leaves no process and no folder when it is stopped", async () => {
    expect(processesMentioning(plane.dir)).not.toEqual([]);

    await plane.stop();

    expect(processesMentioning(plane.dir)).toEqual([]);
    expect(existsSync(plane.dir)).toBe(false);
  });

  it(
    "ends with the process that started it, even when that one is killed",
    async () => {
      const tmp = mkdtempSync(join(tmpdir(), "holdfast-killed-"));
      const script = 'await startControlPlane(); process.kill(process.pid, "SIGKILL");';
      expect(await runScript(script, tmp)).toMatchObject({ code: null, stderr: "" });

      await until("no process is left", 10_000, async () => processesMentioning(tmp).length === 0);
      expect(readdirSync(tmp)).toHaveLength(1); // it had started: nobody was left to remove its folder
      rmSync(tmp, { recursive: true });
    },
    CONTROL_PLANE_TIMEOUT_MS,
  );
});

/** Runs a script in a process of its own, with its own folder for temporary files. */
function runScript(script: string, tmp: string) {
  const module = JSON.stringify(new URL("../support/controlplane.ts", import.meta.url).href);
  const code = `import { startControlPlane } from ${module};\n${script}`;
  return runCommand(process.execPath, ["--input-type=module-typescript", "--eval", code], { env: { TMPDIR: tmp } });
}
