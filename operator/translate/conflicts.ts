/** Step: two routes with the same host and the same match at one listener. The older one serves; the newer one is told of it. */
import type { RouteMatch } from "../../gateway/snapshot.ts";
import type { Context, RouteDraft, TargetDraft } from "./draft.ts";
import { type CompiledMatches, compileMatches, describeMatch } from "./matches.ts";
import { createdAt } from "./served-route.ts";

/** Who serves what so far, for each gateway. */
type Claims = Map<string, Map<string, RouteDraft>>;

/** To be called once for a translation; the step that it gives takes the routes from the oldest to the newest. */
export function conflictStep(): (draft: RouteDraft, context: Context) => void {
  const claims: Claims = new Map();
  return (draft) => {
    if (draft.spec === undefined || draft.rejected !== undefined) return;
    const matches = compileMatches(draft.spec);
    for (const target of draft.targets) claim({ draft, target, matches, claims });
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
  const claimed = claims.get(target.gateway.key) ?? new Map<string, RouteDraft>();
  claims.set(target.gateway.key, claimed);
  const places = placesOf(target, matches);
  for (const place of places) {
    const first = claimed.get(place.key);
    if (first === undefined || first === draft) continue;
    target.rejected = { reason: "Conflicted", message: words(draft, first, place) };
    return;
  }
  for (const place of places) claimed.set(place.key, draft);
}

interface Place {
  readonly key: string;
  readonly listener: string;
  readonly hostname: string;
  readonly match: RouteMatch;
}

function placesOf({ listeners, hostnames }: TargetDraft, { matches, keys }: CompiledMatches): Place[] {
  const places: Place[] = [];
  for (const listener of listeners) {
    for (const hostname of hostnames.length === 0 ? [""] : hostnames) {
      for (const [index, match] of matches.entries()) {
        const place = { listener, hostname, match };
        places.push({ ...place, key: `${listener} ${hostname} ${keys[index]}` });
      }
    }
  }
  return places;
}

function words(draft: RouteDraft, first: RouteDraft, { hostname, match, listener }: Place): string {
  const why = createdAt(first) < createdAt(draft) ? "is older" : "is as old and comes first by name";
  return `${first.key} ${why}, and serves ${describeMatch(match)} on ${hostname || "any host"} at listener ${listener}`;
}
