/** Handshake rates counted in this process: a rate then holds for one gateway pod. */
import type { RefusalReason } from "../refusals.ts";
import { type BucketShape, charge, refill } from "./bucket.ts";
import { KeyedBuckets } from "./keyed-buckets.ts";
import { type HandshakeRates, type HandshakeRequest, type Paced, pacedBy } from "./rates.ts";

export class MemoryRates implements HandshakeRates {
  readonly #clock: { now(): number };
  /** By `namespace/name` of the route, then by kind. */
  readonly #routes = new Map<string, Map<Paced["kind"], KeyedBuckets>>();

  constructor(clock: { now(): number }) {
    this.#clock = clock;
  }

  take(request: HandshakeRequest): Promise<RefusalReason | undefined> {
    return Promise.resolve(this.takeNow(request));
  }

  /** The same at once. */
  takeNow({ route, clientIP }: HandshakeRequest): RefusalReason | undefined {
    const now = this.#clock.now();
    const asked = pacedBy(route).map(({ kind, shape, reason }) => {
      const buckets = this.#buckets(`${route.namespace}/${route.name}`, kind, shape);
      return { shape, reason, bucket: buckets.of(kind === "total" ? "" : clientIP, now) };
    });
    for (const { shape, bucket } of asked) refill(shape, bucket, now);
    const exceeded = asked.find(({ shape, bucket }) => bucket.level < shape.cost);
    if (exceeded === undefined) for (const { shape, bucket } of asked) charge(shape, bucket, { now, tokens: 1 });
    return exceeded?.reason;
  }

  /** Forgets routes that are gone. */
  retain(exists: (route: string) => boolean): void {
    for (const route of this.#routes.keys()) if (!exists(route)) this.#routes.delete(route);
  }

  /** A rate that has changed begins anew. */
  #buckets(route: string, kind: Paced["kind"], shape: BucketShape): KeyedBuckets {
    let kinds = this.#routes.get(route);
    if (kinds === undefined) {
      kinds = new Map();
      this.#routes.set(route, kinds);
    }
    let buckets = kinds.get(kind);
    if (buckets === undefined || !sameShape(buckets.shape, shape)) {
      buckets = new KeyedBuckets(shape, { now: this.#clock.now() });
      kinds.set(kind, buckets);
    }
    return buckets;
  }
}

export function sameShape(a: BucketShape, b: BucketShape): boolean {
  return a.gain === b.gain && a.cost === b.cost && a.full === b.full;
}
