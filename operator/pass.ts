/**
 * One pass of the operator, without an effect: what the cluster holds now, in; the objects to write and the statuses to say, out.
 * Whoever calls it writes `gateways` (secret, parts, then index), then the statuses, and keeps `memory` for the next pass.
 */
import type { WebSocketGatewayStatus } from "../crds/websocketgateway.ts";
import { type GatewaySettings, SNAPSHOT_OBJECTS } from "../gateway/snapshot.ts";
import type { Cluster, GatewayEntry } from "./cluster.ts";
import type { FleetView } from "./fleet/facts.ts";
import { flips } from "./flips.ts";
import { PartMemory } from "./render/parts.ts";
import { type RenderedSnapshot, readIndex, renderSnapshot } from "./render/snapshot-objects.ts";
import {
  carried,
  hasSaidAll,
  type RouteRecord,
  type RouteStatusChange,
  recordRoutes,
  type Since,
  type StatusChange,
  toTell,
} from "./route-records.ts";
import { readPods, readServing, type Serving } from "./serving.ts";
import { gatewayStatus, routeStatus, sameStatus } from "./status.ts";
import type { Objection } from "./translate/condition.ts";
import { TranslationMemory } from "./translate/memory.ts";
import type { GatewayPlan, TranslateOptions, Translation } from "./translate/plan.ts";
import { translate } from "./translate/translate.ts";

export type { Flip } from "./flips.ts";

/** What a pass remembers for the next. Empty after a restart: the current sequence counts then. */
export interface PassMemory {
  /** Sorted by key. */
  readonly routes: readonly RouteRecord[];
  /** Since when each gateway's own settings are as they are, by gateway key. */
  readonly settings: ReadonlyMap<string, Since<GatewaySettings>>;
  /** When the number of connections was last written, ms since the epoch, by gateway key. */
  readonly counted: ReadonlyMap<string, number>;
  /** These two save work and nothing else; each pass brings them up to date. */
  readonly translation: TranslationMemory;
  readonly parts: PartMemory;
}

export function emptyMemory(): PassMemory {
  return {
    routes: [],
    settings: new Map(),
    counted: new Map(),
    translation: new TranslationMemory(),
    parts: new PartMemory(),
  };
}

export interface PassInput {
  /** `indexes` and `secrets` must hold the newest that is known, what the caller itself has just written included. */
  readonly cluster: Cluster;
  readonly memory: PassMemory;
  readonly options: TranslateOptions;
  /**
   * Gateways (by key) whose objects the last pass could not write because somebody else's are in the way, or because it may not:
   * `Programmed=False`, for their routes too.
   */
  readonly blocked?: ReadonlyMap<string, Objection>;
  /** What is known of the fleets (by gateway key) that the operator runs; undefined when it runs none. */
  readonly fleets?: ReadonlyMap<string, FleetView> | undefined;
  /** ms since the epoch. */
  readonly now: number;
  readonly random: (bytes: number) => Buffer;
}

export interface PassResult {
  readonly gateways: readonly { readonly plan: GatewayPlan; readonly rendered: RenderedSnapshot }[];
  /** Only what has to be written. */
  readonly routeStatuses: readonly RouteStatusChange[];
  readonly gatewayStatuses: readonly StatusChange<GatewayEntry, WebSocketGatewayStatus>[];
  readonly memory: PassMemory;
  /** When a status will change without any event (a Lease ends, a count is refreshed), ms since the epoch. */
  readonly wakeAt: number | undefined;
  /** When the connections of pods that drain are to be counted again, ms since the epoch; undefined while none does. */
  readonly recountAt: number | undefined;
}

/** Numbers that change all the time are written this often when nothing else has changed: somebody watches while pods drain. */
const COUNT_EVERY_MS = { serving: 30_000, draining: 2_000 };

export function pass(input: PassInput): PassResult {
  const { cluster, memory, options } = input;
  const translation = translate(cluster, options, memory.translation);
  const gateways = translation.plans.map((plan) => ({ plan, rendered: render(plan, input) }));
  const view: View = {
    translation,
    serving: servingOf({ translation, gateways, input }),
    settings: carrySettings({ translation, gateways, input }),
    rendered: new Map(gateways.map(({ plan, rendered }) => [plan.key, rendered])),
    input,
  };
  const { gatewayStatuses, counted, recount, recountAt } = gatewayChanges(view);
  const { routeStatuses, records } = routeChanges(view);
  const wakes = [...[...view.serving.values()].flatMap(({ nextExpiry }) => nextExpiry ?? []), ...recount];
  return {
    gateways,
    routeStatuses,
    gatewayStatuses,
    memory: { ...memory, routes: records, settings: view.settings, counted },
    recountAt,
    wakeAt: wakes.length === 0 ? undefined : Math.min(...wakes),
  };
}

interface View {
  readonly translation: Translation;
  readonly serving: ReadonlyMap<string, Serving>;
  readonly settings: PassMemory["settings"];
  readonly rendered: ReadonlyMap<string, RenderedSnapshot>;
  readonly input: PassInput;
}

function indexKey({ entry: { metadata } }: { readonly entry: GatewayEntry }): string {
  return `${metadata.namespace}/${SNAPSHOT_OBJECTS.indexName(metadata.name)}`;
}

function render(plan: GatewayPlan, { cluster, random, memory }: PassInput): RenderedSnapshot {
  const key = indexKey(plan);
  const secretKey = `${plan.settings.namespace}/${SNAPSHOT_OBJECTS.secretName(plan.settings.name)}`;
  const previous = readIndex(cluster.indexes.get(key));
  const secret = cluster.secrets.get(secretKey);
  return renderSnapshot({ plan, previous, secret, random, memory: memory.parts });
}

interface Rendering {
  readonly translation: Translation;
  readonly gateways: PassResult["gateways"];
  readonly input: PassInput;
}

/** What is new, or seen for the first time, came with the newest snapshot. */
function carrySettings({ gateways, input: { memory } }: Rendering): PassMemory["settings"] {
  const settings = new Map<string, Since<GatewaySettings>>();
  for (const { plan, rendered } of gateways) {
    const newest = rendered.ok ? rendered.index.sequence : undefined;
    const since = carried(memory.settings.get(plan.key), plan.settings, newest);
    if (since !== undefined) settings.set(plan.key, since);
  }
  return settings;
}

function servingOf({ translation, gateways, input }: Rendering): ReadonlyMap<string, Serving> {
  const rendered = new Map(gateways.map((gateway) => [gateway.plan.key, gateway.rendered]));
  const pods = readPods(input.cluster);
  return new Map(
    translation.gateways.map((gateway) => {
      const own = rendered.get(gateway.key);
      const index = own?.ok ? own.index : readIndex(input.cluster.indexes.get(indexKey(gateway)));
      const fleet = input.fleets?.get(gateway.key);
      const blocked = input.blocked?.get(gateway.key) ?? tooLarge(own) ?? fleet?.objection;
      const said = { pods: pods.get(gateway.key) ?? [], fleet: fleet?.facts };
      return [gateway.key, readServing({ ...said, sequence: index?.sequence ?? 0, blocked, now: input.now })];
    }),
  );
}

function tooLarge(rendered: RenderedSnapshot | undefined): Objection | undefined {
  return rendered === undefined || rendered.ok ? undefined : { reason: "ConfigTooLarge", message: rendered.message };
}

interface RouteChanges {
  readonly routeStatuses: PassResult["routeStatuses"];
  readonly records: readonly RouteRecord[];
}

function routeChanges({ translation, serving, rendered, input }: View): RouteChanges {
  const routeStatuses: RouteStatusChange[] = [];
  const newest = new Map([...rendered].flatMap(([key, own]) => (own.ok ? [[key, own.index.sequence] as const] : [])));
  const tell = (record: RouteRecord) => statusChange(record, serving, input.now);
  const records = recordRoutes(translation.routes, input.memory.routes, newest).map((known) => {
    if (hasSaidAll(known, serving)) return known;
    const { record, change } = toTell(known, serving, tell);
    if (change !== undefined) routeStatuses.push(change);
    return record;
  });
  return { routeStatuses, records };
}

/** Undefined when the route's status is what it shall be. */
function statusChange(
  { outcome, since }: RouteRecord,
  serving: View["serving"],
  now: number,
): RouteStatusChange | undefined {
  const { key, entry } = outcome;
  const parents = outcome.parents.map((parent, index) => ({
    outcome: parent,
    pods: serving.get(parent.gateway),
    since: since[index]?.sequence,
  }));
  const status = routeStatus({ outcome, parents, now });
  return sameStatus(entry.status, status) ? undefined : { key, entry, status, flips: flips(entry.status, status) };
}

interface GatewayChanges {
  readonly gatewayStatuses: PassResult["gatewayStatuses"];
  readonly counted: PassMemory["counted"];
  /** When a count that was passed over is due. */
  readonly recount: readonly number[];
  readonly recountAt: PassResult["recountAt"];
}

function gatewayChanges({ translation, serving, settings, rendered, input }: View): GatewayChanges {
  const { memory, now, cluster } = input;
  const gatewayStatuses: StatusChange<GatewayEntry, WebSocketGatewayStatus>[] = [];
  const counted = new Map<string, number>();
  const recount: number[] = [];
  const drained: number[] = [];
  for (const outcome of translation.gateways) {
    const { key, entry } = outcome;
    const own = rendered.get(key);
    const index = own?.ok ? own.index : readIndex(cluster.indexes.get(indexKey(outcome)));
    const pods = serving.get(key) as Serving;
    const settingsSince = settings.get(key)?.sequence;
    const addresses = [...(input.fleets?.get(key)?.facts?.addresses ?? [])];
    const revision = index?.revision;
    const status = gatewayStatus({ outcome, pods, since: settingsSince, revision, addresses, now });
    const dueAt =
      (memory.counted.get(key) ?? Number.NEGATIVE_INFINITY) +
      COUNT_EVERY_MS[pods.draining.length === 0 ? "serving" : "draining"];
    const onlyCount = sameStatus(withoutCounts(entry.status), withoutCounts(status));
    const same = onlyCount && sameStatus(entry.status, status);
    const write = !same && !(onlyCount && dueAt > now);
    if (write) gatewayStatuses.push({ key, entry, status, flips: flips(entry.status, status) });
    else if (!same) recount.push(dueAt);
    const last = write ? now : memory.counted.get(key);
    if (last !== undefined) counted.set(key, last);
    if (pods.draining.length > 0) drained.push((last ?? now) + COUNT_EVERY_MS.draining);
  }
  return { gatewayStatuses, counted, recount, recountAt: drained.length === 0 ? undefined : Math.min(...drained) };
}

function withoutCounts(status: unknown): object {
  const { connections: _connections, conditions, ...rest } = Object(status) as WebSocketGatewayStatus;
  const steady = (Array.isArray(conditions) ? conditions : []).map((condition) =>
    condition?.type === "Draining" ? { ...condition, message: "" } : condition,
  );
  return { ...rest, conditions: steady };
}
