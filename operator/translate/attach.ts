/** Step: which gateways and listeners a route is attached to. */

import { resolveGateway } from "../../crds/defaults.ts";
import { DEFAULT_GATEWAY_ANNOTATION } from "../../crds/kinds.ts";
import type { WebSocketRouteSpec } from "../../crds/websocketroute.ts";
import type { Listener } from "../../gateway/snapshot.ts";
import type { Cluster } from "../cluster.ts";
import { sameItems } from "../same-items.ts";
import type { Objection } from "./condition.ts";
import type {
  AcceptedGateway,
  AttachedTarget,
  Attachment,
  Context,
  GatewayDraft,
  ParentDraft,
  RouteDraft,
  TargetDraft,
} from "./draft.ts";
import { intersectHostnames } from "./hostnames.ts";
import type { RouteMemory } from "./memory.ts";
import { NO_MESSAGES } from "./messages.ts";
import type { ParentReference } from "./plan.ts";
import { NO_KEYS } from "./resolve.ts";
import { selectsNamespace } from "./selector.ts";

/** What one parentRef leads to: hostnames by listener. */
type Attached =
  | { readonly ok: true; readonly listeners: ReadonlyMap<string, readonly string[]> }
  | { readonly ok: false; readonly objection: Objection };

export function attach(draft: RouteDraft, context: Context): void {
  const { spec, memory } = draft;
  if (spec === undefined) return;
  draft.attachment = memory.attachment.get([context.surroundings], () => attachment(draft, spec, context));
  draft.rejected = draft.attachment.rejected;
  draft.targets = draft.attachment.targets.flatMap((attached) => {
    const gateway = context.gateways.get(attached.gateway);
    return gateway !== undefined && isAccepted(gateway) ? [newTarget(attached, gateway, memory)] : [];
  });
}

/** All that decides where routes are attached; the same array as before while all of it is the same. */
export function surroundingsOf(
  { gateways, namespaces }: Pick<Cluster, "gateways" | "namespaces">,
  before: readonly unknown[],
): readonly unknown[] {
  const now: unknown[] = [];
  let selects = false;
  for (const { metadata, parsed } of gateways.values()) {
    now.push(parsed, metadata.annotations?.[DEFAULT_GATEWAY_ANNOTATION], metadata.creationTimestamp);
    selects ||= parsed.ok && parsed.value.spec.allowedRoutes?.namespaces?.selector !== undefined;
  }
  if (selects) now.push(JSON.stringify([...namespaces].map(([name, { metadata }]) => [name, metadata.labels])));
  return sameItems(before, now) ? before : now;
}

function attachment(draft: RouteDraft, spec: WebSocketRouteSpec, context: Context): Attachment {
  const refs = spec.parentRefs ?? defaultParent(context.gateways);
  if (refs.length === 0) {
    const message = `spec.parentRefs is not set and no WebSocketGateway has the annotation ${DEFAULT_GATEWAY_ANNOTATION}: "true"`;
    return { rejected: { reason: "NoMatchingParent", message }, parents: [], targets: [] };
  }
  const parents: ParentDraft[] = [];
  const found = new Map<string, Map<string, readonly string[]>>();
  for (const parentRef of refs) {
    const key = `${parentRef.namespace ?? draft.namespace}/${parentRef.name}`;
    const attached = attachTo({ draft, spec, parentRef, key }, context);
    parents.push({ parentRef, gateway: key, rejected: attached.ok ? undefined : attached.objection });
    if (!attached.ok) continue;
    const listeners = found.get(key) ?? new Map<string, readonly string[]>();
    for (const [listener, hostnames] of attached.listeners) listeners.set(listener, hostnames);
    found.set(key, listeners);
  }
  const targets = [...found].map(([gateway, listeners]) => mergeListeners(gateway, listeners, context));
  return { rejected: undefined, parents, targets };
}

/** Of several annotated gateways the oldest, so that a second one changes nothing. */
function defaultParent(gateways: ReadonlyMap<string, GatewayDraft>): readonly ParentReference[] {
  const annotated = [...gateways.values()].filter(
    ({ entry }) => entry.metadata.annotations?.[DEFAULT_GATEWAY_ANNOTATION] === "true",
  );
  const created = ({ entry }: GatewayDraft): string => entry.metadata.creationTimestamp ?? "";
  const [oldest] = annotated.sort((a, b) => (created(a) < created(b) ? -1 : Number(created(a) > created(b))));
  return oldest === undefined ? [] : [{ name: oldest.entry.metadata.name, namespace: oldest.namespace }];
}

interface Attaching {
  readonly draft: RouteDraft;
  readonly spec: WebSocketRouteSpec;
  readonly parentRef: ParentReference;
  readonly key: string;
}

function attachTo({ draft, spec, parentRef, key }: Attaching, context: Context): Attached {
  const gateway = context.gateways.get(key);
  if (gateway === undefined) return noParent(`WebSocketGateway ${key} does not exist`);
  if (!isAccepted(gateway))
    return noParent(`WebSocketGateway ${key} is not accepted (${gateway.rejected?.reason}): see its conditions`);
  const { listeners } = gateway.accepted.settings;
  const named = listeners.filter((listener) => isNamed(listener, parentRef));
  if (named.length === 0) return noParent(`WebSocketGateway ${key} has ${wanted(parentRef, listeners)}`);
  if (!allowsNamespace(gateway, draft.namespace, context)) {
    const message = `WebSocketGateway ${key} does not take routes from namespace ${draft.namespace}: see its spec.allowedRoutes`;
    return { ok: false, objection: { reason: "NotAllowedByListeners", message } };
  }
  const served = new Map<string, readonly string[]>();
  for (const listener of named) {
    const hostnames = intersectHostnames(listener.hostname, spec.hostnames);
    if (hostnames !== undefined) served.set(listener.name, hostnames);
  }
  if (served.size > 0) return { ok: true, listeners: served };
  const theirs = named.map(({ name, hostname }) => `${name} (${hostname})`).join(", ");
  const message = `none of ${spec.hostnames?.join(", ")} is served by ${theirs} of WebSocketGateway ${key}`;
  return { ok: false, objection: { reason: "NoMatchingListenerHostname", message } };
}

function isAccepted(gateway: GatewayDraft): gateway is AcceptedGateway {
  return gateway.accepted !== undefined;
}

function noParent(message: string): Attached {
  return { ok: false, objection: { reason: "NoMatchingParent", message } };
}

function isNamed(listener: Listener, { sectionName, port }: ParentReference): boolean {
  return (sectionName === undefined || sectionName === listener.name) && (port === undefined || port === listener.port);
}

function wanted({ sectionName, port }: ParentReference, listeners: readonly Listener[]): string {
  const which = [sectionName === undefined ? "" : ` ${sectionName}`, port === undefined ? "" : ` on port ${port}`].join(
    "",
  );
  return `no listener${which}; it has ${listeners.map((listener) => `${listener.name} (${listener.port})`).join(", ")}`;
}

function allowsNamespace(gateway: AcceptedGateway, namespace: string, { cluster }: Context): boolean {
  const { spec } = gateway.accepted;
  const { allowedFrom } = resolveGateway(spec);
  if (allowedFrom === "All") return true;
  if (allowedFrom === "Same") return namespace === gateway.namespace;
  const selector = spec.allowedRoutes?.namespaces?.selector;
  return selector !== undefined && selectsNamespace(selector, namespace, cluster.namespaces.get(namespace));
}

function mergeListeners(
  key: string,
  found: ReadonlyMap<string, readonly string[]>,
  { gateways }: Context,
): AttachedTarget {
  const all = gateways.get(key)?.accepted?.settings.listeners ?? [];
  const lists = [...found.values()];
  const any = lists.some((hostnames) => hostnames.length === 0);
  return {
    gateway: key,
    listeners: all.map(({ name }) => name).filter((name) => found.has(name)),
    hostnames: any ? [] : [...new Set(lists.flat())],
  };
}

function newTarget(attached: AttachedTarget, gateway: AcceptedGateway, memory: RouteMemory): TargetDraft {
  return {
    attached,
    gateway,
    memory: memory.at(attached.gateway),
    rejected: undefined,
    conflict: undefined,
    keys: NO_KEYS,
    messages: NO_MESSAGES,
    route: undefined,
    withheld: undefined,
  };
}
