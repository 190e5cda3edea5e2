/** Statuses from what was decided and what the gateways say. Pure: what is the same as before comes out the same, times included. */
import { buildCondition, type ConditionType, type Reason } from "../crds/conditions.ts";
import { CONTROLLER_NAME } from "../crds/kinds.ts";
import type { Condition } from "../crds/status.ts";
import type { WebSocketGatewayStatus } from "../crds/websocketgateway.ts";
import type { WebSocketRouteStatus } from "../crds/websocketroute.ts";
import type { ObjectMeta } from "./objects.ts";
import { drainage, type Programmed, programmed, type Serving } from "./serving.ts";
import { type ConditionValue, fails, holds } from "./translate/condition.ts";
import type { GatewayOutcome, ParentOutcome, RouteOutcome } from "./translate/plan.ts";

/** A parent of a route and the gateway behind it. */
export interface ParentInput {
  readonly outcome: ParentOutcome;
  /** Undefined when there is no such gateway. */
  readonly pods: Serving | undefined;
  /** The first sequence that carried the route as it is now; undefined when none has. */
  readonly since: number | undefined;
}

export interface RouteStatusInput {
  readonly outcome: RouteOutcome;
  readonly parents: readonly ParentInput[];
  /** ms since the epoch. */
  readonly now: number;
}

export function routeStatus({ outcome, parents, now }: RouteStatusInput): WebSocketRouteStatus {
  const { entry, urls, backends } = outcome;
  const generation = generationOf(entry.metadata);
  const before = (entry.status ?? {}) as Partial<WebSocketRouteStatus>;
  const evaluated = parents.map((parent) => evaluate(parent, generation));
  const summary = outcome.orphaned === undefined ? summaryOf(evaluated) : orphanSummary(outcome.orphaned);
  const merge = (values: readonly ConditionValue[], old: unknown): Condition[] =>
    mergeConditions({ values, before: old, generation, now });
  const gateways = new Map(evaluated.map((parent) => [parent.gateway, parent]));
  const [serving, known] = [sum(gateways, "serving"), sum(gateways, "known")];
  return {
    conditions: merge([...summary, ready(summary, [...gateways.values()])], before.conditions),
    parents: evaluated.map(({ parentRef, values }) => ({
      parentRef: definedOnly(parentRef),
      controllerName: CONTROLLER_NAME,
      conditions: merge(values, conditionsOfParent(before, parentRef)),
    })),
    urls: [...urls],
    pods: `${serving}/${known}`,
    backends,
  };
}

interface EvaluatedParent {
  readonly gateway: string;
  readonly parentRef: ParentOutcome["parentRef"];
  /** Accepted, ResolvedRefs, Programmed. */
  readonly values: readonly [ConditionValue, ConditionValue, ConditionValue];
  readonly serving: number;
  readonly known: number;
  readonly unavailable: readonly string[];
}

function evaluate({ outcome, pods, since }: ParentInput, generation: number): EvaluatedParent {
  const { accepted, resolvedRefs, withheld, parentRef, gateway } = outcome;
  const found = pods === undefined ? undefined : programmed(pods, since, generation);
  const known = { serving: 0, known: found?.known ?? 0 };
  const base = { gateway, parentRef, unavailable: pods?.unavailable ?? [] };
  if (accepted.status !== "True") {
    return { ...base, ...known, values: [accepted, resolvedRefs, NOT_ACCEPTED] };
  }
  if (withheld !== undefined || found === undefined)
    return { ...base, ...known, values: [accepted, resolvedRefs, withheld ?? NO_PODS] };
  return { ...base, ...counts(found), values: [accepted, resolvedRefs, found.condition] };
}

const NOT_ACCEPTED = fails("Programmed", {
  reason: "NotAccepted",
  message: "nothing is served of what is not accepted",
});
const NO_PODS = fails("Programmed", { reason: "NoPods", message: "no gateway pod is ready" });

function counts({ serving, known }: Programmed): Pick<Programmed, "serving" | "known"> {
  return { serving, known };
}

function sum(parents: ReadonlyMap<string, EvaluatedParent>, what: "serving" | "known"): number {
  let total = 0;
  for (const parent of parents.values()) total += parent[what];
  return total;
}

/** The first parent where it does not hold speaks for all. */
function summaryOf(parents: readonly EvaluatedParent[]): ConditionValue[] {
  return [0, 1, 2].flatMap((index) => {
    const found = parents.flatMap(({ gateway, values }) => {
      const value = values[index];
      return value === undefined ? [] : [{ gateway, value }];
    });
    const bad =
      found.find(({ value }) => value.status === "False") ?? found.find(({ value }) => value.status !== "True");
    if (bad !== undefined) return [parents.length === 1 ? bad.value : named(bad.value, bad.gateway)];
    const [first] = found;
    if (first === undefined) return [];
    return [{ ...first.value, message: [...new Set(found.map(({ value }) => value.message))].join("; ") }];
  });
}

/** Where several gateways are concerned, the message has to say which one it is about. */
function named(value: ConditionValue, gateway: string): ConditionValue {
  return value.message.includes(gateway) ? value : { ...value, message: `${gateway}: ${value.message}` };
}

/** A route that has no parent to speak for it. */
function orphanSummary(accepted: ConditionValue): ConditionValue[] {
  return [
    accepted,
    {
      type: "ResolvedRefs",
      status: "Unknown",
      reason: "NotAccepted",
      message: "not looked at while the route is not accepted",
    },
    NOT_ACCEPTED,
  ];
}

const READY_REASONS: Partial<Record<ConditionType, Reason>> = {
  Accepted: "NotAccepted",
  ResolvedRefs: "RefsNotResolved",
  Programmed: "NotProgrammed",
};

/** The summary of the others, and of the processes that should be there and are not. */
function ready(
  summary: readonly ConditionValue[],
  gateways: readonly { readonly unavailable: readonly string[] }[],
): ConditionValue {
  const bad = summary.find(({ status }) => status !== "True");
  if (bad !== undefined)
    return fails("Ready", { reason: READY_REASONS[bad.type] ?? "NotProgrammed", message: bad.message });
  const away = gateways.flatMap(({ unavailable }) => unavailable);
  if (away.length > 0) return fails("Ready", { reason: "PodsUnavailable", message: away.join("; ") });
  return holds("Ready", summary.find(({ type }) => type === "Programmed")?.message ?? "");
}

type ListenerStatus = NonNullable<WebSocketGatewayStatus["listeners"]>[number];
type RouteParentStatus = NonNullable<WebSocketRouteStatus["parents"]>[number];

export interface GatewayStatusInput {
  readonly outcome: GatewayOutcome;
  readonly pods: Serving;
  /** The first sequence that carried the gateway's settings as they are now; undefined when none has. */
  readonly since: number | undefined;
  /** Of the snapshot that the pods should serve. */
  readonly revision: string | undefined;
  /** Where clients reach it, as far as the operator knows. */
  readonly addresses: NonNullable<WebSocketGatewayStatus["addresses"]>;
  /** ms since the epoch. */
  readonly now: number;
}

export function gatewayStatus({
  outcome,
  pods,
  since,
  revision,
  addresses,
  now,
}: GatewayStatusInput): WebSocketGatewayStatus {
  const { entry, accepted, resolvedRefs } = outcome;
  const generation = generationOf(entry.metadata);
  const before = (entry.status ?? {}) as Partial<WebSocketGatewayStatus>;
  const found = programmed(pods, since, generation);
  const isAccepted = accepted.status === "True";
  const blocked = pods.blocked && fails("Programmed", pods.blocked);
  const told = blocked ?? withRollout(found.condition, pods);
  const summary = [accepted, resolvedRefs, isAccepted ? told : NOT_ACCEPTED];
  const merge = (values: readonly ConditionValue[], old: unknown): Condition[] =>
    mergeConditions({ values, before: old, generation, now });
  return {
    conditions: merge([...summary, ready(summary, [pods]), ...(drainage(pods) ?? drained(before))], before.conditions),
    attachedRoutes: outcome.attachedRoutes,
    listeners: outcome.listeners.map(({ name, attachedRoutes, conditions }) => ({
      name,
      attachedRoutes,
      conditions: merge(
        conditions,
        list<ListenerStatus>(before.listeners).find((listener) => listener?.name === name)?.conditions,
      ),
    })),
    addresses,
    ...(revision === undefined ? {} : { revision }),
    pods: `${isAccepted ? found.serving : 0}/${found.known}`,
    connections: [...pods.ready, ...pods.draining].reduce((total, { connections }) => total + connections, 0),
  };
}

/** Said of the gateway and not of each of its routes, for which it changes nothing. */
function withRollout(condition: ConditionValue, { rollout }: Pick<Serving, "rollout">): ConditionValue {
  if (condition.status !== "True" || rollout === undefined) return condition;
  return { ...condition, message: `${condition.message}; ${rollout}` };
}

/** Said only of a gateway that has drained before: so that one can wait for the end, and the others have a line less. */
function drained(before: Partial<WebSocketGatewayStatus>): ConditionValue[] {
  const isKnown = list<Condition>(before.conditions).some((condition) => condition?.type === "Draining");
  return isKnown ? [fails("Draining", { reason: "Drained", message: "no gateway pod sends clients away" })] : [];
}

function generationOf(metadata: ObjectMeta): number {
  return metadata.generation ?? 1;
}

interface Merging {
  readonly values: readonly ConditionValue[];
  /** The conditions that the object carries: whatever stands there. */
  readonly before: unknown;
  readonly generation: number;
  readonly now: number;
}

/** `lastTransitionTime` stays unless the status flips (Kubernetes API conventions). */
export function mergeConditions({ values, before, generation, now }: Merging): Condition[] {
  return values.map((value) => {
    const fresh = buildCondition({ ...value, observedGeneration: generation, now });
    const old = list<Condition>(before).find((condition) => condition?.type === value.type);
    if (old === undefined || old.status !== value.status || typeof old.lastTransitionTime !== "string") return fresh;
    return { ...fresh, lastTransitionTime: old.lastTransitionTime };
  });
}

function conditionsOfParent(
  status: Partial<WebSocketRouteStatus>,
  { name, namespace, sectionName, port }: ParentOutcome["parentRef"],
): unknown {
  const parent = list<RouteParentStatus>(status.parents).find((candidate) => {
    const ref = candidate?.parentRef;
    return (
      candidate?.controllerName === CONTROLLER_NAME &&
      ref?.name === name &&
      ref.namespace === namespace &&
      ref.sectionName === sectionName &&
      ref.port === port
    );
  });
  return parent?.conditions;
}

/** Somebody else may have written anything into a status. */
function list<T>(value: unknown): readonly (T | undefined)[] {
  return Array.isArray(value) ? value : [];
}

function definedOnly<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** Whether two statuses say the same: order of keys and fields without a value do not count. */
export function sameStatus(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => sameStatus(item, b[i]))
    );
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  for (const key of Object.keys(left)) if (!sameStatus(left[key], right[key])) return false;
  for (const key of Object.keys(right)) if (left[key] === undefined && right[key] !== undefined) return false;
  return true;
}
