/** From everything that is in the cluster to what each gateway shall serve and what each object shall be told. Pure. */
import { formatProblems } from "../../crds/parse.ts";
import type { Cluster, RouteEntry } from "../cluster.ts";
import { attach, surroundingsOf } from "./attach.ts";
import { BackendResolver } from "./backends.ts";
import { conflictStep } from "./conflicts.ts";
import type { Context, RouteDraft } from "./draft.ts";
import { draftGateways } from "./gateways.ts";
import { checkMatches } from "./matches.ts";
import { RouteMemory, TranslationMemory } from "./memory.ts";
import { gatewayOutcome, planGateway, routeOutcome } from "./outcome.ts";
import type { TranslateOptions, Translation } from "./plan.ts";
import { resolveReferences } from "./resolve.ts";
import { serveRoute } from "./served-route.ts";
import { checkSupport } from "./supported.ts";

type Step = (draft: RouteDraft, context: Context) => void;

/** In this order, each for all routes before the next begins; routes come from the oldest to the newest. */
const steps = (): readonly Step[] => [
  attach,
  checkSupport,
  checkMatches,
  conflictStep(),
  resolveReferences,
  serveRoute,
];

/**
 * @param memory - of the translation before, to save work and to keep the identity of what has not changed; it is brought up to date
 */
export function translate(cluster: Cluster, options: TranslateOptions, memory = new TranslationMemory()): Translation {
  const gateways = draftGateways(cluster);
  const backends = new BackendResolver({ cluster, options, before: memory.backends });
  const surroundings = surroundingsOf({ cluster, gateways }, memory.surroundings);
  const context: Context = { cluster, gateways, backends, surroundings };
  const byName = draftRoutes(cluster, memory);
  const byAge = byName.toSorted((a, b) => a.created - b.created);
  for (const step of steps()) for (const draft of byAge) step(draft, context);
  memory.surroundings = surroundings;
  memory.backends = backends.known;
  memory.routes = new Map(byName.map((draft) => [draft.key, draft.memory]));
  return {
    plans: [...gateways.values()].flatMap((gateway) => planGateway(gateway, byName, memory) ?? []),
    gateways: [...gateways.values()].map((gateway) => gatewayOutcome(gateway, byName)),
    routes: byName.map(routeOutcome),
  };
}

function draftRoutes(cluster: Cluster, memory: TranslationMemory): RouteDraft[] {
  const drafts = Array.from(cluster.routes, ([key, entry]) => draftRoute(key, entry, memory.routes.get(key)));
  return drafts.sort((a, b) => (a.key < b.key ? -1 : 1));
}

function draftRoute(key: string, entry: RouteEntry, known: RouteMemory | undefined): RouteDraft {
  const { metadata, parsed } = entry;
  const memory = known?.parsed === parsed ? known : new RouteMemory(parsed, createdAt(entry));
  return {
    key,
    namespace: metadata.namespace ?? "default",
    name: metadata.name,
    created: memory.created,
    entry,
    spec: parsed.ok ? parsed.value.spec : undefined,
    memory,
    rejected: parsed.ok ? undefined : { reason: "Invalid", message: formatProblems(parsed.problems) },
    attachment: { rejected: undefined, parents: [], targets: [] },
    backends: { backends: [], objections: [] },
    targets: [],
  };
}

/** Seconds since the epoch, which is all that the API server tells; 0 where it is not known. */
function createdAt({ metadata }: RouteEntry): number {
  const time = Date.parse(metadata.creationTimestamp ?? "");
  return Number.isNaN(time) ? 0 : Math.max(0, Math.floor(time / 1000));
}
