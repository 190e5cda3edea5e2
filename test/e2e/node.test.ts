import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { until } from "../support/controlplane/apiserver-client.ts";
import { runCommand } from "../support/controlplane/command.ts";
import { processesMentioning } from "../support/controlplane/processes.ts";
import { buildImage } from "./images.ts";
import { NODE_TIMEOUT_MS, type Node, startNode } from "./node.ts";

const IMAGE = "localhost/holdfast-e2e/web:1";
const WEB = `
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  dnsPolicy: Default
  containers:
    - name: web
      image: ${IMAGE}
      imagePullPolicy: Never
      args: [sh, -c, "mkdir /www && echo it works > /www/index.html && exec busybox httpd -f -v -p 8080 -h /www"]
      env: [{name: PATH, value: /bin}]
      resources: {limits: {memory: 32Mi, cpu: 200m}}
      readinessProbe: {exec: {command: [busybox, test, -e, /www/index.html]}, periodSeconds: 1, failureThreshold: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`;

describe("a node", () => {
  let node: Node;
  let tmp: string;
  beforeAll(async () => {
    tmp = mkdtempSync(join(tmpdir(), "holdfast-e2e-"));
    node = await startNode();
    const archive = join(tmp, "web.tar");
    const dockerfile = 'FROM scratch\nCOPY busybox /bin/busybox\nENTRYPOINT ["/bin/busybox"]\n';
    await buildImage({ tag: IMAGE, files: ["/bin/busybox"], dockerfile }, archive);
    await node.loadImage(archive);
  }, NODE_TIMEOUT_MS);
  afterAll(async () => {
    await node?.stop();
    rmSync(tmp, { recursive: true });
  });

  const kubectl = async (...args: string[]) => {
    const { code, stdout, stderr } = await node.plane.kubectl(args);
    return { code, out: stdout + stderr };
  };
  const field = async (object: string, path: string) =>
    (await node.plane.kubectl(["get", object, `--output=jsonpath={${path}}`])).stdout;
  /** What a GET from inside the node answers. */
  const getInside = (url: string) =>
    node.run(process.execPath, ["--eval", `fetch("${url}").then((r) => r.text()).then(console.log)`]);

  it("runs a pod, reaches it through its Service, probes it and lets it go", async () => {
    const applied = await node.plane.kubectl(["apply", "--filename=-"], { stdin: WEB });
    expect(applied.stderr).toBe("");
    expect(await kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=30s")).toMatchObject({ code: 0 });

    const clusterIp = await field("service/web", ".spec.clusterIP");
    const nodePort = await field("service/web", ".spec.ports[0].nodePort");
    await until("the ClusterIP answers inside", 10_000, async () => {
      return (await getInside(`http://${clusterIp}/`)).stdout.trim() === "it works";
    });
    expect((await (await fetch(`http://${node.address}:${nodePort}/`)).text()).trim()).toBe("it works");

    expect(await kubectl("exec", "web", "--", "busybox", "cat", "/www/index.html")).toEqual({
      code: 0,
      out: "it works\n",
    });
    // The API server as a pod sees it: through the Service "kubernetes".
    const apiServer = "echo | busybox nc -w 2 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT";
    expect(await kubectl("exec", "web", "--", "busybox", "sh", "-c", apiServer)).toMatchObject({ code: 0 });
    expect((await kubectl("logs", "web")).out).toContain("response:200");

    await kubectl("exec", "web", "--", "busybox", "rm", "/www/index.html");
    expect(await kubectl("wait", "--for=condition=Ready=false", "pod/web", "--timeout=10s")).toMatchObject({ code: 0 });
    await until("nobody is sent to it", 10_000, async () => (await getInside(`http://${clusterIp}/`)).code !== 0);

    expect(await kubectl("delete", "pod/web", "--timeout=20s")).toMatchObject({ code: 0 });
    const { stdout } = await node.run("ps", ["-e", "-o", "args"]);
    expect(stdout).toContain("kubelet");
    expect(stdout).not.toContain("httpd");
  }, 120_000);

  it("leaves nothing when it is stopped", async () => {
    const cgroups = readFileSync(join(node.namespaces.folder, "cgroups"), "utf8").trimEnd().split("\n");
    expect(cgroups.filter((path) => existsSync(path))).toEqual(cgroups);
    expect(Object.keys(networkInterfaces())).toContain(node.namespaces.link);

    await node.stop();

    expect(cgroups.filter((path) => existsSync(path))).toEqual([]); // hence no process of it, wherever it went
    expect(Object.keys(networkInterfaces())).not.toContain(node.namespaces.link);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(node.namespaces.folder);
    expect(existsSync(node.namespaces.folder)).toBe(false);
  }, 30_000);

  it(
    "ends with the process that started it, even when that one is killed",
    async () => {
      const module = JSON.stringify(new URL("./node.ts", import.meta.url).href);
      const code = `import { startNode } from ${module};
        const node = await startNode();
        console.log(node.namespaces.link);
        process.kill(process.pid, "SIGKILL");`;
      const args = ["--input-type=module-typescript", "--eval", code];
      const killed = await runCommand(process.execPath, args, { env: { TMPDIR: tmp } });
      expect(killed).toMatchObject({ code: null, stderr: "" });

      await until("no process and no folder of it is left", 20_000, async () => {
        return (
          processesMentioning(tmp).length === 0 && !readdirSync(tmp).some((name) => name.startsWith("holdfast-node-"))
        );
      });
      expect(Object.keys(networkInterfaces())).not.toContain(killed.stdout.trim());
    },
    NODE_TIMEOUT_MS,
  );
});
