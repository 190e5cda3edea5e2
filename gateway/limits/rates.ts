/** Handshake rates: how often a route, and one client address on it, may be connected to. Twins stand behind it. */
import type { RefusalReason } from "../refusals.ts";
import type { Route } from "../snapshot.ts";
import { type BucketShape, bucketShape, type Rate } from "./bucket.ts";

export interface HandshakeRequest {
  readonly route: Route;
  readonly clientIP: string;
}

export interface HandshakeRates {
  /**
   * Takes one handshake of every rate that the route sets, or of none when one is exceeded: then resolves with the reason,
   * `TooManyHandshakesPerClient` or `TooManyHandshakes`.
   */
  take(request: HandshakeRequest): Promise<RefusalReason | undefined>;
}

/** One rate that a handshake has to keep to. */
export interface Paced {
  /** Name of the rate's buckets; `perClientIP` has one for each address. */
  readonly kind: "perClientIP" | "total";
  readonly shape: BucketShape;
  readonly reason: RefusalReason;
}

/** Routes live as long as their snapshot, and so do the shapes that are worked out for them. */
const known = new WeakMap<object, readonly Paced[]>();

/** The handshake rates of a route, in the order in which refusals are told: the client's own first. */
export function pacedBy({ limits: { handshakes } }: Route): readonly Paced[] {
  if (handshakes === undefined) return [];
  let paced = known.get(handshakes);
  if (paced === undefined) {
    const { perClientIP, total } = handshakes;
    paced = [
      ...paces("perClientIP", perClientIP, "TooManyHandshakesPerClient"),
      ...paces("total", total, "TooManyHandshakes"),
    ];
    known.set(handshakes, paced);
  }
  return paced;
}

function paces(kind: Paced["kind"], rate: Rate | undefined, reason: RefusalReason): Paced[] {
  return rate === undefined ? [] : [{ kind, shape: bucketShape(rate), reason }];
}
