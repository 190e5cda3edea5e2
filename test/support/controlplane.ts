// A real Kubernetes control plane for tests: etcd, kube-apiserver and, if wanted, kube-controller-manager, on loopback.
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type ApiServerAccess, statusOf, until } from "./controlplane/apiserver-client.ts";
import { findBinaries } from "./controlplane/binaries.ts";
import { type CommandOptions, type CommandResult, runCommand } from "./controlplane/command.ts";
import { type ControlPlaneFiles, createFiles, writeKubeconfig } from "./controlplane/files.ts";
import { type Leashed, startLeashed } from "./controlplane/leashed.ts";
import { findFreePort } from "./controlplane/ports.ts";
import {
  apiServerArgs,
  type ControllerManager,
  controllerManagerArgs,
  etcdArgs,
  LOOPBACK,
} from "./controlplane/servers.ts";

export type { CommandOptions, CommandResult } from "./controlplane/command.ts";

/** Time to give a `beforeAll` that starts a control plane whose programs are built, in milliseconds. */
export const CONTROL_PLANE_TIMEOUT_MS = 120_000;

const READY_WITHIN_MS = 60_000;
const START_TRIES = 3;

export interface ControlPlaneOptions {
  /** Off by default. "on" gives Deployments their ReplicaSets, Services their EndpointSlices, namespaces their ServiceAccounts. */
  readonly controllerManager?: ControllerManager;
  /** Controllers that only matter where nodes are, by kube-controller-manager's names for them. */
  readonly controllers?: readonly string[];
  /** The address of this machine that kube-apiserver listens at; loopback by default, which no node can reach. */
  readonly address?: string;
  /** More flags for kube-apiserver, such as `--min-request-timeout=5` for watches that end often. */
  readonly apiServerArgs?: readonly string[];
}

export interface ControlPlane {
  /** `https://address:port`; the port stays over `stopApiServer` and `startApiServer`. */
  readonly server: string;
  /** Path of the cluster administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** The folder with the programs. */
  readonly binDir: string;
  /** The folder with data, keys and logs (`etcd.log`, `kube-apiserver.log`, …); gone after `stop`. */
  readonly dir: string;
  kubectl(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  helm(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Creates a namespace `<prefix>-<random>` and, with a controller manager, waits for its default ServiceAccount. */
  newNamespace(prefix?: string): Promise<string>;
  /** Path of a new kubeconfig that acts as this ServiceAccount (which must exist) for an hour: for RBAC as it is in a cluster. */
  serviceAccountKubeconfig(account: { readonly namespace: string; readonly name: string }): Promise<string>;
  /** Kills kube-apiserver as a crash would; its data stays in etcd. */
  stopApiServer(): Promise<void>;
  /** Starts kube-apiserver again with the same port, keys and data, and waits until it is ready. */
  startApiServer(): Promise<void>;
  /** Kills every process and removes the folder. May be called twice. */
  stop(): Promise<void>;
}

/**
 * Starts a control plane and waits until it is ready. Its programs are built first where they are missing (minutes).
 * Whatever it started ends with this process, however that ends.
 * @throws Error with the end of the failing server's log; nothing is left running then.
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const binDir = await findBinaries();
  for (let tries = 1; ; tries++) {
    const servers = new Servers({ binDir, files: createFiles(), options, ports: await choosePorts() });
    try {
      await servers.start();
      return controlPlane(servers);
    } catch (error) {
      await servers.stop();
      // Between choosing a port and listening on it another process may have taken it.
      if (tries === START_TRIES || !String(error).includes("address already in use")) throw error;
    }
  }
}

interface Setting {
  readonly binDir: string;
  readonly files: ControlPlaneFiles;
  readonly options: ControlPlaneOptions;
  readonly ports: { readonly etcd: number; readonly apiServer: number };
}

async function choosePorts(): Promise<Setting["ports"]> {
  const etcd = await findFreePort();
  let apiServer = await findFreePort();
  while (apiServer === etcd) apiServer = await findFreePort();
  return { etcd, apiServer };
}

/** The running processes, and the order they come and go in. */
class Servers {
  readonly setting: Setting;
  readonly access: ApiServerAccess;
  readonly #running = new Map<string, Leashed>();

  constructor(setting: Setting) {
    this.setting = setting;
    const address = setting.options.address ?? LOOPBACK;
    this.access = { server: `https://${address}:${setting.ports.apiServer}`, ...setting.files };
  }

  get hasControllerManager(): boolean {
    return this.setting.options.controllerManager === "on";
  }

  async start(): Promise<void> {
    const { files, ports } = this.setting;
    await this.#launch("etcd", etcdArgs(files, ports.etcd)); // kube-apiserver waits for it by itself
    await this.startApiServer();
    writeKubeconfig(files.kubeconfig, { ...this.access, token: files.adminToken });
    if (!this.hasControllerManager) return;
    const managerArgs = controllerManagerArgs(files, this.setting.options.controllers);
    const manager = await this.#launch("kube-controller-manager", managerArgs);
    const sign = "/api/v1/namespaces/default/serviceaccounts/default";
    await this.#waitFor(manager, async () => (await statusOf(this.access, sign)) === 200);
  }

  async startApiServer(): Promise<void> {
    if (this.#running.has("kube-apiserver")) throw new Error("kube-apiserver runs already");
    const { files, ports, options } = this.setting;
    const at = { address: options.address ?? LOOPBACK, ...ports };
    const args = apiServerArgs(files, at, options.controllerManager ?? "off");
    const apiServer = await this.#launch("kube-apiserver", [...args, ...(options.apiServerArgs ?? [])]);
    await this.#waitFor(apiServer, async () => (await statusOf(this.access, "/readyz")) === 200);
  }

  async stopApiServer(): Promise<void> {
    await this.#running.get("kube-apiserver")?.kill();
    this.#running.delete("kube-apiserver");
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running.values()].map((server) => server.kill()));
    this.#running.clear();
    rmSync(this.setting.files.dir, { recursive: true, force: true });
  }

  async #launch(name: string, args: readonly string[]): Promise<Leashed> {
    const { binDir, files } = this.setting;
    const logFile = join(files.dir, `${name}.log`);
    const server = await startLeashed({ name, file: join(binDir, name), args, logFile });
    this.#running.set(name, server);
    return server;
  }

  /** Waits for a sign of life; gives up at once when any server has ended, and shows the log of the one to blame. */
  async #waitFor(server: Leashed, check: () => Promise<boolean>): Promise<void> {
    let ended: { name: string; how: string; log: string } | undefined;
    for (const each of this.#running.values()) {
      void each.ended.then((how) => {
        ended ??= { name: each.name, how, log: each.logTail() };
      });
    }
    await until(`${server.name} is ready`, READY_WITHIN_MS, async () => ended !== undefined || (await check())).catch(
      (error) => {
        throw new Error(`${error.message}; its log ends:\n${server.logTail()}`);
      },
    );
    if (ended !== undefined) throw new Error(`${ended.name} ended with ${ended.how}; its log ends:\n${ended.log}`);
  }
}

function controlPlane(servers: Servers): ControlPlane {
  const { binDir, files } = servers.setting;
  const env = {
    KUBECONFIG: files.kubeconfig,
    KUBECACHEDIR: join(files.clientCaches, "kubectl"),
    HELM_CACHE_HOME: join(files.clientCaches, "helm-cache"),
    HELM_CONFIG_HOME: join(files.clientCaches, "helm-config"),
    HELM_DATA_HOME: join(files.clientCaches, "helm-data"),
  };
  const run = (name: string, args: readonly string[], options: CommandOptions = {}) =>
    runCommand(join(binDir, name), args, { ...options, env: { ...env, ...options.env } });
  const kubectl = (args: readonly string[], options?: CommandOptions) => run("kubectl", args, options);
  return {
    server: servers.access.server,
    kubeconfig: files.kubeconfig,
    binDir,
    dir: files.dir,
    kubectl,
    helm: (args, options) => run("helm", args, options),
    newNamespace: (prefix = "test") => newNamespace(servers, kubectl, prefix),
    async serviceAccountKubeconfig({ namespace, name }) {
      const created = succeeded(await kubectl(["create", "token", name, `--namespace=${namespace}`, "--duration=1h"]));
      const path = join(files.dir, `kubeconfig-${namespace}-${name}-${randomBytes(3).toString("hex")}`);
      writeKubeconfig(path, { ...servers.access, token: created.stdout.trim() });
      return path;
    },
    stopApiServer: () => servers.stopApiServer(),
    startApiServer: () => servers.startApiServer(),
    stop: () => servers.stop(),
  };
}

async function newNamespace(servers: Servers, kubectl: ControlPlane["kubectl"], prefix: string): Promise<string> {
  const name = `${prefix}-${randomBytes(4).toString("hex")}`;
  succeeded(await kubectl(["create", "namespace", name]));
  if (servers.hasControllerManager) {
    const account = `/api/v1/namespaces/${name}/serviceaccounts/default`;
    const exists = async () => (await statusOf(servers.access, account)) === 200;
    await until(`namespace ${name} has its default ServiceAccount`, READY_WITHIN_MS, exists);
  }
  return name;
}

function succeeded(result: CommandResult): CommandResult {
  if (result.code !== 0) throw new Error(`kubectl failed with code ${result.code}: ${result.stderr.trimEnd()}`);
  return result;
}
