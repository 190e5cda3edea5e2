/** Step: patterns that cannot be compiled, and matches in the one form in which they are compared and served. */
import { RE2JS } from "re2js";
import type { WebSocketRouteSpec } from "../../crds/websocketroute.ts";
import type { RouteMatch } from "../../gateway/snapshot.ts";
import type { Objection } from "./condition.ts";
import type { RouteDraft } from "./draft.ts";

type SpecMatch = WebSocketRouteSpec["matches"][number];

export interface CompiledMatches {
  readonly matches: readonly RouteMatch[];
  /** Equal for two matches exactly when they let the same requests through and no order can tell them apart. */
  readonly keys: readonly string[];
  readonly objection: Objection | undefined;
}

/** Each pattern must be RE2, which cannot run for ever. */
export function checkMatches(draft: RouteDraft): void {
  if (draft.spec !== undefined) draft.rejected ??= matchesOf(draft, draft.spec).objection;
}

export function matchesOf({ memory }: Pick<RouteDraft, "memory">, spec: WebSocketRouteSpec): CompiledMatches {
  return memory.matches.get([], () => compileMatches(spec));
}

function compileMatches(spec: WebSocketRouteSpec): CompiledMatches {
  const matches = spec.matches.map(normalForm);
  const problems = spec.matches.flatMap((match, index) => badPatterns(match, `spec.matches[${index}]`));
  const objection: Objection | undefined =
    problems.length === 0 ? undefined : { reason: "Invalid", message: problems.join("; ") };
  return { matches, keys: matches.map((match) => JSON.stringify(match)), objection };
}

/** A match for people: `PathPrefix /ws with header x-tenant: acme`. */
export function describeMatch({ path, headers, queryParams }: RouteMatch): string {
  const conditions = [
    ...headers.map(({ name, value }) => `header ${name}: ${value}`),
    ...queryParams.map(({ name, value }) => `query ${name}=${value}`),
  ];
  return [`${path.type} ${path.value}`, ...(conditions.length === 0 ? [] : [`with ${conditions.join(", ")}`])].join(
    " ",
  );
}

/** Header names in lower case, conditions sorted by name, and a prefix without a slash at its end (`/ws/` and `/ws` are one). */
function normalForm({ path, headers = [], queryParams = [] }: SpecMatch): RouteMatch {
  const prefix = path.type === "PathPrefix" && path.value.length > 1 && path.value.endsWith("/");
  return {
    path: { type: path.type, value: prefix ? path.value.slice(0, -1) : path.value },
    headers: headers.map(({ name, type, value }) => ({ name: name.toLowerCase(), type, value })).sort(byName),
    queryParams: queryParams.map(({ name, type, value }) => ({ name, type, value })).sort(byName),
  };
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

function badPatterns({ path, headers = [], queryParams = [] }: SpecMatch, at: string): string[] {
  const values = [
    { ...path, field: `${at}.path.value` },
    ...headers.map((header, index) => ({ ...header, field: `${at}.headers[${index}].value` })),
    ...queryParams.map((param, index) => ({ ...param, field: `${at}.queryParams[${index}].value` })),
  ];
  return values.flatMap(({ type, value, field }) => {
    const problem = type === "RegularExpression" ? patternProblem(value) : undefined;
    return problem === undefined ? [] : [`${field}: ${problem}`];
  });
}

/** What RE2 says against a pattern; undefined when it takes it. */
function patternProblem(pattern: string): string | undefined {
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return `${JSON.stringify(pattern)} is not an RE2 expression: ${said}`;
  }
}
