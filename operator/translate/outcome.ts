/** From finished drafts to what is published: a gateway's plan, and what each object shall be told. */
import type { BackendEndpoints, Route } from "../../gateway/snapshot.ts";
import { type ConditionValue, fails, holds, joined, type Objection } from "./condition.ts";
import {
  type AcceptedGateway,
  type GatewayDraft,
  objectionsOf,
  type ParentDraft,
  type RouteDraft,
  type TargetDraft,
} from "./draft.ts";
import { fleetFields } from "./limits.ts";
import type { TranslationMemory } from "./memory.ts";
import type { GatewayOutcome, GatewayPlan, ParentOutcome, RouteOutcome } from "./plan.ts";
import { backendsOf, urlsOf } from "./urls.ts";

/** A route that a gateway serves. */
export interface Served {
  readonly draft: RouteDraft;
  readonly target: TargetDraft;
  readonly route: Route;
}

/** What each gateway (by key) serves, in the order of the drafts. */
export function servedBy(drafts: readonly RouteDraft[]): ReadonlyMap<string, readonly Served[]> {
  const served = new Map<string, Served[]>();
  for (const draft of drafts) {
    for (const target of draft.targets) {
      const { route } = target;
      if (route === undefined) continue;
      const list = served.get(target.gateway.key);
      if (list === undefined) served.set(target.gateway.key, [{ draft, target, route }]);
      else list.push({ draft, target, route });
    }
  }
  return served;
}

/** What an accepted gateway shall serve. `served` is sorted by name. */
export function planGateway(
  gateway: GatewayDraft,
  served: readonly Served[],
  memory: TranslationMemory,
): GatewayPlan | undefined {
  if (gateway.accepted === undefined) return undefined;
  const endpoints = new Map<string, BackendEndpoints>();
  const secretValues = new Map(gateway.accepted.secretValues);
  for (const { draft, target } of served) {
    for (const { backend } of draft.backends.backends) endpoints.set(backend.id, backend);
    for (const [key, value] of target.keys.secretValues) secretValues.set(key, value);
  }
  return {
    key: gateway.key,
    entry: gateway.entry,
    settings: gateway.accepted.settings,
    routes: memory.sameList(
      `routes of ${gateway.key}`,
      served.map(({ route }) => route),
    ),
    endpoints: memory.sameList(`endpoints of ${gateway.key}`, sortedById(endpoints)),
    secretValues,
  };
}

function sortedById(backends: ReadonlyMap<string, BackendEndpoints>): BackendEndpoints[] {
  return [...backends.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

const NOT_LOOKED_AT = {
  type: "ResolvedRefs",
  status: "Unknown",
  reason: "NotAccepted",
  message: "not looked at while the object is not accepted",
} as const;

export function gatewayOutcome(gateway: GatewayDraft, served: readonly Served[]): GatewayOutcome {
  const { key, entry, accepted, rejected } = gateway;
  if (accepted === undefined) {
    const condition = fails("Accepted", rejected ?? { reason: "Invalid", message: "" });
    return { key, entry, accepted: condition, resolvedRefs: NOT_LOOKED_AT, attachedRoutes: 0, listeners: [] };
  }
  const listeners = accepted.listeners.map(({ settings: { name }, unresolved }) => ({
    name,
    attachedRoutes: served.filter(({ target }) => target.attached.listeners.includes(name)).length,
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

/** The same object as last time while there is nothing else to say. */
export function routeOutcome(draft: RouteDraft): RouteOutcome {
  const said: unknown[] = [draft.entry, draft.attachment, draft.backends, draft.rejected?.message];
  for (const { gateway, rejected, conflict, keys, messages, route, withheld } of draft.targets)
    said.push(rejected?.message, conflict?.message, keys, messages, route, withheld?.message, hasRedis(gateway));
  return draft.memory.outcome.get(said, () => makeOutcome(draft));
}

function makeOutcome(draft: RouteDraft): RouteOutcome {
  const { parents } = draft.attachment;
  const orphaned = parents.length === 0 && draft.rejected !== undefined;
  return {
    key: draft.key,
    entry: draft.entry,
    orphaned: orphaned ? fails("Accepted", draft.rejected as Objection) : undefined,
    parents: parents.map((parent) => parentOutcome(draft, parent)),
    urls: urlsOf(draft),
    backends: backendsOf(draft),
  };
}

function parentOutcome(draft: RouteDraft, parent: ParentDraft): ParentOutcome {
  const found = draft.targets.find(({ gateway }) => gateway.key === parent.gateway);
  const target = parent.rejected === undefined ? found : undefined;
  const rejected = parent.rejected ?? draft.rejected ?? target?.rejected ?? target?.conflict;
  return {
    parentRef: parent.parentRef,
    gateway: parent.gateway,
    accepted: rejected === undefined ? holds("Accepted", acceptedBy(target)) : fails("Accepted", rejected),
    resolvedRefs: resolvedRefs([...draft.backends.objections, ...(target === undefined ? [] : objectionsOf(target))]),
    route: target?.route,
    withheld: target?.withheld,
  };
}

function acceptedBy(target: TargetDraft | undefined): string {
  if (target === undefined) return "";
  return [`served by ${target.gateway.key} at ${target.attached.listeners.join(", ")}`, ...countedByPod(target)].join(
    "; ",
  );
}

/** What is in force otherwise than it reads. The route is good all the same: the limits hold, and a Redis may come later. */
function countedByPod({ gateway, route }: TargetDraft): string[] {
  const fields = route === undefined || hasRedis(gateway) ? [] : fleetFields(route.limits);
  if (fields.length === 0) return [];
  return [
    `scope Fleet of ${fields.join(", ")} counts in each pod by itself, for the gateway has no spec.redis (pods that were started with --redis count together)`,
  ];
}

function hasRedis({ accepted }: AcceptedGateway): boolean {
  return accepted.settings.redis !== undefined;
}

function resolvedRefs(objections: readonly Objection[]): ConditionValue {
  const objection = joined(objections);
  return objection === undefined
    ? holds("ResolvedRefs", "everything that it refers to exists")
    : fails("ResolvedRefs", objection);
}
