/** From finished drafts to what is published: a gateway's plan, and what each object shall be told. */
import type { BackendEndpoints, Route } from "../../gateway/snapshot.ts";
import { type ConditionValue, fails, holds, joined, type Objection } from "./condition.ts";
import type { GatewayDraft, ParentDraft, RouteDraft, TargetDraft } from "./draft.ts";
import type { GatewayOutcome, GatewayPlan, ParentOutcome, RouteOutcome } from "./plan.ts";
import { backendsOf, urlsOf } from "./urls.ts";

/** What an accepted gateway shall serve. `drafts` are sorted by name. */
export function planGateway(gateway: GatewayDraft, drafts: readonly RouteDraft[]): GatewayPlan | undefined {
  if (gateway.accepted === undefined) return undefined;
  const routes: Route[] = [];
  const endpoints = new Map<string, BackendEndpoints>();
  const secretValues = new Map(gateway.accepted.secretValues);
  for (const target of targetsAt(gateway, drafts)) {
    if (target.route === undefined) continue;
    routes.push(target.route);
    for (const { backend } of target.backends) endpoints.set(backend.id, backend);
    for (const [key, value] of target.secretValues) secretValues.set(key, value);
  }
  return {
    key: gateway.key,
    entry: gateway.entry,
    settings: gateway.accepted.settings,
    routes: sameList(routes),
    endpoints: sameList([...endpoints.values()].sort((a, b) => (a.id < b.id ? -1 : 1))),
    secretValues,
  };
}

function* targetsAt(gateway: GatewayDraft, drafts: readonly RouteDraft[]): Generator<TargetDraft> {
  for (const draft of drafts) for (const target of draft.targets) if (target.gateway === gateway) yield target;
}

/** The last list that began with this item. */
const lists = new WeakMap<object, readonly object[]>();

/** The same array as in the last translation while it has the same items: a gateway then keeps what it compiled from it. */
function sameList<T extends object>(list: readonly T[]): readonly T[] {
  const [first] = list;
  if (first === undefined) return list;
  const known = lists.get(first) as readonly T[] | undefined;
  if (known?.length === list.length && known.every((item, index) => item === list[index])) return known;
  lists.set(first, list);
  return list;
}

const NOT_LOOKED_AT = {
  type: "ResolvedRefs",
  status: "Unknown",
  reason: "NotAccepted",
  message: "not looked at while the object is not accepted",
} as const;

export function gatewayOutcome(gateway: GatewayDraft, drafts: readonly RouteDraft[]): GatewayOutcome {
  const { key, entry, accepted, rejected } = gateway;
  if (accepted === undefined) {
    const condition = fails("Accepted", rejected ?? { reason: "Invalid", message: "" });
    return { key, entry, accepted: condition, resolvedRefs: NOT_LOOKED_AT, attachedRoutes: 0, listeners: [] };
  }
  const served = [...targetsAt(gateway, drafts)].filter(({ route }) => route !== undefined);
  const listeners = accepted.listeners.map(({ settings: { name }, unresolved }) => ({
    name,
    attachedRoutes: served.filter(({ listeners }) => listeners.includes(name)).length,
    conditions: [
      holds("Accepted", "the listener is valid"),
      resolvedRefs(unresolved === undefined ? [] : [unresolved]),
    ],
  }));
  return {
    key,
    entry,
    accepted: holds("Accepted", "the gateway is valid and everything in it is implemented"),
    resolvedRefs: resolvedRefs(accepted.unresolved),
    attachedRoutes: served.length,
    listeners,
  };
}

export function routeOutcome(draft: RouteDraft): RouteOutcome {
  const orphaned = draft.parents.length === 0 && draft.rejected !== undefined;
  return {
    key: draft.key,
    entry: draft.entry,
    orphaned: orphaned ? fails("Accepted", draft.rejected as Objection) : undefined,
    parents: draft.parents.map((parent) => parentOutcome(draft, parent)),
    urls: urlsOf(draft),
    backends: backendsOf(draft),
  };
}

function parentOutcome(draft: RouteDraft, parent: ParentDraft): ParentOutcome {
  const target =
    parent.rejected === undefined ? draft.targets.find(({ gateway }) => gateway.key === parent.gateway) : undefined;
  const rejected = parent.rejected ?? draft.rejected ?? target?.rejected;
  return {
    parentRef: parent.parentRef,
    gateway: parent.gateway,
    accepted: rejected === undefined ? holds("Accepted", acceptedBy(target)) : fails("Accepted", rejected),
    resolvedRefs: resolvedRefs(target?.unresolved ?? draft.unresolved),
    route: target?.route,
    withheld: target?.withheld,
  };
}

function acceptedBy(target: TargetDraft | undefined): string {
  return target === undefined ? "" : `served by ${target.gateway.key} at ${target.listeners.join(", ")}`;
}

function resolvedRefs(objections: readonly Objection[]): ConditionValue {
  const objection = joined(objections);
  return objection === undefined
    ? holds("ResolvedRefs", "everything that it refers to exists")
    : fails("ResolvedRefs", objection);
}
