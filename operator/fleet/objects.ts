/** The live objects of fleets, as far as the operator reads them, and how much of each is kept. */
import { SNAPSHOT_OBJECTS } from "../../gateway/snapshot.ts";
import { RESOURCES, type Resource } from "../../kube/resources.ts";
import type { KubernetesObject } from "../objects.ts";

/** Of these kinds the operator writes objects for a fleet. */
export const FLEET_RESOURCES: readonly Resource[] = [
  RESOURCES.serviceAccounts,
  RESOURCES.roles,
  RESOURCES.roleBindings,
  RESOURCES.networkPolicies,
  RESOURCES.services,
  RESOURCES.deployments,
  RESOURCES.podDisruptionBudgets,
  RESOURCES.horizontalPodAutoscalers,
];

export interface Deployment extends KubernetesObject {
  readonly spec?: { readonly replicas?: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly conditions?: readonly Condition[];
  };
}

export interface FrontService extends KubernetesObject {
  readonly spec?: { readonly type?: string; readonly clusterIPs?: readonly string[] };
  readonly status?: {
    readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[] };
  };
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

interface ContainerStatus {
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
}

/** What is read of a Pod as the API gives it. */
export interface LivePod extends KubernetesObject {
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

/** What is kept of it. */
export interface FleetPod extends KubernetesObject {
  /** Why it does not run, for people; undefined while there is nothing to complain about. */
  readonly trouble: string | undefined;
  /** Kubernetes says that it is not ready: Services lead nobody there, whatever the pod itself says. */
  readonly isUnready: boolean;
}

export const DELETION_COST_ANNOTATION = "controller.kubernetes.io/pod-deletion-cost";

/** A pod is large and changes often; little of it matters here. */
export function leanPod({ apiVersion, kind, metadata, status }: LivePod): FleetPod {
  const { name, namespace, uid, resourceVersion, labels, deletionTimestamp } = metadata;
  const cost = metadata.annotations?.[DELETION_COST_ANNOTATION];
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      deletionTimestamp,
      labels,
      ...(cost === undefined ? {} : { annotations: { [DELETION_COST_ANNOTATION]: cost } }),
    },
    trouble: troubleOf(status),
    isUnready: status?.conditions?.find(({ type }) => type === "Ready")?.status === "False",
  };
}

/** Reasons to wait that pass by themselves. */
const USUAL = new Set(["ContainerCreating", "PodInitializing"]);

function troubleOf(status: LivePod["status"]): string | undefined {
  const scheduled = status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (scheduled?.status === "False") return words(scheduled.reason ?? "Unschedulable", scheduled.message);
  for (const { state } of status?.containerStatuses ?? []) {
    const { reason, message } = state?.waiting ?? {};
    if (reason !== undefined && !USUAL.has(reason)) return words(reason, message);
  }
  return undefined;
}

function words(reason: string, message: string | undefined): string {
  return message === undefined || message === "" ? reason : `${reason}: ${message}`;
}

/** `namespace/name` of the WebSocketGateway that an object is labelled for. */
export function gatewayOf({ metadata }: KubernetesObject): string {
  return `${metadata.namespace}/${metadata.labels?.[SNAPSHOT_OBJECTS.gatewayLabel] ?? ""}`;
}

/** The key of an object among those of several kinds. */
export function kindAndName({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`;
}
