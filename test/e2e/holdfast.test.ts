import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { WebSocket } from "ws";
import { until } from "../support/controlplane/apiserver-client.ts";
import { NODE_TIMEOUT_MS, type Node, startNode } from "./node.ts";

/** An archive of the image, from image/build.sh; the tests have no network to build it with. */
const IMAGE = process.env.HOLDFAST_IMAGE;
const CLIENTS = 40;
const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

describe("Holdfast on a node", () => {
  let node: Node;
  beforeAll(async () => {
    if (IMAGE === undefined)
      throw new Error("run `make e2e`, or set HOLDFAST_IMAGE to what `image/build.sh localhost/holdfast:e2e` prints");
    node = await startNode();
    await node.loadImage(IMAGE);
    const definitions = ["websocketgateways", "websocketroutes"].map(
      (name) => `--filename=${path(`../../crds/${name}.yaml`)}`,
    );
    await kubectl("apply", "--server-side", ...definitions);
    await kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=20s");
    await kubectl("apply", `--filename=${path("holdfast.yaml")}`);
    await kubectl("wait", "--for=condition=Available", "deployment", "--all", "--all-namespaces", "--timeout=90s");
  }, NODE_TIMEOUT_MS);
  afterAll(() => node?.stop());

  /** What kubectl prints. @throws Error with all of it when it fails. */
  async function kubectl(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await node.plane.kubectl(args);
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: code ${code}: ${stdout}${stderr}${await explain()}`);
    return stdout;
  }

  /** The state of things, for the message of a failure. */
  async function explain(): Promise<string> {
    const show = async (...args: string[]) => (await node.plane.kubectl(args)).stdout;
    const pods = await show("get", "pods,wsr,wsg", "--all-namespaces", "--output=wide");
    const logs = ["operator", "gateway"].map((app) =>
      show("logs", "--namespace=holdfast", `--selector=app=${app}`, "--tail=20", "--prefix"),
    );
    return `\n${pods}\n${(await Promise.all(logs)).join("\n")}`;
  }

  const nodePort = (name: string) =>
    kubectl(
      "get",
      "service/gateway",
      "--namespace=holdfast",
      `--output=jsonpath={.spec.ports[?(@.name=="${name}")].nodePort}`,
    );

  async function connect(route: string): Promise<WebSocket> {
    const socket = new WebSocket(`ws://${node.address}:${await nodePort("ws")}${route}`);
    await once(socket, "open");
    return socket;
  }

  async function echoes(socket: WebSocket, text: string): Promise<string> {
    const answer = once(socket, "message");
    socket.send(text);
    return String((await answer)[0]);
  }

  it("runs as nobody, from a file system that it cannot write to", async () => {
    const exec = (...args: string[]) => kubectl("exec", "--namespace=holdfast", "deployment/operator", "--", ...args);
    const { version } = JSON.parse(readFileSync(path("../../package.json"), "utf8"));
    expect(await exec("holdfast", "--version")).toBe(`${version}\n`);
    expect(await exec("node", "--print", "process.getuid() + ':' + process.getgid()")).toBe("65532:65532\n");
    await expect(exec("node", "--eval", "fs.writeFileSync('/app/x', '')")).rejects.toThrow("EROFS");
  }, 30_000);

  it("tells through status when both pods serve a route, and serves it through the Service", async () => {
    await kubectl("wait", "--for=condition=Ready", "wsr", "--all", "--namespace=apps", "--timeout=20s");
    expect(await kubectl("get", "wsr/echo", "--namespace=apps", "--output=jsonpath={.status.pods}")).toBe("2/2");

    const socket = await connect("/echo");
    expect(await echoes(socket, "through the node")).toBe("through the node");
    socket.close();
    await once(socket, "close");
  }, 60_000);

  it("takes what is sent on the API port with the operator's token, and with no other", async () => {
    const secret = await kubectl(
      "get",
      "secret/holdfast-public",
      "--namespace=holdfast",
      "--output=jsonpath={.data.api-token}",
    );
    const token = Buffer.from(secret, "base64").toString();
    const url = `http://${node.address}:${await nodePort("api")}/api/hubs/news/groups/news/:send`;
    const send = (authorization: string) =>
      fetch(url, { method: "POST", headers: { authorization, "content-type": "text/plain" }, body: "fresh" });

    expect((await send("Bearer wrong")).status).toBe(401);
    expect((await send(`Bearer ${token}`)).status).toBe(202);
  }, 30_000);

  it("rolls its gateways over: every client is told to come back, and does", async () => {
    const sockets = await Promise.all(Array.from({ length: CLIENTS }, () => connect("/echo")));
    const codes: number[] = [];
    const back = sockets.map(async (socket) => {
      codes.push((await once(socket, "close"))[0]);
      const again = await connect("/echo");
      expect(await echoes(again, "again")).toBe("again");
      again.terminate();
    });

    await kubectl("rollout", "restart", "deployment/gateway", "--namespace=holdfast");
    await kubectl("rollout", "status", "deployment/gateway", "--namespace=holdfast", "--timeout=90s");
    await Promise.all(back);

    expect(codes).toEqual(Array(CLIENTS).fill(1012));
    await until("both new pods serve the route", 30_000, async () => {
      const status = await kubectl("get", "wsr/echo", "--namespace=apps", "--output=jsonpath={.status}");
      const { pods, conditions } = JSON.parse(status) as {
        pods: string;
        conditions: { type: string; status: string }[];
      };
      return pods === "2/2" && conditions.every((condition) => condition.status === "True");
    });
  }, 180_000);
});
