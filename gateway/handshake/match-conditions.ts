/**
 * Among the matches of one path: which one do a request's headers and query parameters choose?
 * Exact values are looked up, so that ten thousand tenants told apart by one header cost one look-up each.
 */
import type { RE2JS } from "re2js";
import type { Route, RouteMatch } from "../snapshot.ts";
import type { Matched, MatchRequest } from "./match.ts";

type ValueMatch = RouteMatch["headers"][number];
type Compile = (pattern: string) => RE2JS;

/** Matches that ask for the same names by exact value, by those values. */
interface Signature {
  readonly headers: readonly string[];
  readonly params: readonly string[];
  readonly byValues: Map<string, Candidate>;
}

interface Candidate extends Matched {
  readonly order: number;
}

/** A match with a pattern among its conditions; these are tried one by one. */
interface Tried extends Candidate {
  readonly headers: readonly Condition[];
  readonly params: readonly Condition[];
}

interface Condition {
  readonly name: string;
  readonly holds: (value: string) => boolean;
}

/** All matches with as many header and as many query conditions. */
interface Tier {
  readonly headers: number;
  readonly params: number;
  readonly signatures: Map<string, Signature>;
  readonly tried: Tried[];
}

/** Separates names and values in keys; neither a header nor a decoded query can hold it. */
const SEPARATOR = "\0";

export class ConditionIndex {
  /** More header conditions first, then more query conditions: Gateway API's order. */
  readonly #tiers: Tier[] = [];
  /** The match without conditions, which most paths have and nothing else: it costs no tier. */
  #plain: Matched | undefined;
  #added = 0;

  /** To be called in the order of the routes. */
  add(route: Route, match: RouteMatch, compile: Compile): void {
    const headers = distinct(match.headers.map((header) => ({ ...header, name: header.name.toLowerCase() })));
    const params = distinct(match.queryParams);
    if (headers.length + params.length === 0) {
      this.#plain ??= { route, match };
      return;
    }
    const tier = this.#tier(headers.length, params.length);
    const candidate = { route, match, order: this.#added++ };
    if ([...headers, ...params].every((condition) => condition.type === "Exact")) {
      addExact(tier, candidate, { headers, params });
    } else {
      const condition = (wanted: ValueMatch): Condition => ({ name: wanted.name, holds: predicate(wanted, compile) });
      tier.tried.push({ ...candidate, headers: headers.map(condition), params: params.map(condition) });
    }
  }

  find(request: MatchRequest): Matched | undefined {
    for (const tier of this.#tiers) {
      const found = findInTier(tier, request);
      if (found !== undefined) return found;
    }
    return this.#plain;
  }

  #tier(headers: number, params: number): Tier {
    const before = (tier: Tier): boolean =>
      tier.headers < headers || (tier.headers === headers && tier.params <= params);
    const at = this.#tiers.findIndex(before);
    const present = this.#tiers[at];
    if (present?.headers === headers && present.params === params) return present;
    const tier = { headers, params, signatures: new Map<string, Signature>(), tried: [] };
    this.#tiers.splice(at < 0 ? this.#tiers.length : at, 0, tier);
    return tier;
  }
}

/** Of several conditions on one name only the first counts (Gateway API); sorted, so that equal sets are equal. */
function distinct(conditions: readonly ValueMatch[]): ValueMatch[] {
  const first = new Map<string, ValueMatch>();
  for (const condition of conditions) if (!first.has(condition.name)) first.set(condition.name, condition);
  return [...first.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function addExact(
  tier: Tier,
  candidate: Candidate,
  conditions: { readonly headers: readonly ValueMatch[]; readonly params: readonly ValueMatch[] },
): void {
  const headers = conditions.headers.map((condition) => condition.name);
  const params = conditions.params.map((condition) => condition.name);
  const names = [...headers, ...params].join(SEPARATOR);
  const signature = tier.signatures.get(names) ?? { headers, params, byValues: new Map<string, Candidate>() };
  tier.signatures.set(names, signature);
  const values = [...conditions.headers, ...conditions.params].map(({ value }) => SEPARATOR + value).join("");
  // The first of equals stays: routes come in their order.
  if (!signature.byValues.has(values)) signature.byValues.set(values, candidate);
}

function predicate(wanted: ValueMatch, compile: Compile): (value: string) => boolean {
  if (wanted.type === "Exact") return (value) => value === wanted.value;
  const pattern = compile(wanted.value);
  return (value) => pattern.testExact(value);
}

function findInTier(tier: Tier, request: MatchRequest): Candidate | undefined {
  let best: Candidate | undefined;
  for (const signature of tier.signatures.values()) {
    const found = lookUp(signature, request);
    if (found !== undefined && (best === undefined || found.order < best.order)) best = found;
  }
  for (const candidate of tier.tried) {
    if (best !== undefined && best.order < candidate.order) break;
    if (holds(candidate, request)) return candidate;
  }
  return best;
}

function lookUp(signature: Signature, request: MatchRequest): Candidate | undefined {
  let key = "";
  for (const name of signature.headers) {
    const value = request.header(name);
    if (value === undefined) return undefined;
    key += SEPARATOR + value;
  }
  for (const name of signature.params) {
    const value = request.query(name);
    if (value === undefined) return undefined;
    key += SEPARATOR + value;
  }
  return signature.byValues.get(key);
}

function holds(candidate: Tried, request: MatchRequest): boolean {
  return (
    candidate.headers.every(({ name, holds }) => {
      const value = request.header(name);
      return value !== undefined && holds(value);
    }) &&
    candidate.params.every(({ name, holds }) => {
      const value = request.query(name);
      return value !== undefined && holds(value);
    })
  );
}
