// Names of Services for the pods of a node. What a cluster's DNS does beside them (pods, headless Services, other domains) is not here.
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createKubeClient } from "../../../kube/client.ts";
import { systemClock } from "../../../kube/clock.ts";
import { listWatch } from "../../../kube/listwatch.ts";
import type { KubeObject } from "../../../kube/objects.ts";
import { RESOURCES } from "../../../kube/resources.ts";

/** What kubelet is told, so that pods complete `service`, `service.namespace` and `service.namespace.svc` with it. */
export const CLUSTER_DOMAIN = "cluster.local";

interface Service extends KubeObject {
  readonly spec?: { readonly clusterIP?: string };
}

export interface DnsSetting {
  /** The node's folder. */
  readonly folder: string;
  readonly kubeconfig: string;
  /** Where it listens. */
  readonly address: string;
}

/** The folder whose files dnsmasq reads again whenever they change. */
function hostsFolder({ folder }: Pick<DnsSetting, "folder">): string {
  return join(folder, "config", "services");
}

/** The command of the server; the folder of its names is made. */
export function dnsServer(setting: DnsSetting): { readonly file: string; readonly args: readonly string[] } {
  mkdirSync(hostsFolder(setting), { recursive: true });
  const args = [
    "--keep-in-foreground",
    "--conf-file=/dev/null",
    "--pid-file=",
    "--user=root", // there is nobody else inside
    "--no-resolv",
    "--no-hosts",
    "--bind-interfaces",
    `--listen-address=${setting.address}`,
    `--local=/${CLUSTER_DOMAIN}/`,
    `--hostsdir=${hostsFolder(setting)}`,
  ];
  return { file: "/usr/sbin/dnsmasq", args };
}

/** Keeps the names as the Services are. Resolves to what ends it, when the first names are there. */
export async function followServices(setting: DnsSetting): Promise<() => Promise<void>> {
  const client = createKubeClient({ kubeconfig: setting.kubeconfig });
  const stopping = new AbortController();
  const addresses = new Map<string, string>();
  const take = ({ metadata: { namespace, name }, spec }: Service) => {
    const isAddress = spec?.clusterIP !== undefined && spec.clusterIP !== "None";
    if (isAddress) addresses.set(`${name}.${namespace}.svc.${CLUSTER_DOMAIN}`, spec.clusterIP);
  };
  const write = () => {
    const hosts = [...addresses].map(([name, address]) => `${address} ${name}\n`).join("");
    const file = join(hostsFolder(setting), "services");
    // By rename, so that no half is read.
    writeFileSync(join(setting.folder, "config", "services.new"), hosts);
    renameSync(join(setting.folder, "config", "services.new"), file);
  };
  const synced = Promise.withResolvers<void>();
  const following = listWatch<Service>({
    client,
    resource: RESOURCES.services,
    onSync: (services) => {
      services.forEach(take);
      write();
      synced.resolve();
    },
    onEvent: ({ type, object }) => {
      const { namespace, name } = object.metadata;
      if (type === "DELETED") addresses.delete(`${name}.${namespace}.svc.${CLUSTER_DOMAIN}`);
      else take(object);
      write();
    },
    clock: systemClock,
    random: Math.random,
    signal: stopping.signal,
  });
  await synced.promise;
  return async () => {
    stopping.abort();
    await following;
    client.close();
  };
}
