/** What a pass remembers of each route: since when it is carried as it is, and what its status has said. Pure. */
import type { WebSocketRouteStatus } from "../crds/websocketroute.ts";
import type { Route } from "../gateway/snapshot.ts";
import type { RouteEntry } from "./cluster.ts";
import type { Flip } from "./flips.ts";
import { sameItems } from "./same-items.ts";
import type { Serving } from "./serving.ts";
import type { RouteOutcome } from "./translate/plan.ts";

/** The first sequence that carried something as it is now. */
export interface Since<T> {
  readonly content: T;
  readonly sequence: number;
}

export interface RouteRecord {
  readonly outcome: RouteOutcome;
  /** In the order of the outcome's parents; undefined where no snapshot carries the route. */
  readonly since: readonly (Since<Route> | undefined)[];
  /** All that is to be carried is. */
  readonly complete: boolean;
  /** What was to be said of each parent's pods when the status said it; undefined while it does not. */
  readonly words: readonly (string | undefined)[] | undefined;
  /** What its status does not say yet, and in what words. */
  readonly untold: { readonly words: readonly (string | undefined)[]; readonly change: RouteStatusChange } | undefined;
}

/** A status that differs from the one the object carries. */
export interface StatusChange<E, S> {
  readonly key: string;
  readonly entry: E;
  readonly status: S;
  readonly flips: readonly Flip[];
}

export type RouteStatusChange = StatusChange<RouteEntry, WebSocketRouteStatus>;

/**
 * The content, and the sequence that it came with: the one before while it is the same, else the newest.
 *
 * @param newest - undefined when the newest snapshot does not fit and nothing new is carried
 */
export function carried<T extends object>(
  before: Since<T> | undefined,
  content: T,
  newest: number | undefined,
): Since<T> | undefined {
  if (before?.content === content) return before;
  if (before !== undefined && JSON.stringify(before.content) === JSON.stringify(content)) return { ...before, content };
  return newest === undefined ? undefined : { content, sequence: newest };
}

/**
 * One record for each outcome, in their order (by key, as `before` is). The same record as before where nothing has changed.
 *
 * @param newest - sequence by gateway; absent where the newest snapshot does not fit
 */
export function recordRoutes(
  outcomes: readonly RouteOutcome[],
  before: readonly RouteRecord[],
  newest: ReadonlyMap<string, number>,
): RouteRecord[] {
  let at = 0;
  return outcomes.map((outcome) => {
    let known = before[at];
    while (known !== undefined && known.outcome !== outcome && known.outcome.key < outcome.key) known = before[++at];
    if (known === undefined || known.outcome.key > outcome.key) return record(outcome, undefined, newest);
    at++;
    return known.outcome === outcome && known.complete ? known : record(outcome, known, newest);
  });
}

function record(
  outcome: RouteOutcome,
  before: RouteRecord | undefined,
  newest: ReadonlyMap<string, number>,
): RouteRecord {
  const since = outcome.parents.map(({ gateway, route }) => {
    if (route === undefined) return undefined;
    const index = before?.outcome.parents.findIndex((parent) => parent.gateway === gateway && parent.route) ?? -1;
    return carried(before?.since[index], route, newest.get(gateway));
  });
  const complete = outcome.parents.every(({ route }, index) => route === undefined || since[index] !== undefined);
  return { outcome, since, complete, words: undefined, untold: undefined };
}

/** What there is to say of each of a route's parents now; the same words, the same status. */
function wordsOf({ outcome, since }: RouteRecord, serving: ReadonlyMap<string, Serving>): RouteRecord["words"] {
  return outcome.parents.map(({ gateway }, index) => serving.get(gateway)?.words(since[index]?.sequence));
}

/** Whether there is nothing to say that the route's status did not say already. */
export function hasSaidAll({ outcome, since, words }: RouteRecord, serving: ReadonlyMap<string, Serving>): boolean {
  if (words === undefined) return false;
  // This is asked for each route in each pass: a loop is several times as fast as `every`.
  let index = 0;
  for (const { gateway } of outcome.parents) {
    if (words[index] !== serving.get(gateway)?.words(since[index]?.sequence)) return false;
    index++;
  }
  return true;
}

/**
 * The record of a route whose status does not say all, as far as is known, and what is to be written; undefined when it does.
 * While the words stay the same, so does what is to be written: in a storm, thousands wait to be.
 *
 * @param tell - the status that the route shall have, or undefined when it has that
 */
export function toTell(
  record: RouteRecord,
  serving: ReadonlyMap<string, Serving>,
  tell: (record: RouteRecord) => RouteStatusChange | undefined,
): { readonly record: RouteRecord; readonly change: RouteStatusChange | undefined } {
  const words = wordsOf(record, serving) ?? [];
  const { untold } = record;
  if (untold !== undefined && sameItems(untold.words, words)) return { record, change: untold.change };
  const change = tell(record);
  if (change === undefined) return { record: { ...record, words, untold: undefined }, change };
  return { record: { ...record, words: undefined, untold: { words, change } }, change };
}
