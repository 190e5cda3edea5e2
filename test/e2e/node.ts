// A real one-node cluster: the control plane for tests, a scheduler, and a node with containerd, kubelet and kube-proxy that
// lives in namespaces of its own on this machine. Needs root and what install.sh installs.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { until } from "../support/controlplane/apiserver-client.ts";
import { type CommandOptions, type CommandResult, runCommand } from "../support/controlplane/command.ts";
import { type Leashed, startLeashed } from "../support/controlplane/leashed.ts";
import { type ControlPlane, startControlPlane } from "../support/controlplane.ts";
import { buildImage, succeeded } from "./images.ts";
import { type NodeFiles, PAUSE_IMAGE, writeNodeConfig } from "./node/config.ts";
import { type DnsSetting, dnsServer, followServices } from "./node/dns.ts";
import { createNamespaces, type Namespaces } from "./node/namespaces.ts";

/** Time to give a `beforeAll` that starts a node whose programs are built, in milliseconds. */
export const NODE_TIMEOUT_MS = 180_000;

const NODE_NAME = "node-1";
const READY_WITHIN_MS = 60_000;
const BUILD_SCRIPT = fileURLToPath(new URL("../controlplane/build.sh", import.meta.url));
/** What the control plane does besides, once there are nodes. */
const CONTROLLERS = [
  "daemonset-controller",
  "job-controller",
  "node-lifecycle-controller",
  "pod-garbage-collector-controller",
  "taint-eviction-controller",
];

export interface Node {
  readonly name: string;
  /** Its address as seen from this machine, which reaches `NodePort`s there; ClusterIPs only `run` does. */
  readonly address: string;
  readonly plane: ControlPlane;
  readonly namespaces: Namespaces;
  /** Loads an image from an archive of `buildah push` or `docker save`; pods use it with `imagePullPolicy: Never`. */
  loadImage(archive: string): Promise<void>;
  /** Runs a command in the node's namespaces: with its network, among its processes and mounts. */
  run(file: string, args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Ends every process, containers too, and removes what they left. May be called twice. */
  stop(): Promise<void>;
}

/**
 * Starts a cluster with one node and waits until pods can run on it. Missing programs are built first (minutes).
 * It ends with this process, however that ends.
 * @throws Error with the end of the failing program's log; nothing is left running then.
 */
export async function startNode(): Promise<Node> {
  const binDir = await findNodeBinaries();
  const namespaces = await createNamespaces();
  const running: Leashed[] = [];
  let plane: ControlPlane | undefined;
  let stopNames: (() => Promise<void>) | undefined;
  const stop = async () => {
    await stopNames?.();
    await Promise.all([plane?.stop(), ...running.map((program) => program.kill())]);
    await namespaces.remove();
  };
  try {
    plane = await startControlPlane({
      controllerManager: "on",
      controllers: CONTROLLERS,
      address: namespaces.hostAddress,
      apiServerArgs: ["--kubelet-preferred-address-types=InternalIP"], // the node's name is in no DNS
    });
    const { folder, nodeAddress } = namespaces;
    const files = writeNodeConfig({ folder, kubeconfig: plane.kubeconfig, dns: nodeAddress });
    const dns: DnsSetting = { folder, kubeconfig: plane.kubeconfig, address: nodeAddress };
    const launcher = new Launcher({ binDir, namespaces, files, dns, plane, running });
    await launcher.startAll();
    stopNames = await followServices(dns);
    return { name: NODE_NAME, address: namespaces.nodeAddress, plane, namespaces, stop, ...commands(launcher) };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Setting {
  readonly binDir: string;
  readonly namespaces: Namespaces;
  readonly files: NodeFiles;
  readonly dns: DnsSetting;
  readonly plane: ControlPlane;
  /** Gets every program that was started. */
  readonly running: Leashed[];
}

/** The programs of the node, and the order that they start in. */
class Launcher {
  readonly setting: Setting;

  constructor(setting: Setting) {
    this.setting = setting;
  }

  async startAll(): Promise<void> {
    const { binDir, files, namespaces, plane } = this.setting;
    const kubeconfig = `--kubeconfig=${plane.kubeconfig}`;
    const name = `--hostname-override=${NODE_NAME}`;
    const schedulerArgs = [kubeconfig, "--leader-elect=false", "--secure-port=0"];
    await this.#launch("kube-scheduler", { file: join(binDir, "kube-scheduler"), args: schedulerArgs });
    await this.#launchInside("kube-proxy", join(binDir, "kube-proxy"), [`--config=${files.kubeProxy}`, name]);
    const names = dnsServer(this.setting.dns);
    await this.#launchInside("dnsmasq", names.file, names.args);
    const containerd = await this.#launchInside("containerd", "containerd", [`--config=${files.containerd}`]);
    await this.#waitFor(containerd, async () => (await this.ctr("version")).code === 0);
    await this.#loadPauseImage();
    const kubeletArgs = [`--config=${files.kubelet}`, kubeconfig, name, `--node-ip=${namespaces.nodeAddress}`];
    const kubelet = await this.#launchInside("kubelet", join(binDir, "kubelet"), kubeletArgs);
    await this.#waitFor(kubelet, () => this.#isReady());
  }

  ctr(...args: string[]): Promise<CommandResult> {
    return this.run("ctr", [`--address=${this.setting.files.runtimeSocket}`, "--namespace=k8s.io", ...args]);
  }

  run(file: string, args: readonly string[], options?: CommandOptions): Promise<CommandResult> {
    const inside = this.setting.namespaces.inside(file, args);
    return runCommand(inside.file, inside.args, options);
  }

  #launchInside(name: string, file: string, args: readonly string[]): Promise<Leashed> {
    return this.#launch(name, this.setting.namespaces.inside(file, args));
  }

  async #launch(name: string, command: { file: string; args: readonly string[] }): Promise<Leashed> {
    const logFile = join(this.setting.plane.dir, `${name}.log`);
    const program = await startLeashed({ name, ...command, logFile });
    this.setting.running.push(program);
    return program;
  }

  async #loadPauseImage(): Promise<void> {
    const archive = join(this.setting.namespaces.folder, "pause.tar");
    const dockerfile = 'FROM scratch\nCOPY catatonit /pause\nUSER 65535:65535\nENTRYPOINT ["/pause", "-P"]\n';
    await buildImage({ tag: PAUSE_IMAGE, files: ["/usr/bin/catatonit"], dockerfile }, archive);
    succeeded(await this.ctr("images", "import", archive));
  }

  async #isReady(): Promise<boolean> {
    const path = '--output=jsonpath={.status.conditions[?(@.type=="Ready")].status}/{.spec.taints}';
    const { stdout } = await this.setting.plane.kubectl(["get", "node", NODE_NAME, path]);
    return stdout === "True/"; // a node that is ready but still tainted gets no pods
  }

  /** Waits for a sign of life; gives up at once when any program has ended, and shows its log. */
  async #waitFor(program: Leashed, check: () => Promise<boolean>): Promise<void> {
    let ended: { program: Leashed; how: string } | undefined;
    for (const each of this.setting.running) {
      void each.ended.then((how) => {
        ended ??= { program: each, how };
      });
    }
    const sign = async () => ended !== undefined || (await check());
    await until(`${program.name} is ready`, READY_WITHIN_MS, sign).catch((error) => {
      throw new Error(`${error.message}; its log ends:\n${program.logTail()}`);
    });
    if (ended === undefined) return;
    throw new Error(`${ended.program.name} ended with ${ended.how}; its log ends:\n${ended.program.logTail()}`);
  }
}

function commands(launcher: Launcher): Pick<Node, "loadImage" | "run"> {
  return {
    run: (file, args, options) => launcher.run(file, args, options),
    async loadImage(archive) {
      succeeded(await launcher.ctr("images", "import", archive));
    },
  };
}

async function findNodeBinaries(): Promise<string> {
  const tools = ["kube-scheduler", "kubelet", "kube-proxy"];
  const { stdout } = await promisify(execFile)(BUILD_SCRIPT, tools, { maxBuffer: 64 * 1024 * 1024 });
  return stdout.trimEnd().split("\n").at(-1) ?? "";
}
