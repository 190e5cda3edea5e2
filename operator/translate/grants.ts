/** Whether an object may refer to one in another namespace (gateway.networking.k8s.io ReferenceGrant). */
import { GROUP } from "../../crds/kinds.ts";
import type { Cluster } from "../cluster.ts";
import type { Objection } from "./condition.ts";

export interface Referrer {
  readonly kind: "WebSocketRoute" | "WebSocketGateway";
  readonly namespace: string;
}

/** Both kinds that can be referred to are in the core group. */
export interface Target {
  readonly kind: "Service" | "Secret";
  readonly namespace: string;
  readonly name: string;
}

/** Undefined when `from` may refer to `to`: within a namespace always, beyond it with a grant there that says so. */
export function notPermitted(grants: Cluster["referenceGrants"], from: Referrer, to: Target): Objection | undefined {
  if (from.namespace === to.namespace) return undefined;
  if (grants !== "notInstalled" && [...grants.values()].some((grant) => allows(grant, from, to))) return undefined;
  const remedy =
    grants === "notInstalled"
      ? "the ReferenceGrant CRD is not installed here, so it has to be in the same namespace"
      : `no ReferenceGrant in ${to.namespace} allows it for a ${from.kind} in ${from.namespace}`;
  return {
    reason: "RefNotPermitted",
    message: `${to.kind} ${to.namespace}/${to.name} may not be referred to: ${remedy}`,
  };
}

type Grant = Exclude<Cluster["referenceGrants"], "notInstalled"> extends ReadonlyMap<string, infer G> ? G : never;

function allows(grant: Grant, from: Referrer, to: Target): boolean {
  if (grant.metadata.namespace !== to.namespace) return false;
  return (
    (grant.spec?.from ?? []).some(
      (item) => item.group === GROUP && item.kind === from.kind && item.namespace === from.namespace,
    ) &&
    (grant.spec?.to ?? []).some(
      (item) => item.group === "" && item.kind === to.kind && (item.name === undefined || item.name === to.name),
    )
  );
}
