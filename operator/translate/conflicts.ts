/** Two routes with the same host and the same match at one listener: the older one serves, and the newer one is told of it. */
import type { RouteMatch } from "../../gateway/snapshot.ts";
import type { AttachedTarget, RouteDraft, TargetDraft } from "./draft.ts";
import { type CompiledMatches, describeMatch, matchesOf } from "./matches.ts";

/** Who serves what at one gateway, and what those have asked for that do not get it. */
interface GatewayClaims {
  readonly holders: Map<string, RouteDraft>;
  readonly wanted: Set<string>;
}

export interface ClaimChange {
  /** Drafts that are not there any more, as they were settled. */
  readonly gone: readonly RouteDraft[];
  /** Drafts that were not there before. */
  readonly fresh: readonly RouteDraft[];
  /** All drafts that there are now, from the oldest to the newest; asked for only where it takes all to tell. */
  readonly byAge: () => readonly RouteDraft[];
}

/** Kept from one translation to the next, since a change seldom concerns more than the routes that have changed. */
export class Claims {
  #gateways = new Map<string, GatewayClaims>();

  /** Sets each target's `conflict`. Returns the drafts beside `fresh` for which that is another now. */
  settle({ gone, fresh, byAge }: ClaimChange): RouteDraft[] {
    const alone = gone.every((draft) => this.#release(draft)) && fresh.every((draft) => this.#take(draft));
    return alone ? [] : this.#settleAll(byAge());
  }

  /** False when the places that become free may go to another route. */
  #release(draft: RouteDraft): boolean {
    for (const target of claiming(draft)) {
      if (target.conflict !== undefined) return false;
      const { holders, wanted } = this.#at(target);
      for (const place of placesAt(draft, target)) {
        if (wanted.has(place)) return false;
        if (holders.get(place) === draft) holders.delete(place);
      }
    }
    return true;
  }

  /** False when another route has to do with its places. */
  #take(draft: RouteDraft): boolean {
    for (const target of claiming(draft)) {
      const { holders, wanted } = this.#at(target);
      for (const place of placesAt(draft, target)) {
        const holder = holders.get(place);
        if (wanted.has(place) || (holder !== undefined && holder !== draft)) return false;
        holders.set(place, draft);
      }
    }
    return true;
  }

  #settleAll(byAge: readonly RouteDraft[]): RouteDraft[] {
    this.#gateways = new Map();
    return byAge.filter((draft) => {
      let changed = false;
      for (const target of claiming(draft)) {
        const before = target.conflict?.message;
        this.#claim(draft, target);
        changed ||= target.conflict?.message !== before;
      }
      return changed;
    });
  }

  /** All or nothing: a route that is refused at one place keeps nobody else away from the others. */
  #claim(draft: RouteDraft, target: TargetDraft): void {
    const { holders, wanted } = this.#at(target);
    const places = placesAt(draft, target);
    const taken = places.findIndex((place) => holders.has(place) && holders.get(place) !== draft);
    target.conflict = taken < 0 ? undefined : conflict(draft, target, { holders, taken });
    for (const place of places) {
      if (taken < 0) holders.set(place, draft);
      else wanted.add(place);
    }
  }

  #at({ gateway: { key } }: TargetDraft): GatewayClaims {
    let claims = this.#gateways.get(key);
    if (claims === undefined) {
      claims = { holders: new Map(), wanted: new Set() };
      this.#gateways.set(key, claims);
    }
    return claims;
  }
}

/** Where a draft asks to serve. */
function claiming({ rejected, targets }: RouteDraft): readonly TargetDraft[] {
  if (rejected !== undefined) return [];
  return targets.some((target) => target.rejected !== undefined)
    ? targets.filter((target) => target.rejected === undefined)
    : targets;
}

function placesAt(draft: RouteDraft, { attached, memory }: TargetDraft): readonly string[] {
  return memory.places.get([attached], () => allPlaces(draft, attached).map(keyOf));
}

function allPlaces(draft: RouteDraft, attached: AttachedTarget): Place[] {
  return draft.spec === undefined ? [] : placesOf(attached, matchesOf(draft, draft.spec));
}

interface Taken {
  readonly holders: GatewayClaims["holders"];
  /** Index of the first place that is held. */
  readonly taken: number;
}

function conflict(draft: RouteDraft, target: TargetDraft, { holders, taken }: Taken): TargetDraft["conflict"] {
  const where = allPlaces(draft, target.attached)[taken] as Place;
  const first = holders.get(keyOf(where)) as RouteDraft;
  return { reason: "Conflicted", message: words(draft, first, where) };
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
