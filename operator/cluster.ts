/**
 * Everything that a translation reads, gathered before anything is decided. The watch loops (or the files) own the maps and
 * replace an object when it changes; an object itself never changes, so results may be remembered by its identity.
 */
import { parseGateway, parseRoute } from "../crds/parse.ts";
import type { WebSocketGateway } from "../crds/websocketgateway.ts";
import type { WebSocketRoute } from "../crds/websocketroute.ts";
import { SNAPSHOT_OBJECTS } from "../gateway/snapshot.ts";
import type {
  ConfigMap,
  EndpointSlice,
  KubernetesObject,
  Lease,
  Namespace,
  ObjectMeta,
  ReferenceGrant,
  Secret,
  Service,
} from "./objects.ts";

/** What is wrong with an object: where (a field path such as `spec.matches[0].path.value`) and what to do about it. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

/** One of our objects as it was read: parsed, or broken with every problem. Its metadata and old status are known either way. */
export interface Entry<T> {
  readonly metadata: ObjectMeta;
  /** The status that the object carries now, as it stands in the API; never trusted to be of the right shape. */
  readonly status: unknown;
  readonly parsed:
    | { readonly ok: true; readonly value: T }
    | { readonly ok: false; readonly problems: readonly Problem[] };
}

export type RouteEntry = Entry<WebSocketRoute>;
export type GatewayEntry = Entry<WebSocketGateway>;

/** A gateway process's Lease and when (operator's clock, ms) it was last seen to be renewed. */
export interface LeaseEntry {
  readonly lease: Lease;
  readonly observedAt: number;
}

/** All maps are keyed by `namespace/name`, except `namespaces` (by name). */
export interface Cluster {
  readonly gateways: ReadonlyMap<string, GatewayEntry>;
  readonly routes: ReadonlyMap<string, RouteEntry>;
  readonly services: ReadonlyMap<string, Service>;
  readonly endpointSlices: ReadonlyMap<string, EndpointSlice>;
  /** Only those that `referencedNames` names, the gateways' own Secrets among them. An absent one does not exist. */
  readonly secrets: ReadonlyMap<string, Secret>;
  /** What of these the API server does not let the operator read, as `secrets namespace/name`. */
  readonly forbidden: ReadonlySet<string>;
  /** Only those that `referencedNames` names. */
  readonly configMaps: ReadonlyMap<string, ConfigMap>;
  readonly namespaces: ReadonlyMap<string, Namespace>;
  readonly referenceGrants: ReadonlyMap<string, ReferenceGrant> | "notInstalled";
  /** Leases with the gateway label and role `pod`. */
  readonly leases: ReadonlyMap<string, LeaseEntry>;
  /** Index ConfigMaps (role `index`), keyed by their own `namespace/name`. */
  readonly indexes: ReadonlyMap<string, ConfigMap>;
}

/** The same maps for whoever fills them. */
export interface ClusterStore extends Cluster {
  readonly gateways: Map<string, GatewayEntry>;
  readonly routes: Map<string, RouteEntry>;
  readonly services: Map<string, Service>;
  readonly endpointSlices: Map<string, EndpointSlice>;
  readonly secrets: Map<string, Secret>;
  readonly forbidden: Set<string>;
  readonly configMaps: Map<string, ConfigMap>;
  readonly namespaces: Map<string, Namespace>;
  referenceGrants: Map<string, ReferenceGrant> | "notInstalled";
  readonly leases: Map<string, LeaseEntry>;
  readonly indexes: Map<string, ConfigMap>;
}

/** A map that counts its changes, so that who has read it once can tell that there is nothing new in it. */
class CountingMap<K, V> extends Map<K, V> {
  changes = 0;

  override set(key: K, value: V): this {
    this.changes++;
    return super.set(key, value);
  }

  override delete(key: K): boolean {
    this.changes++;
    return super.delete(key);
  }

  override clear(): void {
    this.changes++;
    super.clear();
  }
}

/** Values that are the same for two moments exactly when the maps hold the same then. A map that counts gives few. */
export function contentsOf(maps: readonly ReadonlyMap<unknown, unknown>[]): unknown[] {
  return maps.flatMap((map) => (map instanceof CountingMap ? [map, map.changes] : [map, ...map.values()]));
}

/** Entries, with a count of the changes to what was parsed: most writes change a status. */
class EntryMap<T> extends CountingMap<string, Entry<T>> {
  specs = 0;

  override set(key: string, entry: Entry<T>): this {
    if (this.get(key)?.parsed !== entry.parsed) this.specs++;
    return super.set(key, entry);
  }

  override delete(key: string): boolean {
    this.specs++;
    return super.delete(key);
  }

  override clear(): void {
    this.specs++;
    super.clear();
  }
}

/** The same as `contentsOf`, of what is parsed alone. */
export function specsOf<T>(map: ReadonlyMap<string, Entry<T>>): unknown[] {
  return map instanceof EntryMap ? [map, map.specs] : [map, ...[...map.values()].map(({ parsed }) => parsed)];
}

export function createClusterStore(): ClusterStore {
  return {
    gateways: new EntryMap(),
    routes: new EntryMap(),
    services: new CountingMap(),
    endpointSlices: new CountingMap(),
    secrets: new CountingMap(),
    forbidden: new Set(),
    configMaps: new CountingMap(),
    namespaces: new CountingMap(),
    referenceGrants: "notInstalled",
    leases: new CountingMap(),
    indexes: new CountingMap(),
  };
}

/**
 * Reads a WebSocketRoute as the API or a file gave it; a broken one becomes an entry too.
 *
 * @param before - the entry it replaces: its parsed value is kept when only metadata or status changed (same uid and generation),
 * so that a status write costs neither a parse nor a new snapshot part
 */
export function readRoute(object: KubernetesObject, before?: RouteEntry): RouteEntry {
  return entry(object, before, parseRoute);
}

/** Reads a WebSocketGateway as the API or a file gave it; the same as `readRoute`. */
export function readGateway(object: KubernetesObject, before?: GatewayEntry): GatewayEntry {
  return entry(object, before, parseGateway);
}

function entry<T>(
  object: KubernetesObject,
  before: Entry<T> | undefined,
  parse: (object: unknown) => Entry<T>["parsed"],
): Entry<T> {
  const { metadata } = object;
  const sameSpec =
    before !== undefined &&
    metadata.generation !== undefined &&
    before.metadata.generation === metadata.generation &&
    before.metadata.uid === metadata.uid;
  return {
    metadata,
    status: (object as { status?: unknown }).status,
    parsed: sameSpec ? before.parsed : parse(object),
  };
}

/**
 * When this Lease was last renewed, by the operator's own clock: the gateway's clock decides only for a Lease never seen before.
 *
 * @param now - operator's clock, ms since the epoch
 */
export function observeLease(before: LeaseEntry | undefined, lease: Lease, now: number): LeaseEntry {
  if (before === undefined) {
    const renewed = Date.parse(lease.spec?.renewTime ?? "");
    return { lease, observedAt: Number.isNaN(renewed) ? now : Math.min(renewed, now) };
  }
  const renewed = before.lease.spec?.renewTime !== lease.spec?.renewTime;
  return { lease, observedAt: renewed ? now : before.observedAt };
}

/** What a gateway process says about itself in its Lease. */
export interface Acknowledgement {
  readonly pod: string;
  readonly sequence: number;
  readonly revision: string;
  readonly connections: number;
  /** False while the process starts or drains. */
  readonly ready: boolean;
  /** It sends its clients away, and `connections` are left. */
  readonly draining: boolean;
  /** Why it did not take the newest snapshot. */
  readonly refused: string | undefined;
  /** When the Lease ends unless it is renewed, ms since the epoch. */
  readonly expiresAt: number;
}

const DEFAULT_LEASE_SECONDS = 6;

/** The acknowledgement in a Lease; undefined when it is not a gateway process's Lease. */
export function readAcknowledgement({ lease, observedAt }: LeaseEntry): Acknowledgement | undefined {
  const gateway = lease.metadata.labels?.[SNAPSHOT_OBJECTS.gatewayLabel];
  if (gateway === undefined) return undefined;
  const keys = SNAPSHOT_OBJECTS.acknowledgement;
  const annotations = lease.metadata.annotations ?? {};
  const prefix = `${SNAPSHOT_OBJECTS.indexName(gateway)}-`;
  const { name } = lease.metadata;
  return {
    pod: lease.spec?.holderIdentity ?? (name.startsWith(prefix) ? name.slice(prefix.length) : name),
    sequence: wholeNumber(annotations[keys.sequence]),
    revision: annotations[keys.revision] ?? "",
    connections: wholeNumber(annotations[keys.connections]),
    ready: annotations[keys.ready] === "true",
    draining: (annotations[keys.draining] ?? "") !== "",
    refused: annotations[keys.refused] || undefined,
    expiresAt: observedAt + (lease.spec?.leaseDurationSeconds ?? DEFAULT_LEASE_SECONDS) * 1000,
  };
}

function wholeNumber(text: string | undefined): number {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : 0;
}
