/** Leases as signs of life: made, renewed and deleted, and when one has expired. */
import type { CallOptions, KubeClient } from "./client.ts";
import type { Lease, OwnerReference } from "./objects.ts";
import { RESOURCES } from "./resources.ts";

export interface LeaseRenewal {
  readonly namespace: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** The object that the Lease goes with. */
  readonly owner?: OwnerReference | undefined;
  /** Who holds the Lease: the pod's name. */
  readonly holder: string;
  readonly durationSeconds: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Separates our fields from those of other writers. */
  readonly fieldManager: string;
}

/** Creates the Lease or renews it, with exactly these labels and annotations of ours, in one request. */
export function renewLease(
  client: Pick<KubeClient, "apply">,
  renewal: LeaseRenewal,
  options: CallOptions = {},
): Promise<Lease> {
  const { namespace, name, labels = {}, annotations = {}, owner, holder, durationSeconds, now, fieldManager } = renewal;
  const lease = {
    apiVersion: RESOURCES.leases.apiVersion,
    kind: RESOURCES.leases.kind,
    metadata: { namespace, name, labels, annotations, ...(owner && { ownerReferences: [owner] }) },
    spec: { holderIdentity: holder, leaseDurationSeconds: durationSeconds, renewTime: microTime(now) },
  };
  return client.apply<Lease>({ resource: RESOURCES.leases, namespace, name }, lease, {
    fieldManager,
    conflicts: "force",
    ...options,
  });
}

/** Resolves also when the Lease is gone already. */
export function deleteLease(
  client: Pick<KubeClient, "delete">,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  options: CallOptions = {},
): Promise<void> {
  return client.delete({ resource: RESOURCES.leases, namespace, name }, options);
}

/** Kubernetes' MicroTime: RFC 3339 with six digits, which its parser insists on. */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}

/** When the Lease expires, in milliseconds since the epoch by its writer's clock; undefined for one that says nothing. */
export function leaseExpiry(lease: Lease): number | undefined {
  const { renewTime, leaseDurationSeconds } = lease.spec ?? {};
  if (renewTime === undefined || leaseDurationSeconds === undefined) return undefined;
  const renewedAt = Date.parse(renewTime);
  return Number.isNaN(renewedAt) ? undefined : renewedAt + leaseDurationSeconds * 1000;
}
