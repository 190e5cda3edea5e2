/** The pods' ServiceAccount and what it may do: read its gateway's snapshot, and say so in a Lease. */
import type { V1Role, V1RoleBinding, V1ServiceAccount } from "@kubernetes/client-node";
import { SNAPSHOT_OBJECTS } from "../../../gateway/snapshot.ts";
import type { FleetIdentity, FleetObject } from "./identity.ts";

export function renderServiceAccount(identity: FleetIdentity): FleetObject & V1ServiceAccount {
  return { apiVersion: "v1", kind: "ServiceAccount", metadata: identity.metadata() };
}

/** RBAC knows no labels, hence all ConfigMaps and Leases of the namespace; of the Secrets just the gateway's own. */
export function renderRole(identity: FleetIdentity): FleetObject & V1Role {
  const secretName = SNAPSHOT_OBJECTS.secretName(identity.gateway);
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata: identity.metadata(),
    rules: [
      { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "watch"] },
      { apiGroups: [""], resources: ["secrets"], resourceNames: [secretName], verbs: ["get", "list", "watch"] },
      // The Lease is applied, which creates or patches it.
      { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create", "patch", "delete"] },
    ],
  };
}

export function renderRoleBinding(identity: FleetIdentity): FleetObject & V1RoleBinding {
  const { name, namespace } = identity;
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata: identity.metadata(),
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
    subjects: [{ kind: "ServiceAccount", name, namespace }],
  };
}
