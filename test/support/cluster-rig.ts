/** A whole Holdfast on a real API server: control plane, CRDs, operator, and gateway processes, each a real process. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createKubeClient, type KubeClient } from "../../kube/client.ts";
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from "./controlplane.ts";
import { freePort } from "./free-port.ts";
import { type HoldfastProcess, startHoldfast } from "./holdfast.ts";

const ROOT = resolve(import.meta.dirname, "../..");

export interface GatewayProcess {
  readonly name: string;
  readonly process: HoldfastProcess;
  /** `ws://address:port` of the client port. */
  readonly url: string;
  readonly apiUrl: string;
  readonly adminUrl: string;
  /** The same gateway again: same name, ports and stored snapshot. */
  restart(): Promise<GatewayProcess>;
}

export interface ClusterRig {
  readonly plane: ControlPlane;
  readonly client: KubeClient;
  /** Folder for logs and state. */
  readonly dir: string;
  /** Applies manifests; throws with kubectl's words. */
  apply(manifests: string): Promise<void>;
  /** Runs kubectl; throws unless it succeeds. */
  kubectl(...args: string[]): Promise<string>;
  startOperator(...args: string[]): Promise<HoldfastProcess>;
  startGateway(name: string, gateway: string): Promise<GatewayProcess>;
  stop(): Promise<void>;
}

export async function startClusterRig(options: ControlPlaneOptions = {}): Promise<ClusterRig> {
  const plane = await startControlPlane(options);
  const dir = mkdtempSync(join(tmpdir(), "holdfast-rig-"));
  const client = createKubeClient({ kubeconfig: plane.kubeconfig });
  const children: HoldfastProcess[] = [];
  const start = async (name: string, args: readonly string[]): Promise<HoldfastProcess> => {
    const child = await startHoldfast({ name, args, dir });
    children.push(child);
    return child;
  };
  const kubectl = async (args: readonly string[], stdin?: string): Promise<string> => {
    const result = await plane.kubectl(args, stdin === undefined ? {} : { stdin });
    if (result.code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  };
  await kubectl(["apply", "--server-side", "-f", join(ROOT, "crds")]);
  await kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=20s"]);
  return {
    plane,
    client,
    dir,
    apply: async (manifests) => {
      await kubectl(["apply", "-f", "-"], manifests);
    },
    kubectl: (...args) => kubectl(args),
    startOperator: (...args) =>
      start("operator", [
        "operator",
        "--kubeconfig",
        plane.kubeconfig,
        "--host",
        "127.0.0.1",
        "--admin-port",
        "0",
        ...args,
      ]),
    startGateway: async (name, gateway) => {
      const ports = { client: await freePort(), api: await freePort(), admin: await freePort() };
      return startGatewayProcess({ start, name, gateway, ports, kubeconfig: plane.kubeconfig, dir });
    },
    async stop() {
      await Promise.all(children.map((child) => child.kill()));
      client.close();
      await plane.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

interface GatewayStart {
  readonly start: (name: string, args: readonly string[]) => Promise<HoldfastProcess>;
  readonly name: string;
  /** `namespace/name` */
  readonly gateway: string;
  readonly ports: { readonly client: number; readonly api: number; readonly admin: number };
  readonly kubeconfig: string;
  readonly dir: string;
}

async function startGatewayProcess(setting: GatewayStart): Promise<GatewayProcess> {
  const { start, name, gateway, ports, kubeconfig, dir } = setting;
  const flags = {
    gateway,
    "pod-name": name,
    kubeconfig,
    host: "127.0.0.1",
    port: ports.client,
    "api-port": ports.api,
    "admin-port": ports.admin,
    "state-dir": join(dir, name),
    "leave-delay": "0s",
  };
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  const process = await start(name, ["gateway", ...args]);
  return {
    name,
    process,
    url: `ws://127.0.0.1:${ports.client}`,
    apiUrl: `http://127.0.0.1:${ports.api}`,
    adminUrl: `http://127.0.0.1:${ports.admin}`,
    restart: () => startGatewayProcess(setting),
  };
}
