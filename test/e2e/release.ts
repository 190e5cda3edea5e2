// A release of the chart on a node, and what people do with it: kubectl, helm, and clients that come in through the Service.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import type { Condition } from "../../crds/status.ts";
import type { KubeObject } from "../../kube/objects.ts";
import type { CommandResult } from "../support/controlplane/command.ts";
import { type Node, startNode } from "./node.ts";

/** An archive of the image, from image/build.sh; the tests have no network to build it with. */
const IMAGE = process.env.HOLDFAST_IMAGE;
const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

export const NAMESPACE = "holdfast";
export const GATEWAY = "holdfast-public";
export const OPERATOR = "holdfast-operator";

export class Release {
  readonly node: Node;
  /** The release's name. */
  readonly name = "holdfast";
  #port: Promise<string> | undefined;

  private constructor(node: Node) {
    this.node = node;
  }

  /** A node with the image on it, namespaces and somebody's applications; the chart is not installed yet. */
  static async prepare(): Promise<Release> {
    if (IMAGE === undefined)
      throw new Error("run `make e2e`, or set HOLDFAST_IMAGE to what `image/build.sh localhost/holdfast:e2e` prints");
    const node = await startNode();
    try {
      await node.loadImage(IMAGE);
      const release = new Release(node);
      await release.kubectl("create", "namespace", NAMESPACE);
      await release.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted");
      return release;
    } catch (error) {
      await node.stop();
      throw error;
    }
  }

  /** What kubectl prints. @throws Error with all of it, and the state of things, when it fails. */
  async kubectl(...args: string[]): Promise<string> {
    return this.#printed(`kubectl ${args.join(" ")}`, await this.node.plane.kubectl(args));
  }

  /** The same of objects in the release's namespace. */
  own(...args: string[]): Promise<string> {
    return this.kubectl(`--namespace=${NAMESPACE}`, ...args);
  }

  /** The same of objects in the application's namespace. */
  apps(...args: string[]): Promise<string> {
    return this.kubectl("--namespace=apps", ...args);
  }

  async helm(command: string, ...args: string[]): Promise<string> {
    const all = [...command.split(" "), this.name, ...args, `--namespace=${NAMESPACE}`];
    return this.#printed(`helm ${all.join(" ")}`, await this.node.plane.helm(all));
  }

  /** `helm install` or `helm upgrade` with these values beside values.yaml. */
  deploy(command: "install" | "upgrade", ...values: string[]): Promise<string> {
    const sets = values.flatMap((value) => ["--set", value]);
    const files = [path("../../charts/holdfast"), `--values=${path("values.yaml")}`];
    return this.helm(command, ...files, ...sets, "--wait", "--timeout=120s");
  }

  applyApps(): Promise<string> {
    return this.kubectl("apply", `--filename=${path("apps.yaml")}`);
  }

  async conditions(object: string, namespace: string): Promise<ReadonlyMap<string, Condition>> {
    const text = await this.kubectl(
      "get",
      object,
      `--namespace=${namespace}`,
      "--output=jsonpath={.status.conditions}",
    );
    return new Map((JSON.parse(text || "[]") as Condition[]).map((condition) => [condition.type, condition]));
  }

  /** Names of the gateway's pods that are not on their way out, sorted. */
  async gatewayPods(): Promise<string[]> {
    const selector = "--selector=holdfast.dev/gateway=public";
    const { items } = JSON.parse(await this.own("get", "pods", selector, "--output=json")) as { items: KubeObject[] };
    const staying = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    return staying.map(({ metadata }) => metadata.name).sort();
  }

  /** Where clients outside of the cluster find the route. */
  async url(route: string): Promise<string> {
    this.#port ??= this.own("get", `service/${GATEWAY}`, "--output=jsonpath={.spec.ports[0].nodePort}");
    return `ws://${this.node.address}:${await this.#port}${route}`;
  }

  async connect(route: string): Promise<WebSocket> {
    const socket = new WebSocket(await this.url(route));
    await once(socket, "open");
    return socket;
  }

  async #printed(what: string, { code, stdout, stderr }: CommandResult): Promise<string> {
    if (code !== 0) throw new Error(`${what}: code ${code}: ${stdout}${stderr}${await this.explain()}`);
    return stdout;
  }

  /** The state of things, for the message of a failure. */
  async explain(): Promise<string> {
    const show = async (...args: string[]) => (await this.node.plane.kubectl(args)).stdout;
    const all = await show("get", "pods,services,wsr,wsg", "--all-namespaces", "--output=wide");
    const events = await show("get", "events", `--namespace=${NAMESPACE}`, "--sort-by=.lastTimestamp");
    const logs = ["operator", "gateway"].map((component) =>
      show(
        "logs",
        `--namespace=${NAMESPACE}`,
        `--selector=app.kubernetes.io/component=${component}`,
        "--tail=20",
        "--prefix",
      ),
    );
    return `\n${all}\n${events.split("\n").slice(-20).join("\n")}\n${(await Promise.all(logs)).join("\n")}`;
  }
}

/** What the socket gets back for a text. */
export async function echoed(socket: WebSocket, text: string): Promise<string> {
  const answer = once(socket, "message");
  socket.send(text);
  return String((await answer)[0]);
}

export function packageVersion(): string {
  return JSON.parse(readFileSync(path("../../package.json"), "utf8")).version;
}
