/**
 * Makes the cluster hold what a fleet consists of: each object only where it differs, nothing of somebody else's, and what is
 * not wanted any more removed.
 */
import { SNAPSHOT_OBJECTS } from "../../gateway/snapshot.ts";
import { FIELD_MANAGER, type KubeClient } from "../../kube/client.ts";
import { isNotFound, KubeError } from "../../kube/error.ts";
import { RESOURCES, type Resource, type Target } from "../../kube/resources.ts";
import type { KubernetesObject } from "../objects.ts";
import { type FleetObject, MANAGED_BY } from "../render/fleet/identity.ts";
import type { Objection } from "../translate/condition.ts";
import { covers, withHash } from "./compare.ts";
import { type Deployment, FLEET_RESOURCES, gatewayOf, kindAndName } from "./objects.ts";
import type { FleetWatch } from "./watch.ts";

export interface FleetContext {
  readonly client: Pick<KubeClient, "get" | "apply" | "delete">;
  readonly watch: Pick<FleetWatch, "objects" | "took">;
  /** Called for each request that may change something. */
  readonly onWrite: (kind: string) => void;
  readonly signal: AbortSignal;
}

/** A gateway and everything that shall be there for it. */
export interface WantedFleet {
  /** `namespace/name` of the WebSocketGateway. */
  readonly key: string;
  readonly uid: string | undefined;
  readonly objects: readonly FleetObject[];
  /** Of the number of pods, where an autoscaler sets it. */
  readonly bounds?: { readonly min: number; readonly max: number } | undefined;
}

/** Who owns a Deployment's `replicas` between the operator, which does not want it any more, and the autoscaler. */
const SCALE_MANAGER = `${FIELD_MANAGER}-scale`;

/**
 * Resolves to why the fleet cannot be as it should, for people; undefined when it is.
 *
 * @throws KubeError when the API server is in trouble: a later call goes on from there.
 */
export async function applyFleet(context: FleetContext, wanted: WantedFleet): Promise<Objection | undefined> {
  await removeUnwanted(context, wanted);
  for (const object of wanted.objects) {
    const objection = await applyObject(context, withHash(object), wanted);
    if (objection !== undefined) return objection;
  }
  return undefined;
}

async function removeUnwanted({ client, watch, onWrite, signal }: FleetContext, wanted: WantedFleet): Promise<void> {
  const kept = new Set(wanted.objects.map(kindAndName));
  for (const object of [...watch.objects.values()]) {
    if (gatewayOf(object) !== wanted.key || kept.has(kindAndName(object)) || !isOwnedBy(object, wanted.uid)) continue;
    if (object.metadata.deletionTimestamp !== undefined) continue;
    onWrite("delete");
    await client.delete(targetOf(object), { uid: object.metadata.uid, signal });
  }
}

async function applyObject(
  context: FleetContext,
  desired: FleetObject,
  wanted: WantedFleet,
): Promise<Objection | undefined> {
  const target = targetOf(desired);
  // What the labels do not show may be there all the same, and then it is somebody else's.
  const live = context.watch.objects.get(kindAndName(desired)) ?? (await find(context, target));
  if (live !== undefined && !isOurs(live, desired)) return notOwned(desired);
  if (live !== undefined && covers(live, desired)) return undefined;
  try {
    if (live !== undefined && leavesScale(desired)) await handOverScale(context, target, wanted);
    context.onWrite("fleet");
    const { signal } = context;
    context.watch.took(target.resource, await context.client.apply(target, desired, { conflicts: "force", signal }));
    return undefined;
  } catch (error) {
    if (error instanceof KubeError && REFUSALS.has(error.status)) return refused(desired, error);
    throw error;
  }
}

/**
 * Answers to an object that is wrong or not allowed, which a second try would hardly change. 500 is what the API server says
 * to a field of the wrong type, and when an admission webhook fails.
 */
const REFUSALS: ReadonlySet<number> = new Set([400, 403, 422, 500]);

function refused({ kind, metadata }: FleetObject, { message }: KubeError): Objection {
  return { reason: "FleetRefused", message: `${kind} ${metadata.namespace}/${metadata.name}: ${message}` };
}

function notOwned({ kind, metadata }: FleetObject): Objection {
  const name = `${kind} ${metadata.namespace}/${metadata.name}`;
  const message = `${name} exists and does not belong to this gateway: delete it, or rename the gateway`;
  return { reason: "ObjectNotOwned", message };
}

/** Ours is what carries our labels and is no other controller's. */
function isOurs({ metadata }: KubernetesObject, desired: FleetObject): boolean {
  const labels = [SNAPSHOT_OBJECTS.gatewayLabel, SNAPSHOT_OBJECTS.roleLabel, MANAGED_BY.label];
  const controller = metadata.ownerReferences?.find((owner) => owner.controller);
  const [owner] = desired.metadata.ownerReferences ?? [];
  return (
    labels.every((label) => metadata.labels?.[label] === desired.metadata.labels?.[label]) &&
    // A gateway that was deleted and made again has another uid; its objects go over to it.
    (controller === undefined || (controller.kind === owner?.kind && controller.name === owner.name))
  );
}

function isOwnedBy({ metadata }: KubernetesObject, uid: string | undefined): boolean {
  return metadata.ownerReferences?.some((owner) => owner.controller && owner.uid === uid) ?? false;
}

async function find({ client, signal }: FleetContext, target: Target): Promise<KubernetesObject | undefined> {
  try {
    return await client.get(target, { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function leavesScale(desired: FleetObject): boolean {
  return desired.kind === RESOURCES.deployments.kind && (desired as Deployment).spec?.replicas === undefined;
}

interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly fieldsV1?: { readonly "f:spec"?: Readonly<Record<string, unknown>> };
}

/**
 * Server-side apply removes a field that its only owner leaves out, and a Deployment without `replicas` has one pod: turning
 * the autoscaler on would send most clients away. So the number stays, within the autoscaler's bounds, under another name.
 */
async function handOverScale(context: FleetContext, target: Target, { bounds }: WantedFleet): Promise<void> {
  const { client, onWrite, signal } = context;
  const live = await client.get<Deployment & KubernetesObject>(target, { signal });
  const managed = (live.metadata as { readonly managedFields?: readonly ManagedFields[] }).managedFields ?? [];
  const isOnlyOurs = managed.some(
    ({ manager, operation, fieldsV1 }) =>
      manager === FIELD_MANAGER && operation === "Apply" && fieldsV1?.["f:spec"]?.["f:replicas"] !== undefined,
  );
  if (!isOnlyOurs) return;
  const { min = 1, max = 1000 } = bounds ?? {};
  const replicas = Math.min(max, Math.max(min, live.spec?.replicas ?? 1));
  const { name, namespace } = live.metadata;
  onWrite("fleet");
  await client.apply(
    target,
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, namespace },
      spec: { replicas },
    } as KubernetesObject,
    { fieldManager: SCALE_MANAGER, conflicts: "force", signal },
  );
}

function targetOf({ kind, metadata }: KubernetesObject): Target & { readonly resource: Resource } {
  const resource = FLEET_RESOURCES.find((candidate) => candidate.kind === kind);
  if (resource === undefined) throw new Error(`no fleet has a ${kind}`);
  return { resource, namespace: metadata.namespace, name: metadata.name };
}
