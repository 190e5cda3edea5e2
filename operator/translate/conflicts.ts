/** Step: two routes with the same host and the same match at one listener. The older one serves; the newer one is told of it. */
import type { Context, RouteDraft, TargetDraft } from "./draft.ts";
import { compileMatches } from "./matches.ts";

/** Who serves what so far, for each gateway. */
type Claims = Map<string, Map<string, RouteDraft>>;

/** To be called once for a translation; the step that it gives takes the routes from the oldest to the newest. */
export function conflictStep(): (draft: RouteDraft, context: Context) => void {
  const claims: Claims = new Map();
  return (draft) => {
    if (draft.spec === undefined || draft.rejected !== undefined) return;
    const { keys } = compileMatches(draft.spec);
    for (const target of draft.targets) claim({ draft, target, keys, claims });
  };
}

interface Claiming {
  readonly draft: RouteDraft;
  readonly target: TargetDraft;
  readonly keys: readonly string[];
  readonly claims: Claims;
}

/** All or nothing: a route that is refused at one place keeps nobody else away from the others. */
function claim({ draft, target, keys, claims }: Claiming): void {
  const claimed = claims.get(target.gateway.key) ?? new Map<string, RouteDraft>();
  claims.set(target.gateway.key, claimed);
  const places = placesOf(target, keys);
  for (const place of places) {
    const older = claimed.get(place.key);
    if (older === undefined) continue;
    const message = `${older.key} is older and has the same match ${place.match} on ${place.hostname || "any host"} at listener ${place.listener}`;
    target.rejected = { reason: "Conflicted", message };
    return;
  }
  for (const place of places) claimed.set(place.key, draft);
}

interface Place {
  readonly key: string;
  readonly listener: string;
  readonly hostname: string;
  readonly match: string;
}

function placesOf({ listeners, hostnames }: TargetDraft, matches: readonly string[]): Place[] {
  const places: Place[] = [];
  for (const listener of listeners) {
    for (const hostname of hostnames.length === 0 ? [""] : hostnames) {
      for (const match of matches) places.push({ key: `${listener} ${hostname} ${match}`, listener, hostname, match });
    }
  }
  return places;
}
