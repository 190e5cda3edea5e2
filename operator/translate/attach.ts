/** Step: which gateways and listeners a route is attached to. */

import { resolveGateway } from "../../crds/defaults.ts";
import { DEFAULT_GATEWAY_ANNOTATION } from "../../crds/kinds.ts";
import type { WebSocketRouteSpec } from "../../crds/websocketroute.ts";
import type { Listener } from "../../gateway/snapshot.ts";
import type { Objection } from "./condition.ts";
import type { AcceptedGateway, Context, GatewayDraft, ParentDraft, RouteDraft, TargetDraft } from "./draft.ts";
import { intersectHostnames } from "./hostnames.ts";
import type { ParentReference } from "./plan.ts";
import { selectsNamespace } from "./selector.ts";

/** What one parentRef leads to. */
type Attached =
  | { readonly ok: true; readonly gateway: AcceptedGateway; readonly listeners: ReadonlyMap<string, readonly string[]> }
  | { readonly ok: false; readonly objection: Objection };

export function attach(draft: RouteDraft, context: Context): void {
  if (draft.spec === undefined) return;
  const refs = draft.spec.parentRefs ?? defaultParent(context.gateways);
  if (refs.length === 0) {
    const message = `spec.parentRefs is not set and no WebSocketGateway has the annotation ${DEFAULT_GATEWAY_ANNOTATION}: "true"`;
    draft.rejected = { reason: "NoMatchingParent", message };
  }
  const parents: ParentDraft[] = [];
  const found = new Map<string, { gateway: AcceptedGateway; listeners: Map<string, readonly string[]> }>();
  for (const parentRef of refs) {
    const key = `${parentRef.namespace ?? draft.namespace}/${parentRef.name}`;
    const attached = attachTo({ draft, spec: draft.spec, parentRef, key }, context);
    parents.push({ parentRef, gateway: key, rejected: attached.ok ? undefined : attached.objection });
    if (!attached.ok) continue;
    const target = found.get(key) ?? { gateway: attached.gateway, listeners: new Map() };
    for (const [listener, hostnames] of attached.listeners) target.listeners.set(listener, hostnames);
    found.set(key, target);
  }
  draft.parents = parents;
  draft.targets = [...found.values()].map(({ gateway, listeners }) => newTarget(gateway, listeners));
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
  if (served.size > 0) return { ok: true, gateway, listeners: served };
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

function newTarget(gateway: AcceptedGateway, found: ReadonlyMap<string, readonly string[]>): TargetDraft {
  const listeners = gateway.accepted.settings.listeners.map(({ name }) => name).filter((name) => found.has(name));
  const lists = [...found.values()];
  const any = lists.some((hostnames) => hostnames.length === 0);
  return {
    gateway,
    listeners,
    hostnames: any ? [] : [...new Set(lists.flat())],
    rejected: undefined,
    unresolved: [],
    backends: [],
    secretValues: new Map(),
    route: undefined,
    withheld: undefined,
  };
}
