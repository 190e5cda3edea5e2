/**
 * Writes a snapshot so that a reader never sees index and parts disagree: the Secret, then the parts (which never change), then
 * the index, each only where it differs from what is there. An object of that name that is not ours is never touched.
 */
import { SNAPSHOT_OBJECTS } from "../gateway/snapshot.ts";
import type { KubeClient } from "../kube/client.ts";
import { isConflict, isNotFound } from "../kube/error.ts";
import type { KubeObject } from "../kube/objects.ts";
import { RESOURCES, type Resource, type Target } from "../kube/resources.ts";
import { type ConfigMap, type KubernetesObject, namespacedName, type OwnerReference, type Secret } from "./objects.ts";
import { inParallel } from "./parallel.ts";
import type { SnapshotObjects } from "./render/snapshot-objects.ts";
import type { ClusterWatch } from "./watch.ts";

export interface ApplyContext {
  readonly client: Pick<KubeClient, "get" | "apply" | "create" | "merge">;
  readonly watch: Pick<ClusterWatch, "cluster" | "parts" | "took">;
  /** Called for each request that may have changed something, with the object's role. */
  readonly onWrite: (role: string) => void;
  readonly signal: AbortSignal;
}

export type ApplyOutcome =
  | { readonly ok: true }
  /** Somebody else's object is in the way; `message` names it and says what to do. */
  | { readonly ok: false; readonly message: string };

/** What carries a gateway's snapshot: an object with data. */
type Carrier = ConfigMap | Secret;

const PARTS_AT_A_TIME = 6;

/** @throws KubeError when a write failed; what was written until then stays, and a later call goes on from there. */
export async function applySnapshot(context: ApplyContext, objects: SnapshotObjects): Promise<ApplyOutcome> {
  const { cluster } = context.watch;
  try {
    await write(context, RESOURCES.secrets, {
      desired: objects.secret,
      known: cluster.secrets.get(namespacedName(objects.secret)),
    });
    const due = objects.parts.filter((part) => !isThere(context, part));
    await inParallel(due, PARTS_AT_A_TIME, (part) => writePart(context, part));
    await write(context, RESOURCES.configMaps, {
      desired: objects.index,
      known: cluster.indexes.get(namespacedName(objects.index)),
    });
    return { ok: true };
  } catch (error) {
    if (error instanceof NotOwned) return { ok: false, message: error.message };
    throw error;
  }
}

class NotOwned extends Error {
  constructor({ kind, metadata }: KubernetesObject) {
    const name = `${kind} ${metadata.namespace}/${metadata.name}`;
    super(`${name} exists and does not belong to this gateway: delete it, or rename the gateway`);
  }
}

interface Change {
  readonly desired: Carrier;
  readonly known: Carrier | undefined;
}

async function write(context: ApplyContext, resource: Resource, { desired, known }: Change): Promise<void> {
  const target = targetOf(resource, desired);
  // Without a resourceVersion it is one that somebody deleted; what the caches do not show may still be somebody else's.
  const existing = known?.metadata.resourceVersion === undefined ? await find(context, target) : known;
  if (existing !== undefined) {
    assertOurs(existing, desired);
    if (holds(existing, desired)) return existing === known ? undefined : context.watch.took(existing);
  }
  const resourceVersion = existing?.metadata.resourceVersion;
  const { resourceVersion: _stale, ...metadata } = desired.metadata;
  const object = {
    ...desired,
    metadata: { ...metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
  };
  context.onWrite(roleOf(desired));
  context.watch.took(await context.client.apply(target, object, { conflicts: "force", signal: context.signal }));
}

/** A part that is there and ours is as it shall be, for parts do not change: of hundreds, a pass writes a few. */
function isThere({ watch }: ApplyContext, part: ConfigMap): boolean {
  const known = watch.parts.get(namespacedName(part));
  return known !== undefined && ownersHold(known, part);
}

async function writePart(context: ApplyContext, part: ConfigMap): Promise<void> {
  const { client, watch, signal, onWrite } = context;
  const known = watch.parts.get(namespacedName(part));
  if (known !== undefined) return adopt(context, known, part);
  onWrite(roleOf(part));
  try {
    watch.took(await client.create(targetOf(RESOURCES.configMaps, part), part, { signal }));
  } catch (error) {
    if (!isConflict(error)) throw error;
    const existing = await find(context, targetOf(RESOURCES.configMaps, part));
    if (existing === undefined) throw error;
    assertOurs(existing, part);
    await adopt(context, existing, part);
  }
}

/** A part of a gateway that was deleted and made again still names its first owner, and would be deleted with it. */
async function adopt(context: ApplyContext, existing: KubernetesObject, part: ConfigMap): Promise<void> {
  if (ownersHold(existing, part)) return context.watch.took(existing);
  const patch = { metadata: { uid: existing.metadata.uid, ownerReferences: part.metadata.ownerReferences } };
  context.onWrite(roleOf(part));
  context.watch.took(
    await context.client.merge(targetOf(RESOURCES.configMaps, part), patch, { signal: context.signal }),
  );
}

async function find({ client, signal }: ApplyContext, target: Target): Promise<Carrier | undefined> {
  try {
    return await client.get<KubeObject>(target, { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function targetOf(resource: Resource, { metadata }: KubernetesObject): Target {
  return { resource, namespace: metadata.namespace, name: metadata.name };
}

function roleOf({ metadata }: KubernetesObject): string {
  return metadata.labels?.[SNAPSHOT_OBJECTS.roleLabel] ?? "unknown";
}

/** Ours is what carries the labels that we would give it. */
function assertOurs(existing: KubernetesObject, desired: KubernetesObject): void {
  const has = existing.metadata.labels ?? {};
  const wants = desired.metadata.labels ?? {};
  const { gatewayLabel, roleLabel } = SNAPSHOT_OBJECTS;
  if (has[gatewayLabel] !== wants[gatewayLabel] || has[roleLabel] !== wants[roleLabel]) throw new NotOwned(desired);
}

/** Whether a write would change nothing. */
function holds(existing: Carrier, desired: Carrier): boolean {
  const labels = existing.metadata.labels ?? {};
  return (
    sameEntries(existing.data, desired.data) &&
    Object.entries(desired.metadata.labels ?? {}).every(([name, value]) => labels[name] === value) &&
    ownersHold(existing, desired)
  );
}

function ownersHold(existing: KubernetesObject, desired: KubernetesObject): boolean {
  const uids = (object: KubernetesObject) =>
    (object.metadata.ownerReferences ?? []).map((owner: OwnerReference) => owner.uid);
  const has = uids(existing);
  return uids(desired).every((uid) => has.includes(uid)) && has.length === uids(desired).length;
}

function sameEntries(a: Readonly<Record<string, string>> = {}, b: Readonly<Record<string, string>> = {}): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
