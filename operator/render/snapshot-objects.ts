/** From a plan to the Kubernetes objects that carry it: immutable parts named by their content, an index, and one Secret. */
import { createHash } from "node:crypto";
import {
  type BackendEndpoints,
  type Endpoint,
  type GatewaySettings,
  type Route,
  SNAPSHOT_OBJECTS,
  type Snapshot,
  type SnapshotIndex,
  secretRevision,
} from "../../gateway/snapshot.ts";
import type { GatewayEntry } from "../cluster.ts";
import type { ConfigMap, ObjectMeta, Secret } from "../objects.ts";
import type { GatewayPlan } from "../translate/plan.ts";
import { cutIntoParts, OBJECT_DATA_LIMIT, type Part, PartMemory, type PartOwner } from "./parts.ts";

export interface RenderInput {
  readonly plan: GatewayPlan;
  /** The index that stands in the API now (`readIndex`), which the sequence goes on from; undefined for a new gateway. */
  readonly previous: { readonly revision: string; readonly sequence: number } | undefined;
  /** The gateway's own Secret as it stands in the API: its connection-ID key and API token are kept. */
  readonly secret: Secret | undefined;
  /** Random bytes for the keys of a new Secret. */
  readonly random: (bytes: number) => Buffer;
  /** Of the rendering before, to save work; it is brought up to date. */
  readonly memory?: PartMemory;
}

export interface SnapshotObjects {
  readonly parts: readonly ConfigMap[];
  readonly index: ConfigMap;
  /** Complete: to be written as it is, before the index. Has `metadata.resourceVersion` when it existed before. */
  readonly secret: Secret;
}

export type RenderedSnapshot =
  | {
      readonly ok: true;
      readonly index: SnapshotIndex;
      readonly objects: SnapshotObjects;
      /** What the Secret holds, decoded. */
      readonly secretValues: ReadonlyMap<string, string>;
    }
  | { readonly ok: false; readonly message: string };

/**
 * Same input, same bytes; nothing random is asked for while the Secret holds its keys. A plan that cannot fit gives `ok: false`
 * and a message for people; the old snapshot stays then.
 */
export function renderSnapshot({
  plan,
  previous,
  secret,
  random,
  memory = new PartMemory(),
}: RenderInput): RenderedSnapshot {
  const { settings } = plan;
  const owner = partOwner(plan.entry, settings);
  const backends = { kind: "endpoints", field: "backends", items: plan.endpoints, nameOf: backendName, owner } as const;
  const routes = { kind: "routes", field: "routes", items: plan.routes, nameOf: routeName, owner } as const;
  const parts = [...cutIntoParts(backends, memory), ...cutIntoParts(routes, memory)];
  const secretValues = valuesOfSecret(plan, secret, random);
  const index = indexOf({ settings, parts, secretValues, previous });
  const objects = {
    parts: parts.map((part) => part.object),
    index: indexObject(index, owner),
    secret: secretObject({ secretValues, owner, existing: secret }),
  };
  const message = tooLarge(parts, objects);
  return message === undefined ? { ok: true, index, objects, secretValues } : { ok: false, message };
}

function backendName({ id }: BackendEndpoints): readonly string[] {
  return [id];
}

function routeName({ namespace, name }: Route): readonly string[] {
  return [namespace, "/", name];
}

/** Revision and sequence of an index ConfigMap; undefined when it holds none that can be read. */
export function readIndex(object: ConfigMap | undefined): RenderInput["previous"] {
  try {
    const { revision, sequence } = JSON.parse(object?.data?.[SNAPSHOT_OBJECTS.indexKey] ?? "{}");
    return typeof revision === "string" && Number.isSafeInteger(sequence) ? { revision, sequence } : undefined;
  } catch {
    return undefined;
  }
}

/** The snapshot itself, for a gateway in the same process. `routes` keeps its identity while no route changes. */
export function snapshotOf(plan: GatewayPlan, index: Pick<SnapshotIndex, "revision" | "sequence">): Snapshot {
  const endpoints = new Map<string, readonly Endpoint[]>(plan.endpoints.map(({ id, endpoints }) => [id, endpoints]));
  return Object.freeze({
    revision: index.revision,
    sequence: index.sequence,
    settings: plan.settings,
    routes: plan.routes,
    endpoints,
  });
}

function partOwner({ metadata }: GatewayEntry, { namespace, name }: GatewaySettings): PartOwner {
  const labels = {
    "app.kubernetes.io/managed-by": "holdfast",
    [SNAPSHOT_OBJECTS.gatewayLabel]: name,
    [SNAPSHOT_OBJECTS.roleLabel]: SNAPSHOT_OBJECTS.roles.part,
  };
  return {
    id: `${namespace}/${name} ${metadata.uid}`,
    prefix: SNAPSHOT_OBJECTS.indexName(name),
    metadata: { namespace, labels, ...ownerReferences(metadata) },
  };
}

/** So that the objects go when their WebSocketGateway goes. A gateway from a file has no uid and owns nothing. */
function ownerReferences({ name, uid }: ObjectMeta): Pick<ObjectMeta, "ownerReferences"> {
  if (uid === undefined) return {};
  const reference = { apiVersion: "holdfast.dev/v1alpha1", kind: "WebSocketGateway", name, uid, controller: true };
  return { ownerReferences: [reference] };
}

function withRole({ metadata }: PartOwner, role: string): Omit<ObjectMeta, "name"> {
  return { ...metadata, labels: { ...metadata.labels, [SNAPSHOT_OBJECTS.roleLabel]: role } };
}

interface IndexInput {
  readonly settings: GatewaySettings;
  readonly parts: readonly Part[];
  readonly secretValues: ReadonlyMap<string, string>;
  readonly previous: RenderInput["previous"];
}

function indexOf({ settings, parts, secretValues, previous }: IndexInput): SnapshotIndex {
  const content = {
    settings,
    secretRevision: secretRevision(secretValues),
    parts: parts.map((part) => part.reference),
  };
  const hashed = JSON.stringify([
    settings,
    content.secretRevision,
    content.parts.map(({ kind, hash }) => [kind, hash]),
  ]);
  const revision = createHash("sha256").update(hashed).digest("hex").slice(0, 16);
  const sequence = previous === undefined ? 1 : previous.sequence + (previous.revision === revision ? 0 : 1);
  return { format: 1, revision, sequence, ...content };
}

function indexObject(index: SnapshotIndex, owner: PartOwner): ConfigMap {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: owner.prefix, ...withRole(owner, SNAPSHOT_OBJECTS.roles.index) },
    data: { [SNAPSHOT_OBJECTS.indexKey]: JSON.stringify(index) },
  };
}

function valuesOfSecret(
  plan: GatewayPlan,
  existing: Secret | undefined,
  random: RenderInput["random"],
): ReadonlyMap<string, string> {
  const { connectionIdKey, apiTokenKey } = SNAPSHOT_OBJECTS;
  const kept = (key: string): string | undefined => {
    const value = existing?.data?.[key];
    return value ? Buffer.from(value, "base64").toString("utf8") : undefined;
  };
  return new Map([
    [connectionIdKey, kept(connectionIdKey) ?? random(32).toString("base64")],
    [apiTokenKey, kept(apiTokenKey) ?? random(32).toString("base64url")],
    ...plan.secretValues,
  ]);
}

interface SecretInput {
  readonly secretValues: ReadonlyMap<string, string>;
  readonly owner: PartOwner;
  readonly existing: Secret | undefined;
}

function secretObject({ secretValues, owner, existing }: SecretInput): Secret {
  const sorted = [...secretValues].sort(([a], [b]) => (a < b ? -1 : 1));
  const resourceVersion = existing?.metadata.resourceVersion;
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: owner.prefix,
      ...withRole(owner, SNAPSHOT_OBJECTS.roles.secret),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    type: "Opaque",
    data: Object.fromEntries(sorted.map(([key, value]) => [key, Buffer.from(value, "utf8").toString("base64")])),
  };
}

function tooLarge(parts: readonly Part[], { index, secret }: SnapshotObjects): string | undefined {
  const limit = `more than the ${OBJECT_DATA_LIMIT} bytes that one object may hold`;
  const part = parts.find(({ size }) => size > OBJECT_DATA_LIMIT);
  if (part !== undefined)
    return `part ${part.reference.object} of the snapshot has ${part.size} bytes, ${limit}: spread the routes over more gateways`;
  const indexSize = Buffer.byteLength(index.data?.[SNAPSHOT_OBJECTS.indexKey] ?? "");
  if (indexSize > OBJECT_DATA_LIMIT)
    return `the snapshot's index has ${indexSize} bytes, ${limit}: spread the routes over more gateways`;
  const secretSize = Object.values(secret.data ?? {}).reduce((sum, value) => sum + value.length * 0.75, 0);
  if (secretSize > OBJECT_DATA_LIMIT)
    return `the referenced certificates and keys have ${Math.ceil(secretSize)} bytes, ${limit}: spread them over more gateways`;
  return undefined;
}
