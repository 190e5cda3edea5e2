/** Which routes are to be drafted: those that are others than in the translation before. */
import { formatProblems } from "../../crds/parse.ts";
import type { Cluster, RouteEntry } from "../cluster.ts";
import type { Attachment, ResolvedBackends, RouteDraft } from "./draft.ts";
import { type DraftMemory, RouteMemory, type TranslationMemory } from "./memory.ts";

export interface Redrafted {
  /** New drafts, to be settled. */
  readonly fresh: readonly RouteDraft[];
  /** Drafts that they replace, and those whose route is not there any more. */
  readonly gone: readonly RouteDraft[];
}

/** Brings `memory.drafts` up to date. A route that has only another status or other labels keeps its draft. */
export function redraft({ routes }: Cluster, { drafts, routes: memories }: TranslationMemory): Redrafted {
  const fresh: RouteDraft[] = [];
  const gone: RouteDraft[] = [];
  const before = drafts.byKey.size;
  for (const [key, entry] of routes) {
    const known = drafts.byKey.get(key);
    if (known?.memory.parsed === entry.parsed) {
      restate(known, entry);
      continue;
    }
    const draft = draftRoute(key, entry, memories);
    drafts.byKey.set(key, draft);
    fresh.push(draft);
    if (known !== undefined) gone.push(known);
  }
  const added = drafts.byKey.size - before;
  if (drafts.byKey.size > routes.size) gone.push(...takeOut(drafts, routes));
  if (added > 0 || drafts.byKey.size < before + added) drafts.sorted = sortedAgain(drafts);
  else if (fresh.length > 0) drafts.sorted = drafts.sorted.map(({ key }) => drafts.byKey.get(key) as RouteDraft);
  return { fresh, gone };
}

function restate(draft: RouteDraft, entry: RouteEntry): void {
  if (draft.entry === entry) return;
  draft.entry = entry;
  draft.outcome = undefined;
}

function takeOut({ byKey }: DraftMemory, present: Cluster["routes"]): RouteDraft[] {
  const missing = [...byKey.values()].filter(({ key }) => !present.has(key));
  for (const { key } of missing) byKey.delete(key);
  return missing;
}

/** What was sorted comes first, for a sort finds that out and has little left to do. */
function sortedAgain({ byKey, sorted }: DraftMemory): RouteDraft[] {
  const known = new Set(sorted.map(({ key }) => key));
  const stay = sorted.flatMap(({ key }) => byKey.get(key) ?? []);
  const added = [...byKey.values()].filter(({ key }) => !known.has(key));
  return [...stay, ...added].sort((a, b) => (a.key < b.key ? -1 : 1));
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
    outcome: undefined,
  };
}

const UNATTACHED: Attachment = { rejected: undefined, parents: [], targets: [] };
const NO_BACKENDS: ResolvedBackends = { backends: [], objections: [] };

/** Seconds since the epoch, which is all that the API server tells; 0 where it is not known. */
function createdAt({ metadata }: RouteEntry): number {
  const time = Date.parse(metadata.creationTimestamp ?? "");
  return Number.isNaN(time) ? 0 : Math.max(0, Math.floor(time / 1000));
}
