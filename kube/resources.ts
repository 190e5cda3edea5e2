/** The kinds of objects that Holdfast reads or writes, and where they are in the API. */
export interface Resource {
  /** `v1`, or `group/version`. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly scope: "Namespaced" | "Cluster";
}

const namespaced = (apiVersion: string, kind: string, plural: string): Resource => ({
  apiVersion,
  kind,
  plural,
  scope: "Namespaced",
});

export const RESOURCES = {
  webSocketRoutes: namespaced("holdfast.dev/v1alpha1", "WebSocketRoute", "websocketroutes"),
  webSocketGateways: namespaced("holdfast.dev/v1alpha1", "WebSocketGateway", "websocketgateways"),
  services: namespaced("v1", "Service", "services"),
  endpointSlices: namespaced("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
  secrets: namespaced("v1", "Secret", "secrets"),
  configMaps: namespaced("v1", "ConfigMap", "configmaps"),
  leases: namespaced("coordination.k8s.io/v1", "Lease", "leases"),
  events: namespaced("v1", "Event", "events"),
  referenceGrants: namespaced("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "referencegrants"),
  serviceAccounts: namespaced("v1", "ServiceAccount", "serviceaccounts"),
  pods: namespaced("v1", "Pod", "pods"),
  roles: namespaced("rbac.authorization.k8s.io/v1", "Role", "roles"),
  roleBindings: namespaced("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
  networkPolicies: namespaced("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
  deployments: namespaced("apps/v1", "Deployment", "deployments"),
  podDisruptionBudgets: namespaced("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
  horizontalPodAutoscalers: namespaced("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
  namespaces: { apiVersion: "v1", kind: "Namespace", plural: "namespaces", scope: "Cluster" },
} as const satisfies Record<string, Resource>;

/** A collection (no name) or one object. Without a namespace, a collection is that of all namespaces. */
export interface Target {
  readonly resource: Resource;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: "status" | undefined;
}

/** The path of a target below the server's root. */
export function pathOf(target: Target): string {
  const { apiVersion, plural, scope } = target.resource;
  const parts = [apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`];
  if (scope === "Namespaced" && target.namespace !== undefined) {
    parts.push("namespaces", encodeURIComponent(target.namespace));
  }
  parts.push(plural);
  if (target.name !== undefined) parts.push(encodeURIComponent(target.name));
  if (target.subresource !== undefined) parts.push(target.subresource);
  return parts.join("/");
}
