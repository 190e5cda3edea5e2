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
import { isRefusal } from "../refusals.ts";
import type { Route, RouteMatch } from "../snapshot.ts";
import { queryParameter, type RequestSubject } from "./handshake.ts";
import { ConditionIndex } from "./match-conditions.ts";
import { normalizePath } from "./target.ts";

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

/** The same in slices, so that the event loop is never held for long. Rejects where `compileMatcher` throws. */
export async function compileMatcherSliced(routes: readonly Route[], slicing: Slicing): Promise<Matcher> {
  const steps = compileInSteps(routes);
  let since = slicing.now();
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (slicing.now() - since < slicing.sliceMs) continue;
    await slicing.pause();
    since = slicing.now();
  }
}

function* compileInSteps(routes: readonly Route[]): Generator<undefined, Matcher, undefined> {
  const listeners = new Map<string, HostIndex>();
  const patterns = new Map<string, RE2JS>();
  // Everything below relies on routes coming in their order: the first of equals stays.
  for (const route of routes.toSorted(byPrecedence)) {
    const compile = (pattern: string): RE2JS => compilePattern(pattern, patterns, route);
    for (const { listener, hostname, match } of placesOf(route)) {
      const hosts = listeners.get(listener) ?? new HostIndex();
      listeners.set(listener, hosts);
      hosts.at(hostname).add(route, match, compile);
      yield;
    }
  }
  return { find: (request) => listeners.get(request.listener)?.find(request) };
}

/** The older route first, then by namespace and name. */
function byPrecedence(a: Route, b: Route): number {
  if (a.order !== b.order) return a.order - b.order;
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}

function* placesOf(route: Route): Generator<{ listener: string; hostname: string; match: RouteMatch }> {
  const hostnames = route.hostnames.length === 0 ? ["*"] : route.hostnames;
  for (const listener of route.listeners) {
    for (const hostname of hostnames) for (const match of route.matches) yield { listener, hostname, match };
  }
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
  readonly #exact = new Map<string, PathIndex>();
  /** By what follows the `*`: `.example.com`. */
  readonly #wildcards = new Map<string, PathIndex>();
  readonly #any = new PathIndex();

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

interface PatternEntry {
  readonly source: string;
  readonly pattern: RE2JS;
  readonly conditions: ConditionIndex;
}

/** Matches of one hostname by path. */
class PathIndex {
  #exact: Map<string, ConditionIndex> | undefined;
  /** Longer patterns first; among equals the one that came first. */
  readonly #patterns: PatternEntry[] = [];
  /** Without a trailing slash; `""` is the prefix of everything. */
  readonly #prefixes = new Map<string, ConditionIndex>();
  /** Segments of the longest prefix: no deeper part of a path is looked up, however deep a client makes it. */
  #depth = 0;

  add(route: Route, match: RouteMatch, compile: (pattern: string) => RE2JS): void {
    this.#conditions(route, match, compile).add(route, match, compile);
  }

  find(request: MatchRequest): Matched | undefined {
    const exact = this.#exact?.get(request.path)?.find(request);
    if (exact !== undefined) return exact;
    for (const { pattern, conditions } of this.#patterns) {
      const found = pattern.testExact(request.path) ? conditions.find(request) : undefined;
      if (found !== undefined) return found;
    }
    return this.#findPrefix(request);
  }

  #findPrefix(request: MatchRequest): Matched | undefined {
    if (this.#prefixes.size === 0) return undefined;
    let prefix = cutAtDepth(request.path, this.#depth);
    for (;;) {
      const found = this.#prefixes.get(prefix)?.find(request);
      if (found !== undefined || prefix === "") return found;
      prefix = prefix.slice(0, prefix.lastIndexOf("/"));
    }
  }

  #conditions(route: Route, match: RouteMatch, compile: (pattern: string) => RE2JS): ConditionIndex {
    const { type, value } = match.path;
    if (type === "RegularExpression") return this.#patternEntry(value, compile).conditions;
    const path = normalizePath(value);
    if (isRefusal(path)) throw new Error(`route ${route.namespace}/${route.name}: "${value}": ${path.message}`);
    if (type === "Exact") {
      this.#exact ??= new Map();
      return entry(this.#exact, path);
    }
    const prefix = path.endsWith("/") ? path.slice(0, -1) : path;
    this.#depth = Math.max(this.#depth, prefix.split("/").length - 1);
    return entry(this.#prefixes, prefix);
  }

  #patternEntry(source: string, compile: (pattern: string) => RE2JS): PatternEntry {
    const present = this.#patterns.find((candidate) => candidate.source === source);
    if (present !== undefined) return present;
    const fresh = { source, pattern: compile(source), conditions: new ConditionIndex() };
    const at = this.#patterns.findIndex((candidate) => candidate.source.length < source.length);
    this.#patterns.splice(at < 0 ? this.#patterns.length : at, 0, fresh);
    return fresh;
  }
}

function entry(index: Map<string, ConditionIndex>, key: string): ConditionIndex {
  const present = index.get(key);
  if (present !== undefined) return present;
  const fresh = new ConditionIndex();
  index.set(key, fresh);
  return fresh;
}

/** The first `depth` segments of a path in normal form, without a trailing slash. */
function cutAtDepth(path: string, depth: number): string {
  let end = 0;
  for (let segments = 0; segments < depth; segments += 1) {
    const next = path.indexOf("/", end + 1);
    if (next < 0) return path.endsWith("/") ? path.slice(0, -1) : path;
    end = next;
  }
  return path.slice(0, end);
}
