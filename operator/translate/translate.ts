/**
 * From everything that is in the cluster to what each gateway shall serve and what each object shall be told. Pure, but for the
 * memory: of the translation before, whatever cannot have become another is taken over, so that one change among many routes costs
 * about what that route costs.
 */
import { type Cluster, contentsOf } from "../cluster.ts";
import { attach, surroundingsOf } from "./attach.ts";
import { BackendResolver } from "./backends.ts";
import type { Context, GatewayDraft, RouteDraft } from "./draft.ts";
import { draftGateways } from "./gateways.ts";
import { checkMatches } from "./matches.ts";
import { DraftMemory, forgetMissing, TranslationMemory } from "./memory.ts";
import { checkMessages } from "./messages.ts";
import { gatewayOutcome, planGateway, routeOutcome, servedBy } from "./outcome.ts";
import type { TranslateOptions, Translation } from "./plan.ts";
import { type Redrafted, redraft } from "./redraft.ts";
import { resolveBackends, resolveReferences } from "./resolve.ts";
import { serveRoute } from "./served-route.ts";
import { checkSupport } from "./supported.ts";

type Step = (draft: RouteDraft, context: Context) => void;

/** What a route goes through before it is compared with the others; then it is given its references and is served. */
const CHECKS: readonly Step[] = [attach, checkSupport, checkMatches, checkMessages];

/**
 * @param memory - of the translation before, to save work and to keep the identity of what has not changed; it is brought up to date
 */
export function translate(cluster: Cluster, options: TranslateOptions, memory = new TranslationMemory()): Translation {
  try {
    return translateAnew(cluster, options, memory);
  } catch (error) {
    // Drafts that are half done would count as settled the next time, and their routes be served no more.
    memory.forget();
    throw error;
  }
}

function translateAnew(cluster: Cluster, options: TranslateOptions, memory: TranslationMemory): Translation {
  memory.translations++;
  const context = contextOf(cluster, options, memory);
  const redrafted = redraft(cluster, memory);
  const changed = settle(redrafted, context, memory.drafts);
  if (memory.routes.size > cluster.routes.size) forgetMissing(memory.routes, cluster.routes);
  if (!context.backends.unchanged) forgetUnused(memory);
  if (changed) memory.translation = undefined;
  memory.translation = publish(context.gateways, memory);
  return memory.translation;
}

/** What all routes are drafted among. Where any of it is new, backends apart, nothing is left of the drafts of before. */
function contextOf(cluster: Cluster, options: TranslateOptions, memory: TranslationMemory): Context {
  memory.surroundings = surroundingsOf(cluster, memory.surroundings);
  if (memory.areSame("ground", groundOf(cluster, options, memory.surroundings))) {
    memory.gateways = restated(memory.gateways, cluster);
  } else {
    memory.gateways = draftGateways(cluster, options);
    memory.drafts = new DraftMemory();
    memory.translation = undefined;
  }
  const { gateways, surroundings } = memory;
  return { cluster, gateways, surroundings, backends: new BackendResolver({ cluster, options, memory }) };
}

/** Everything that decides about gateways and drafts, but for the routes themselves and their backends. */
function groundOf(cluster: Cluster, options: TranslateOptions, surroundings: readonly unknown[]): unknown[] {
  const { secrets, configMaps, referenceGrants, forbidden } = cluster;
  const grants = referenceGrants === "notInstalled" ? [] : [referenceGrants];
  const mayNot = [...forbidden].sort().join();
  return [surroundings, options.externalNames, options.fleet, mayNot, ...contentsOf([secrets, configMaps, ...grants])];
}

/** The same gateways with the metadata and statuses that they have now. */
function restated(drafts: ReadonlyMap<string, GatewayDraft>, { gateways }: Cluster): ReadonlyMap<string, GatewayDraft> {
  return new Map([...drafts].map(([key, draft]) => [key, { ...draft, entry: gateways.get(key) ?? draft.entry }]));
}

/** True when any draft came to something else than before. */
function settle({ fresh, gone }: Redrafted, context: Context, { claims, sorted }: DraftMemory): boolean {
  for (const draft of fresh) for (const check of CHECKS) check(draft, context);
  const byAge = () => sorted.toSorted((a, b) => a.created - b.created);
  const moved = claims.settle({ gone, fresh, byAge });
  for (const draft of fresh) resolveReferences(draft, context);
  const due = new Set([...fresh, ...moved, ...withOtherBackends(sorted, context)]);
  for (const draft of due) {
    serveRoute(draft);
    draft.outcome = undefined;
  }
  return due.size > 0 || gone.length > 0;
}

function withOtherBackends(drafts: readonly RouteDraft[], context: Context): RouteDraft[] {
  if (context.backends.unchanged) return [];
  return drafts.filter((draft) => {
    if (draft.spec === undefined) return false;
    const before = draft.backends;
    draft.backends = resolveBackends(draft, draft.spec, context);
    return draft.backends !== before;
  });
}

function forgetUnused({ backends, translations }: TranslationMemory): void {
  for (const [id, { lookedAt }] of backends) if (lookedAt !== translations) backends.delete(id);
}

function publish(gateways: ReadonlyMap<string, GatewayDraft>, memory: TranslationMemory): Translation {
  const { translation: before, drafts } = memory;
  const outcomes = drafts.sorted.map((draft) => {
    draft.outcome ??= routeOutcome(draft);
    return draft.outcome;
  });
  const routes = memory.sameList("outcomes of routes", outcomes);
  if (before !== undefined) {
    const now = <T extends { readonly key: string }>(one: T) => ({ ...one, entry: gateways.get(one.key)?.entry });
    return { plans: before.plans.map(now), gateways: before.gateways.map(now), routes } as Translation;
  }
  const served = servedBy(drafts.sorted);
  const all = [...gateways.values()].map((gateway) => ({ gateway, own: served.get(gateway.key) ?? [] }));
  return {
    plans: all.flatMap(({ gateway, own }) => planGateway(gateway, own, memory) ?? []),
    gateways: all.map(({ gateway, own }) => gatewayOutcome(gateway, own)),
    routes,
  };
}
