/** Step: two routes with the same host and the same match at one listener. The older one serves; the newer one is told of it. */
import type { RouteMatch } from "../../gateway/snapshot.ts";
import type { AttachedTarget, Context, RouteDraft, TargetDraft } from "./draft.ts";
import { type CompiledMatches, describeMatch, matchesOf } from "./matches.ts";

/** Who serves what so far, for each gateway. */
type Claims = Map<string, Map<string, RouteDraft>>;

/** To be called once for a translation; the step that it gives takes the routes from the oldest to the newest. */
export function conflictStep(): (draft: RouteDraft, context: Context) => void {
  const claims: Claims = new Map();
  return (draft) => {
    if (draft.spec === undefined || draft.rejected !== undefined) return;
    const matches = matchesOf(draft, draft.spec);
    for (const target of draft.targets) if (target.rejected === undefined) claim({ draft, target, matches, claims });
  };
}

interface Claiming {
  readonly draft: RouteDraft;
  readonly target: TargetDraft;
  readonly matches: CompiledMatches;
  readonly claims: Claims;
}

/** All or nothing: a route that is refused at one place keeps nobody else away from the others. */
function claim({ draft, target, matches, claims }: Claiming): void {
  const { attached, memory } = target;
  let claimed = claims.get(attached.gateway);
  if (claimed === undefined) {
    claimed = new Map();
    claims.set(attached.gateway, claimed);
  }
  const places = memory.places.get([attached], () => placesOf(attached, matches).map(keyOf));
  for (const [index, place] of places.entries()) {
    const first = claimed.get(place);
    if (first === undefined || first === draft) continue;
    const where = placesOf(attached, matches)[index] as Place;
    target.rejected = { reason: "Conflicted", message: words(draft, first, where) };
    return;
  }
  for (const place of places) claimed.set(place, draft);
}

interface Place {
  readonly listener: string;
  readonly hostname: string;
  readonly match: RouteMatch;
  readonly matchKey: string;
}

function placesOf({ listeners, hostnames }: AttachedTarget, { matches, keys }: CompiledMatches): Place[] {
  const places: Place[] = [];
  for (const listener of listeners) {
    for (const hostname of hostnames.length === 0 ? [""] : hostnames) {
      for (const [index, match] of matches.entries()) {
        places.push({ listener, hostname, match, matchKey: keys[index] ?? "" });
      }
    }
  }
  return places;
}

function keyOf({ listener, hostname, matchKey }: Place): string {
  return `${listener} ${hostname} ${matchKey}`;
}

function words(draft: RouteDraft, first: RouteDraft, { hostname, match, listener }: Place): string {
  const why = first.created < draft.created ? "is older" : "is as old and comes first by name";
  return `${first.key} ${why}, and serves ${describeMatch(match)} on ${hostname || "any host"} at listener ${listener}`;
}
