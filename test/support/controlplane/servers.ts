// The command lines of the control plane's servers: light, on loopback only, nothing kept on disk for safety.
import type { ControlPlaneFiles } from "./files.ts";

/** Whether kube-controller-manager runs: without it no ReplicaSet, EndpointSlice or default ServiceAccount comes to be. */
export type ControllerManager = "on" | "off";

export const LOOPBACK = "127.0.0.1";

/** Only what is needed to see Holdfast's own objects come alive; without a node no pod ever runs. */
const CONTROLLERS = [
  "clusterrole-aggregation-controller",
  "deployment-controller",
  "disruption-controller",
  "endpointslice-controller",
  "garbage-collector-controller",
  "horizontal-pod-autoscaler-controller",
  "namespace-controller",
  "replicaset-controller",
  "root-ca-certificate-publisher-controller",
  "serviceaccount-controller",
  "statefulset-controller",
];

/** Arguments of etcd, serving clients at `port`. */
export function etcdArgs(files: ControlPlaneFiles, port: number): string[] {
  const clients = `http://127.0.0.1:${port}`;
  return [
    `--data-dir=${files.etcdData}`,
    `--listen-client-urls=${clients}`,
    `--advertise-client-urls=${clients}`,
    "--listen-peer-urls=http://127.0.0.1:0", // a single member has no peers, yet it insists on a listener
    "--unsafe-no-fsync",
    "--log-level=warn",
  ];
}

/** Arguments of kube-apiserver with RBAC, the administrator's token and ServiceAccount tokens. */
export function apiServerArgs(
  files: ControlPlaneFiles,
  at: { readonly address: string; readonly apiServer: number; readonly etcd: number },
  controllerManager: ControllerManager,
): string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${at.etcd}`,
    `--secure-port=${at.apiServer}`,
    `--bind-address=${at.address}`,
    // Not left to the default route: a network namespace of its own has none.
    `--advertise-address=${at.address}`,
    `--cert-dir=${files.certDir}`,
    "--authorization-mode=RBAC",
    `--token-auth-file=${files.tokens}`,
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    `--service-account-key-file=${files.serviceAccountPublicKey}`,
    `--service-account-signing-key-file=${files.serviceAccountKey}`,
    "--service-cluster-ip-range=10.0.0.0/16",
    "--allow-privileged=true",
    // It would refuse, every ten seconds, to publish a loopback address.
    ...(at.address === LOOPBACK ? ["--endpoint-reconciler-type=none"] : []),
    "--enable-priority-and-fairness=false",
    "--profiling=false",
    // Its admission refuses a pod whose default ServiceAccount is missing, and only the controller manager makes those.
    ...(controllerManager === "off" ? ["--disable-admission-plugins=ServiceAccount"] : []),
  ];
}

/** Arguments of kube-controller-manager with `more` controllers, acting as the administrator and serving nothing. */
export function controllerManagerArgs(files: ControlPlaneFiles, more: readonly string[] = []): string[] {
  return [
    `--kubeconfig=${files.kubeconfig}`,
    `--controllers=${[...CONTROLLERS, ...more].join(",")}`,
    `--root-ca-file=${files.servingCa}`,
    "--secure-port=0",
    "--leader-elect=false",
    "--horizontal-pod-autoscaler-sync-period=5s",
  ];
}
