// The configuration files of what runs on a node. Everything is as on any node, but for the comments.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { CLUSTER_DOMAIN } from "./dns.ts";

/** The image that holds a pod's namespaces; it must be loaded before the first pod. */
export const PAUSE_IMAGE = "localhost/holdfast-e2e/pause:1";

/** Where Debian's containernetworking-plugins puts them. */
const CNI_PLUGINS = "/usr/lib/cni";

export interface NodeConfig {
  readonly folder: string;
  readonly kubeconfig: string;
  /** Address of the server that pods ask for names. */
  readonly dns: string;
}

/** Paths of the files; `runtimeSocket` is where containerd listens inside the node. */
export interface NodeFiles {
  readonly containerd: string;
  readonly kubelet: string;
  readonly kubeProxy: string;
  readonly runtimeSocket: string;
}

/** Writes the files into a folder of their own below the node's. */
export function writeNodeConfig({ folder, kubeconfig, dns }: NodeConfig): NodeFiles {
  const dir = join(folder, "config");
  const network = join(dir, "network");
  mkdirSync(network, { recursive: true });
  const write = (name: string, content: string) => {
    const path = join(dir, name);
    writeFileSync(path, content);
    return path;
  };
  const runtimeSocket = "/run/containerd/containerd.sock";
  const resolvConf = write("resolv.conf", ""); // this machine's DNS is out of reach
  write("network/10-pods.conflist", JSON.stringify(podNetwork()));
  return {
    runtimeSocket,
    containerd: write("containerd.toml", containerd({ runtimeSocket, network })),
    kubelet: write("kubelet.yaml", stringify(kubelet({ runtimeSocket, resolvConf, dns }))),
    kubeProxy: write("kube-proxy.yaml", stringify(kubeProxy(kubeconfig))),
  };
}

function containerd({ runtimeSocket, network }: { runtimeSocket: string; network: string }): string {
  // Lowering an OOM score takes a capability (CAP_SYS_RESOURCE) that root of a container or a sandbox may lack.
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
address = "${runtimeSocket}"
[plugins."io.containerd.internal.v1.opt"]
path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${PAUSE_IMAGE}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${CNI_PLUGINS}"
conf_dir = "${network}"
`;
}

function podNetwork(): object {
  const ipam = { type: "host-local", ranges: [[{ subnet: "10.244.0.0/24" }]], routes: [{ dst: "0.0.0.0/0" }] };
  return {
    cniVersion: "0.4.0",
    name: "pods",
    plugins: [
      // Masquerading, because this machine knows the way to the node only and not to its pods.
      { type: "bridge", bridge: "cni0", isGateway: true, ipMasq: true, hairpinMode: true, ipam },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
}

function kubelet({ runtimeSocket, resolvConf, dns }: Record<"runtimeSocket" | "resolvConf" | "dns", string>): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    containerRuntimeEndpoint: `unix://${runtimeSocket}`,
    cgroupDriver: "cgroupfs",
    failCgroupV1: false, // what the machine has decides
    failSwapOn: false,
    oomScoreAdj: 0,
    resolvConf,
    clusterDNS: [dns],
    clusterDomain: CLUSTER_DOMAIN,
    volumePluginDir: "/var/lib/kubelet/volume-plugins",
    // Only this machine reaches the node, over its cable.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: "AlwaysAllow" },
    // The disk and the memory are this machine's, and how full they are is no concern of a test.
    evictionHard: { "nodefs.available": "0%", "imagefs.available": "0%", "memory.available": "0%" },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
  };
}

function kubeProxy(kubeconfig: string): object {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    clientConnection: { kubeconfig },
    mode: "nftables",
    oomScoreAdj: 0,
    // The table of connections is the whole machine's: its limits are not for a node in a namespace to set.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
  };
}
