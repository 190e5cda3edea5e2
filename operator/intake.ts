/**
 * What an object that arrives changes in the Cluster store, and whether anything has to be decided again because of it. Most of
 * what arrives changes nothing: Leases are renewed, foreign Services come and go, our own writes come back. No effect but on the store.
 */

import { SNAPSHOT_OBJECTS } from "../gateway/snapshot.ts";
import type { KubeObject } from "../kube/objects.ts";
import { RESOURCES, type Resource } from "../kube/resources.ts";
import {
  type ClusterStore,
  type LeaseEntry,
  observeLease,
  readAcknowledgement,
  readGateway,
  readRoute,
} from "./cluster.ts";
import {
  type ConfigMap,
  type EndpointSlice,
  type KubernetesObject,
  type Lease,
  type Namespace,
  namespacedName,
  type ReferenceGrant,
  type Secret,
  type Service,
} from "./objects.ts";

/** `later`: only a figure in a status is different, which may wait. */
export type Wake = "now" | "later" | "no";

export interface IntakeContext {
  readonly store: ClusterStore;
  /** Services that a route refers to, by `namespace/name`. */
  readonly services: ReadonlySet<string>;
  /** ms since the epoch. */
  readonly now: number;
  /** Whether a status of ours is on its way to the object: the watch often brings it before the answer does. */
  readonly writesStatus?: ((object: KubernetesObject) => boolean) | undefined;
}

/** How one kind of object gets into the store and out of it. */
export interface Intake {
  readonly resource: Resource;
  readonly labelSelector?: string;
  /** `optional`: the cluster may be without the kind's definition. `named`: read by name, where something refers to it. */
  readonly definition: "required" | "optional" | "named";
  trim(object: KubeObject): KubernetesObject;
  put(context: IntakeContext, object: KubernetesObject): Wake;
  remove(context: IntakeContext, object: KubernetesObject): Wake;
}

/** `Intake` with the kind's own type. */
interface TypedIntake<T extends KubernetesObject> {
  readonly resource: Resource;
  readonly labelSelector?: string;
  readonly definition?: "optional" | "named";
  readonly trim?: (object: T) => T;
  readonly put: (context: IntakeContext, object: T) => Wake;
  readonly remove: (context: IntakeContext, object: T) => Wake;
}

function intake<T extends KubernetesObject>(typed: TypedIntake<T>): Intake {
  const { trim = (object: T) => object, put, remove, definition = "required", ...rest } = typed;
  return {
    ...rest,
    definition,
    trim: (object) => trim(object as T),
    put: (context, object) => put(context, object as T),
    remove: (context, object) => remove(context, object as T),
  };
}

const SERVICE_NAME_LABEL = "kubernetes.io/service-name";
const role = (value: string) => `${SNAPSHOT_OBJECTS.roleLabel}=${value}`;

const routes = intake<KubernetesObject>({
  resource: RESOURCES.webSocketRoutes,
  put: (context, object) => putEntry(context, context.store.routes, { object, read: readRoute }),
  remove: ({ store }, object) => dropped(store.routes, object),
});

const gateways = intake<KubernetesObject>({
  resource: RESOURCES.webSocketGateways,
  put: (context, object) => putEntry(context, context.store.gateways, { object, read: readGateway }),
  remove: ({ store }, object) => dropped(store.gateways, object),
});

const services = intake<Service>({
  resource: RESOURCES.services,
  trim: ({ spec, ...object }) => ({ ...bare(object), spec }),
  put: ({ store, services }, object) =>
    wakeIf(putPlain(store.services, object) && services.has(namespacedName(object))),
  remove: ({ store, services }, object) => {
    store.services.delete(namespacedName(object));
    return wakeIf(services.has(namespacedName(object)));
  },
});

const endpointSlices = intake<EndpointSlice>({
  resource: RESOURCES.endpointSlices,
  trim: ({ addressType, endpoints, ports, ...object }) => ({
    ...bare(object),
    addressType,
    ports,
    endpoints: endpoints?.map(({ addresses, conditions }) => ({ addresses, conditions: { ready: conditions?.ready } })),
  }),
  put: ({ store, services }, object) =>
    wakeIf(putPlain(store.endpointSlices, object) && services.has(serviceOf(object))),
  remove: ({ store, services }, object) => {
    store.endpointSlices.delete(namespacedName(object));
    return wakeIf(services.has(serviceOf(object)));
  },
});

const namespaces = intake<Namespace>({
  resource: RESOURCES.namespaces,
  trim: bare,
  put: ({ store }, object) => {
    const before = store.namespaces.get(object.metadata.name);
    store.namespaces.set(object.metadata.name, object);
    return wakeIf(!sameJson(before?.metadata.labels, object.metadata.labels) || before === undefined);
  },
  remove: ({ store }, object) => wakeIf(store.namespaces.delete(object.metadata.name)),
});

const leases = intake<Lease>({
  resource: RESOURCES.leases,
  labelSelector: role(SNAPSHOT_OBJECTS.roles.pod),
  put: ({ store, now }, object) => {
    const key = namespacedName(object);
    const before = store.leases.get(key);
    const after = observeLease(before, object, now);
    store.leases.set(key, after);
    return before === undefined ? "now" : wakeOfLease(before, after, now);
  },
  remove: ({ store }, object) => wakeIf(store.leases.delete(namespacedName(object))),
});

const indexes = intake<ConfigMap>({
  resource: RESOURCES.configMaps,
  labelSelector: role(SNAPSHOT_OBJECTS.roles.index),
  put: ({ store }, object) => wakeIf(putPlain(store.indexes, object)),
  remove: ({ store }, object) => {
    const key = namespacedName(object);
    const before = store.indexes.get(key);
    if (before === undefined) return "no";
    // The sequence must go on from the last one even so; without a resourceVersion it counts as not being there.
    const { resourceVersion: _resourceVersion, ...metadata } = before.metadata;
    store.indexes.set(key, { ...before, metadata });
    return "now";
  },
});

const referenceGrants = intake<ReferenceGrant>({
  resource: RESOURCES.referenceGrants,
  definition: "optional",
  put: ({ store }, object) => {
    if (store.referenceGrants === "notInstalled") store.referenceGrants = new Map();
    return wakeIf(putPlain(store.referenceGrants, object));
  },
  remove: ({ store }, object) =>
    wakeIf(store.referenceGrants !== "notInstalled" && store.referenceGrants.delete(namespacedName(object))),
});

/** Kinds that are watched everywhere. */
export const CLUSTER_INTAKES: readonly Intake[] = [
  gateways,
  routes,
  services,
  endpointSlices,
  namespaces,
  leases,
  indexes,
  referenceGrants,
];

/** Kinds that are read by name, and only where something refers to them. */
export const NAMED_INTAKES = {
  secrets: intake<Secret>({
    resource: RESOURCES.secrets,
    definition: "named",
    put: ({ store }, object) => wakeIf(putPlain(store.secrets, object)),
    remove: ({ store }, object) => wakeIf(store.secrets.delete(namespacedName(object))),
  }),
  configMaps: intake<ConfigMap>({
    resource: RESOURCES.configMaps,
    definition: "named",
    put: ({ store }, object) => wakeIf(putPlain(store.configMaps, object)),
    remove: ({ store }, object) => wakeIf(store.configMaps.delete(namespacedName(object))),
  }),
} as const;

/** Drops annotations and whatever else stands beside the name. */
function bare<T extends KubernetesObject>(object: T): T {
  const { annotations: _annotations, ...metadata } = object.metadata;
  const { apiVersion, kind } = object;
  return { apiVersion, kind, metadata } as T;
}

function wakeIf(matters: boolean): Wake {
  return matters ? "now" : "no";
}

function dropped(map: Map<string, unknown>, object: KubernetesObject): Wake {
  return wakeIf(map.delete(namespacedName(object)));
}

function serviceOf(slice: EndpointSlice): string {
  return `${slice.metadata.namespace}/${slice.metadata.labels?.[SERVICE_NAME_LABEL] ?? ""}`;
}

/** True when the store did not hold this state of the object, or a newer one, already. */
function putPlain<T extends KubernetesObject>(map: Map<string, T>, object: T): boolean {
  const key = namespacedName(object);
  const before = map.get(key);
  if (before !== undefined && !isNewer(object, before)) return false;
  map.set(key, object);
  return true;
}

function putEntry<E extends { readonly metadata: KubernetesObject["metadata"]; readonly status: unknown }>(
  context: IntakeContext,
  map: Map<string, E>,
  { object, read }: { readonly object: KubernetesObject; readonly read: (object: KubernetesObject, before?: E) => E },
): Wake {
  const key = namespacedName(object);
  const before = map.get(key);
  if (before !== undefined && !isNewer(object, before)) return "no";
  const after = read(object, before);
  map.set(key, after);
  if (before === undefined) return "now";
  if (!sameJson(withoutVersion(before.metadata), withoutVersion(after.metadata))) return "now";
  return wakeIf(!sameJson(before.status, after.status) && !context.writesStatus?.(object));
}

/**
 * Whether an object is another state than the one known, and not one that it had before: what we wrote is in the store before the
 * watch brings what it was. Resource versions of one object compare as numbers since Kubernetes 1.35; other words count as newer.
 */
export function isNewer(object: KubernetesObject, known: { readonly metadata: KubernetesObject["metadata"] }): boolean {
  const [a, b] = [object.metadata, known.metadata];
  if (a.uid !== b.uid || a.resourceVersion === undefined || b.resourceVersion === undefined) return true;
  if (!/^\d+$/.test(a.resourceVersion) || !/^\d+$/.test(b.resourceVersion))
    return a.resourceVersion !== b.resourceVersion;
  return BigInt(a.resourceVersion) > BigInt(b.resourceVersion);
}

function withoutVersion({ resourceVersion: _resourceVersion, ...metadata }: KubernetesObject["metadata"]) {
  return metadata;
}

function wakeOfLease(before: LeaseEntry, after: LeaseEntry, now: number): Wake {
  const [was, is] = [readAcknowledgement(before), readAcknowledgement(after)];
  if (was === undefined || is === undefined) return wakeIf(was !== is);
  if (was.expiresAt <= now) return "now";
  const { connections: had, expiresAt: _was, ...said } = was;
  const { connections: has, expiresAt: _is, ...says } = is;
  if (!sameJson(said, says)) return "now";
  return had === has ? "no" : "later";
}

function sameJson(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
