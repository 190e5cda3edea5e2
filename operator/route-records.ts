/** What a pass remembers of each route: since when it is carried as it is, and whether its status has said all. Pure. */
import type { Route } from "../gateway/snapshot.ts";
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
  /** What was to be said of each parent's pods when the status said it; undefined while it does not. */
  readonly words: readonly (string | undefined)[] | undefined;
}

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
    return known.outcome === outcome && isComplete(known) ? known : record(outcome, known, newest);
  });
}

function isComplete({ outcome, since }: RouteRecord): boolean {
  return outcome.parents.every(({ route }, index) => route === undefined || since[index] !== undefined);
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
  return { outcome, since, words: undefined };
}

/** Whether there is nothing to say that the route's status did not say already. */
export function hasSaidAll({ outcome, since, words }: RouteRecord, serving: ReadonlyMap<string, Serving>): boolean {
  if (words === undefined) return false;
  return outcome.parents.every(
    ({ gateway }, index) => words[index] === serving.get(gateway)?.words(since[index]?.sequence),
  );
}

/** The record of a route whose status says all that there is to say now. */
export function saidAll(record: RouteRecord, serving: ReadonlyMap<string, Serving>): RouteRecord {
  const { outcome, since } = record;
  const words = outcome.parents.map(({ gateway }, index) => serving.get(gateway)?.words(since[index]?.sequence));
  return { ...record, words };
}
