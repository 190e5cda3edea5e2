/** From everything that is in the cluster to what each gateway shall serve and what each object shall be told. Pure. */
import { formatProblems } from "../../crds/parse.ts";
import type { Cluster, RouteEntry } from "../cluster.ts";
import { attach, surroundingsOf } from "./attach.ts";
import { BackendResolver } from "./backends.ts";
import { conflictStep } from "./conflicts.ts";
import type { Attachment, Context, ResolvedBackends, RouteDraft } from "./draft.ts";
import { draftGateways } from "./gateways.ts";
import { checkMatches } from "./matches.ts";
import { forgetMissing, RouteMemory, TranslationMemory } from "./memory.ts";
import { checkMessages } from "./messages.ts";
import { gatewayOutcome, planGateway, routeOutcome } from "./outcome.ts";
import type { TranslateOptions, Translation } from "./plan.ts";
import { resolveReferences } from "./resolve.ts";
import { serveRoute } from "./served-route.ts";
import { checkSupport } from "./supported.ts";

type Step = (draft: RouteDraft, context: Context) => void;

/** In this order for each route; routes come from the oldest to the newest. */
const steps = (): readonly Step[] => [
  attach,
  checkSupport,
  checkMatches,
  checkMessages,
  conflictStep(),
  resolveReferences,
  serveRoute,
];

/**
 * @param memory - of the translation before, to save work and to keep the identity of what has not changed; it is brought up to date
 */
export function translate(cluster: Cluster, options: TranslateOptions, memory = new TranslationMemory()): Translation {
  memory.translations++;
  const gateways = draftGateways(cluster, options);
  const backends = new BackendResolver({ cluster, options, memory });
  memory.surroundings = surroundingsOf({ cluster, gateways }, memory.surroundings);
  const context: Context = { cluster, gateways, backends, surroundings: memory.surroundings };
  const byName = draftRoutes(cluster, memory);
  const byAge = byName.toSorted((a, b) => a.created - b.created);
  const order = steps();
  for (const draft of byAge) for (const step of order) step(draft, context);
  if (memory.routes.size > cluster.routes.size) forgetMissing(memory.routes, cluster.routes);
  if (!backends.unchanged) forgetUnused(memory);
  return {
    plans: [...gateways.values()].flatMap((gateway) => planGateway(gateway, byName, memory) ?? []),
    gateways: [...gateways.values()].map((gateway) => gatewayOutcome(gateway, byName)),
    routes: byName.map(routeOutcome),
  };
}

function forgetUnused({ backends, translations }: TranslationMemory): void {
  for (const [id, { lookedAt }] of backends) if (lookedAt !== translations) backends.delete(id);
}

function draftRoutes(cluster: Cluster, memory: TranslationMemory): RouteDraft[] {
  const drafts: RouteDraft[] = [];
  for (const key of memory.sortedKeys(cluster.routes)) {
    const entry = cluster.routes.get(key);
    if (entry !== undefined) drafts.push(draftRoute(key, entry, memory.routes));
  }
  return drafts;
}

function draftRoute(key: string, entry: RouteEntry, memories: Map<string, RouteMemory>): RouteDraft {
  const { metadata, parsed } = entry;
  let memory = memories.get(key);
  if (memory?.parsed !== parsed) {
    memory = new RouteMemory(parsed, createdAt(entry));
    memories.set(key, memory);
  }
  return {
    key,
    namespace: metadata.namespace ?? "default",
    name: metadata.name,
    created: memory.created,
    entry,
    spec: parsed.ok ? parsed.value.spec : undefined,
    memory,
    rejected: parsed.ok ? undefined : { reason: "Invalid", message: formatProblems(parsed.problems) },
    attachment: UNATTACHED,
    backends: NO_BACKENDS,
    targets: [],
  };
}

const UNATTACHED: Attachment = { rejected: undefined, parents: [], targets: [] };
const NO_BACKENDS: ResolvedBackends = { backends: [], objections: [] };

/** Seconds since the epoch, which is all that the API server tells; 0 where it is not known. */
function createdAt({ metadata }: RouteEntry): number {
  const time = Date.parse(metadata.creationTimestamp ?? "");
  return Number.isNaN(time) ? 0 : Math.max(0, Math.floor(time / 1000));
}
