/**
 * Which route serves a request. Ten thousand routes are found by looking up, not by scanning: the listener, then the
 * hostname, then the path, then headers and query.
 *
 * The order is Gateway API's: an exact hostname before a wildcard, a longer wildcard before a shorter one, any of them
 * before a route for every host, and a host whose routes do not fit gives way to the next. Within a host: an exact
 * path, then regular expressions (the longer pattern first; Gateway API leaves their place open, and behind prefixes a
 * single `/` would hide them all), then prefixes by whole segments (the longest first). Then more header conditions,
 * more query conditions, and the route's `order`. A pattern is RE2 and has to match the whole path or value.
 */
import { RE2JS } from "re2js";
import type { Route, RouteMatch } from "../snapshot.ts";
import { queryParameter, type RequestSubject } from "./handshake.ts";
import { PathIndex } from "./match-paths.ts";

/** What a request is matched by: `path` in normal form, `host` as in `RequestSubject`. */
export interface MatchRequest {
  readonly listener: string;
  readonly host: string;
  readonly path: string;
  /** The combined value of a header; the name is in lower case. */
  header(name: string): string | undefined;
  /** The first value of a query parameter. */
  query(name: string): string | undefined;
}

export interface Matched {
  readonly route: Route;
  readonly match: RouteMatch;
}

export interface Matcher {
  find(request: MatchRequest): Matched | undefined;
}

/** How compilation shares the event loop: `pause` is awaited whenever `sliceMs` of `now` (ms) have passed. */
export interface Slicing {
  readonly now: () => number;
  readonly pause: () => Promise<void>;
  readonly sliceMs: number;
}

/** What `Matcher.find` wants to know of a request that came in on a listener. */
export function matchRequest(subject: RequestSubject, listener: string): MatchRequest {
  return {
    listener,
    host: subject.host,
    path: subject.target.path,
    header: (name) => subject.headers.get(name),
    query: (name) => queryParameter(subject, name),
  };
}

/** Compiles at once. Throws an Error that names the route when a path or a pattern is not valid. */
export function compileMatcher(routes: readonly Route[]): Matcher {
  const steps = compileInSteps(routes);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * The same in slices, so that the event loop is never held for long. Rejects where `compileMatcher` throws.
 *
 * @param before - a matcher of these functions for other routes: hosts whose routes are the same objects are taken over from it
 */
export async function compileMatcherSliced(
  routes: readonly Route[],
  slicing: Slicing,
  before?: Matcher,
): Promise<Matcher> {
  const steps = before instanceof RouteMatcher ? recompileInSteps(before, routes) : compileInSteps(routes);
  let since = slicing.now();
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (slicing.now() - since < slicing.sliceMs) continue;
    await slicing.pause();
    since = slicing.now();
  }
}

class RouteMatcher implements Matcher {
  readonly routes: readonly Route[];
  readonly listeners: ReadonlyMap<string, HostIndex>;

  constructor(routes: readonly Route[], listeners: ReadonlyMap<string, HostIndex>) {
    this.routes = routes;
    this.listeners = listeners;
  }

  find(request: MatchRequest): Matched | undefined {
    return this.listeners.get(request.listener)?.find(request);
  }
}

type Steps<T> = Generator<undefined, T, undefined>;

/** Routes that are sorted in one step, well below a slice. */
const SORTED_AT_ONCE = 512;

function* compileInSteps(routes: readonly Route[]): Steps<RouteMatcher> {
  const listeners = new Map<string, HostIndex>();
  yield* addInSteps(routes, listeners, () => true);
  return new RouteMatcher(routes, listeners);
}

/** Builds anew the hosts that a route of difference has to do with. Where that is most of them, everything is. */
function* recompileInSteps(before: RouteMatcher, routes: readonly Route[]): Steps<RouteMatcher> {
  const touched = placesByListener(differing(before.routes, routes));
  yield;
  const hostnames = new Set([...touched.values()].flatMap((hosts) => [...hosts]));
  const again = routes.filter((route) => hostsOf(route).some((hostname) => hostnames.has(hostname)));
  yield;
  if (again.length > routes.length / 2) return yield* compileInSteps(routes);
  const listeners = new Map(before.listeners);
  for (const [listener, hosts] of touched) {
    listeners.set(listener, (before.listeners.get(listener) ?? new HostIndex()).without(hosts));
    yield;
  }
  yield* addInSteps(again, listeners, ({ listener, hostname }) => touched.get(listener)?.has(hostname) ?? false);
  return new RouteMatcher(routes, listeners);
}

/** Routes that are in one of the two lists only. */
function differing(before: readonly Route[], after: readonly Route[]): Route[] {
  const least = Math.min(before.length, after.length);
  let start = 0;
  while (start < least && before[start] === after[start]) start++;
  let end = 0;
  while (end < least - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  const was = before.slice(start, before.length - end);
  const is = after.slice(start, after.length - end);
  return [...without(was, new Set(is)), ...without(is, new Set(was))];
}

function without(routes: readonly Route[], others: ReadonlySet<Route>): Route[] {
  return routes.filter((route) => !others.has(route));
}

/** The hostnames at each listener. */
function placesByListener(routes: readonly Route[]): Map<string, Set<string>> {
  const places = new Map<string, Set<string>>();
  for (const route of routes) {
    for (const { listener, hostname } of placesOf(route)) {
      const hosts = places.get(listener) ?? new Set();
      places.set(listener, hosts.add(hostname));
    }
  }
  return places;
}

function* addInSteps(
  routes: readonly Route[],
  listeners: Map<string, HostIndex>,
  wanted: (place: Place) => boolean,
): Steps<void> {
  const patterns = new Map<string, RE2JS>();
  // Everything below relies on routes coming in their order: the first of equals stays.
  for (const route of yield* sortInSteps(routes)) {
    const compile = (pattern: string): RE2JS => compilePattern(pattern, patterns, route);
    for (const place of placesOf(route)) {
      if (!wanted(place)) continue;
      const hosts = listeners.get(place.listener) ?? new HostIndex();
      listeners.set(place.listener, hosts);
      const paths = hosts.at(place.hostname);
      for (const match of route.matches) {
        paths.add(route, match, compile);
        yield;
      }
    }
  }
}

/** A merge sort by precedence, of runs that are short enough to be sorted at once. */
function* sortInSteps(routes: readonly Route[]): Steps<readonly Route[]> {
  if (routes.length <= SORTED_AT_ONCE) return routes.toSorted(byPrecedence);
  const middle = routes.length >> 1;
  const left = yield* sortInSteps(routes.slice(0, middle));
  yield;
  const right = yield* sortInSteps(routes.slice(middle));
  const merged: Route[] = [];
  let [l, r] = [0, 0];
  while (l < left.length && r < right.length) {
    const [a, b] = [left[l] as Route, right[r] as Route];
    if (byPrecedence(a, b) <= 0) l++;
    else r++;
    merged.push(byPrecedence(a, b) <= 0 ? a : b);
    if (merged.length % SORTED_AT_ONCE === 0) yield;
  }
  return [...merged, ...left.slice(l), ...right.slice(r)];
}

/** The older route first, then by namespace and name. */
function byPrecedence(a: Route, b: Route): number {
  if (a.order !== b.order) return a.order - b.order;
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}

interface Place {
  readonly listener: string;
  /** `*` for any. */
  readonly hostname: string;
}

const ANY_HOST: readonly string[] = ["*"];

function hostsOf({ hostnames }: Route): readonly string[] {
  return hostnames.length === 0 ? ANY_HOST : hostnames;
}

function placesOf(route: Route): Place[] {
  return route.listeners.flatMap((listener) => hostsOf(route).map((hostname) => ({ listener, hostname })));
}

function compilePattern(pattern: string, known: Map<string, RE2JS>, route: Route): RE2JS {
  const compiled = known.get(pattern);
  if (compiled !== undefined) return compiled;
  try {
    const fresh = RE2JS.compile(pattern);
    known.set(pattern, fresh);
    return fresh;
  } catch (cause) {
    throw new Error(`route ${route.namespace}/${route.name}: "${pattern}" is not an RE2 expression`, { cause });
  }
}

/** Routes of one listener by hostname. */
class HostIndex {
  #exact = new Map<string, PathIndex>();
  /** By what follows the `*`: `.example.com`. */
  #wildcards = new Map<string, PathIndex>();
  #any = new PathIndex();

  /** A copy that has nothing at these hosts yet; the others are shared, and stay as they are. */
  without(hostnames: ReadonlySet<string>): HostIndex {
    const copy = new HostIndex();
    copy.#exact = new Map(this.#exact);
    copy.#wildcards = new Map(this.#wildcards);
    for (const hostname of hostnames) {
      if (hostname.startsWith("*.")) copy.#wildcards.delete(hostname.slice(1));
      else copy.#exact.delete(hostname);
    }
    if (!hostnames.has("*")) copy.#any = this.#any;
    return copy;
  }

  at(hostname: string): PathIndex {
    if (hostname === "*") return this.#any;
    const wildcard = hostname.startsWith("*.");
    const index = wildcard ? this.#wildcards : this.#exact;
    const key = wildcard ? hostname.slice(1) : hostname;
    const paths = index.get(key) ?? new PathIndex();
    index.set(key, paths);
    return paths;
  }

  find(request: MatchRequest): Matched | undefined {
    const { host } = request;
    const exact = this.#exact.get(host)?.find(request);
    if (exact !== undefined) return exact;
    if (this.#wildcards.size > 0) {
      // From the first dot after the first label on: a `*` stands for at least one whole label.
      for (let dot = host.indexOf(".", 1); dot >= 0; dot = host.indexOf(".", dot + 1)) {
        const found = this.#wildcards.get(host.slice(dot))?.find(request);
        if (found !== undefined) return found;
      }
    }
    return this.#any.find(request);
  }
}
