/**
 * One pass of the operator, without an effect: what the cluster holds now, in; the objects to write and the statuses to say, out.
 * Whoever calls it writes `gateways` (secret, parts, then index), then the statuses, and keeps `memory` for the next pass.
 */
import type { WebSocketGatewayStatus } from "../crds/websocketgateway.ts";
import type { WebSocketRouteStatus } from "../crds/websocketroute.ts";
import { type GatewaySettings, type Route, SNAPSHOT_OBJECTS } from "../gateway/snapshot.ts";
import type { Cluster, GatewayEntry, RouteEntry } from "./cluster.ts";
import type { FleetView } from "./fleet/facts.ts";
import { type Flip, flips } from "./flips.ts";
import { PartMemory } from "./render/parts.ts";
import { type RenderedSnapshot, readIndex, renderSnapshot } from "./render/snapshot-objects.ts";
import { sameItems } from "./same-items.ts";
import { readPods, readServing, type Serving } from "./serving.ts";
import { gatewayStatus, routeStatus, sameStatus } from "./status.ts";
import type { Objection } from "./translate/condition.ts";
import { forgetMissing, TranslationMemory } from "./translate/memory.ts";
import type { GatewayPlan, RouteOutcome, TranslateOptions, Translation } from "./translate/plan.ts";
import { translate } from "./translate/translate.ts";

export type { Flip } from "./flips.ts";

/** The first sequence that carried a route, or a gateway's settings, as they are now. */
export interface Since {
  readonly content: Route | GatewaySettings;
  readonly sequence: number;
}

/** What a pass remembers for the next, which brings it up to date. Empty after a restart: the current sequence counts then. */
export interface PassMemory {
  /** Gateway key, then route key; the gateway's own settings stand under an empty one. */
  readonly since: Map<string, Map<string, Since>>;
  /** When the number of connections was last written, ms since the epoch, by gateway key. */
  readonly counted: ReadonlyMap<string, number>;
  /** Routes whose status said it all, by key, with all that it was made of. Saves work and nothing else, as do the next two. */
  readonly told: Map<string, readonly unknown[]>;
  readonly translation: TranslationMemory;
  readonly parts: PartMemory;
}

export function emptyMemory(): PassMemory {
  return {
    since: new Map(),
    counted: new Map(),
    told: new Map(),
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

/** A status that differs from the one the object carries. */
export interface StatusChange<E, S> {
  readonly key: string;
  readonly entry: E;
  readonly status: S;
  readonly flips: readonly Flip[];
}

export interface PassResult {
  readonly gateways: readonly { readonly plan: GatewayPlan; readonly rendered: RenderedSnapshot }[];
  /** Only what has to be written. */
  readonly routeStatuses: readonly StatusChange<RouteEntry, WebSocketRouteStatus>[];
  readonly gatewayStatuses: readonly StatusChange<GatewayEntry, WebSocketGatewayStatus>[];
  readonly memory: PassMemory;
  /** When a status will change without any event (a Lease ends, a count is refreshed), ms since the epoch. */
  readonly wakeAt: number | undefined;
}

/** A number that changes all the time is written this often when nothing else has changed. */
const COUNT_EVERY_MS = 30_000;

export function pass(input: PassInput): PassResult {
  const { cluster, memory, options } = input;
  const translation = translate(cluster, options, memory.translation);
  const gateways = translation.plans.map((plan) => ({ plan, rendered: render(plan, input) }));
  const view: View = {
    translation,
    serving: servingOf({ translation, gateways, input }),
    since: carry({ translation, gateways, input }),
    rendered: new Map(gateways.map(({ plan, rendered }) => [plan.key, rendered])),
    input,
  };
  const { gatewayStatuses, counted, recount } = gatewayChanges(view);
  const wakes = [...[...view.serving.values()].flatMap(({ nextExpiry }) => nextExpiry ?? []), ...recount];
  return {
    gateways,
    routeStatuses: routeChanges(view),
    gatewayStatuses,
    memory: { ...memory, counted },
    wakeAt: wakes.length === 0 ? undefined : Math.min(...wakes),
  };
}

interface View {
  readonly translation: Translation;
  readonly serving: ReadonlyMap<string, Serving>;
  readonly since: PassMemory["since"];
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

/** Since when everything is carried as it is; what is new, or seen for the first time, came with the newest snapshot. */
function carry({ translation, gateways, input: { memory } }: Rendering): PassMemory["since"] {
  const { since } = memory;
  const present = new Map(gateways.map(({ plan, rendered }) => [plan.key, { plan, rendered }]));
  forgetMissing(since, present);
  for (const { plan, rendered } of gateways) {
    const known = since.get(plan.key) ?? new Map<string, Since>();
    since.set(plan.key, known);
    keep({ known, key: "", content: plan.settings, rendered });
    // The settings are one more than the routes.
    if (known.size > plan.routes.length + 1) forgetMissing(known, routesAt(plan.key, translation));
  }
  for (const { key, parents } of translation.routes) {
    for (const { gateway, route } of parents) {
      const [known, at] = [since.get(gateway), present.get(gateway)];
      if (known === undefined || at === undefined) continue;
      if (route === undefined) known.delete(key);
      else keep({ known, key, content: route, rendered: at.rendered });
    }
  }
  return since;
}

function routesAt(gateway: string, { routes }: Translation): ReadonlyMap<string, unknown> {
  const attached = routes.filter(({ parents }) => parents.some((parent) => parent.gateway === gateway && parent.route));
  return new Map<string, unknown>([["", undefined], ...attached.map(({ key }) => [key, undefined] as const)]);
}

interface Keeping {
  readonly known: Map<string, Since>;
  readonly key: string;
  readonly content: Since["content"];
  readonly rendered: RenderedSnapshot;
}

function keep({ known, key, content, rendered }: Keeping): void {
  const before = known.get(key);
  if (before?.content === content) return;
  const same = before !== undefined && JSON.stringify(before.content) === JSON.stringify(content);
  if (same) known.set(key, { ...before, content });
  else if (rendered.ok) known.set(key, { content, sequence: rendered.index.sequence });
  else known.delete(key);
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

function routeChanges(view: View): PassResult["routeStatuses"] {
  const { told } = view.input.memory;
  const { routes } = view.translation;
  if (told.size > routes.length) forgetMissing(told, view.input.cluster.routes);
  return routes.flatMap((outcome) => {
    const madeOf = madeOfAll(outcome, view);
    const before = told.get(outcome.key);
    if (before !== undefined && sameItems(before, madeOf)) return [];
    const change = routeChange(outcome, view);
    if (change === undefined) told.set(outcome.key, madeOf);
    else told.delete(outcome.key);
    return change ?? [];
  });
}

/** Everything that a route's status is made of, the status that it has included. */
function madeOfAll(outcome: RouteOutcome, { serving, since }: View): unknown[] {
  const madeOf: unknown[] = [outcome, outcome.entry.status];
  for (const { gateway, route } of outcome.parents)
    madeOf.push(serving.get(gateway)?.words(route && since.get(gateway)?.get(outcome.key)?.sequence));
  return madeOf;
}

function routeChange(
  outcome: RouteOutcome,
  { serving, since, input }: View,
): StatusChange<RouteEntry, WebSocketRouteStatus> | undefined {
  const { key, entry } = outcome;
  const parents = outcome.parents.map((parent) => ({
    outcome: parent,
    pods: serving.get(parent.gateway),
    since: parent.route && since.get(parent.gateway)?.get(key)?.sequence,
  }));
  const status = routeStatus({ outcome, parents, now: input.now });
  if (sameStatus(entry.status, status)) return undefined;
  return { key, entry, status, flips: flips(entry.status, status) };
}

interface GatewayChanges {
  readonly gatewayStatuses: PassResult["gatewayStatuses"];
  readonly counted: PassMemory["counted"];
  /** When a count that was passed over is due. */
  readonly recount: readonly number[];
}

function gatewayChanges({ translation, serving, since, rendered, input }: View): GatewayChanges {
  const { memory, now, cluster } = input;
  const gatewayStatuses: StatusChange<GatewayEntry, WebSocketGatewayStatus>[] = [];
  const counted = new Map<string, number>();
  const recount: number[] = [];
  for (const outcome of translation.gateways) {
    const { key, entry } = outcome;
    const own = rendered.get(key);
    const index = own?.ok ? own.index : readIndex(cluster.indexes.get(indexKey(outcome)));
    const pods = serving.get(key) as Serving;
    const settingsSince = since.get(key)?.get("")?.sequence;
    const addresses = [...(input.fleets?.get(key)?.facts?.addresses ?? [])];
    const revision = index?.revision;
    const status = gatewayStatus({ outcome, pods, since: settingsSince, revision, addresses, now });
    const dueAt = (memory.counted.get(key) ?? Number.NEGATIVE_INFINITY) + COUNT_EVERY_MS;
    const onlyCount = sameStatus(withoutCount(entry.status), withoutCount(status));
    const same = onlyCount && sameStatus(entry.status, status);
    const write = !same && !(onlyCount && dueAt > now);
    if (write) gatewayStatuses.push({ key, entry, status, flips: flips(entry.status, status) });
    else if (!same) recount.push(dueAt);
    const last = write ? now : memory.counted.get(key);
    if (last !== undefined) counted.set(key, last);
  }
  return { gatewayStatuses, counted, recount };
}

function withoutCount(status: unknown): object {
  const { connections: _connections, ...rest } = Object(status) as WebSocketGatewayStatus;
  return rest;
}
