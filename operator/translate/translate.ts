/** From everything that is in the cluster to what each gateway shall serve and what each object shall be told. Pure. */
import { formatProblems } from "../../crds/parse.ts";
import type { Cluster, RouteEntry } from "../cluster.ts";
import { attach } from "./attach.ts";
import { BackendResolver } from "./backends.ts";
import { conflictStep } from "./conflicts.ts";
import type { Context, RouteDraft } from "./draft.ts";
import { draftGateways } from "./gateways.ts";
import { checkMatches } from "./matches.ts";
import { gatewayOutcome, planGateway, routeOutcome } from "./outcome.ts";
import type { TranslateOptions, Translation } from "./plan.ts";
import { resolveReferences } from "./resolve.ts";
import { createdAt, serveRoute } from "./served-route.ts";
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

export function translate(cluster: Cluster, options: TranslateOptions): Translation {
  const gateways = draftGateways(cluster);
  const context: Context = { cluster, gateways, backends: new BackendResolver(cluster, options) };
  const drafts = draftRoutes(cluster);
  for (const step of steps()) for (const draft of drafts) step(draft, context);
  const byName = drafts.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  return {
    plans: [...gateways.values()].flatMap((gateway) => planGateway(gateway, byName) ?? []),
    gateways: [...gateways.values()].map((gateway) => gatewayOutcome(gateway, byName)),
    routes: byName.map(routeOutcome),
  };
}

function draftRoutes(cluster: Cluster): readonly RouteDraft[] {
  const aged = [...cluster.routes].map(([key, entry]) => ({ key, entry, created: createdAt({ entry }) }));
  aged.sort((a, b) => a.created - b.created || (a.key < b.key ? -1 : 1));
  return aged.map(({ key, entry }) => draftRoute(key, entry));
}

function draftRoute(key: string, entry: RouteEntry): RouteDraft {
  const { metadata, parsed } = entry;
  return {
    key,
    namespace: metadata.namespace ?? "default",
    name: metadata.name,
    entry,
    spec: parsed.ok ? parsed.value.spec : undefined,
    rejected: parsed.ok ? undefined : { reason: "Invalid", message: formatProblems(parsed.problems) },
    unresolved: [],
    parents: [],
    targets: [],
  };
}
