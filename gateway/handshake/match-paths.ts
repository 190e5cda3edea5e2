/** The matches of one hostname by path: an exact path, then patterns, then prefixes by whole segments. */
import type { RE2JS } from "re2js";
import { isRefusal } from "../refusals.ts";
import type { Route, RouteMatch } from "../snapshot.ts";
import type { Matched, MatchRequest } from "./match.ts";
import { ConditionIndex } from "./match-conditions.ts";
import { normalizePath } from "./target.ts";

interface PatternEntry {
  readonly source: string;
  readonly pattern: RE2JS;
  readonly conditions: ConditionIndex;
}

export class PathIndex {
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
