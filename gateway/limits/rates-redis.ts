/** Handshake rates counted over all pods of the gateway; while Redis is away, each pod keeps to them by itself. */
import type { RefusalReason } from "../refusals.ts";
import { type Fleet, FleetUnavailable } from "./fleet.ts";
import { type HandshakeRates, type HandshakeRequest, pacedBy } from "./rates.ts";

export class RedisRates implements HandshakeRates {
  readonly #fleet: Fleet;
  readonly #own: HandshakeRates;

  constructor(fleet: Fleet, own: HandshakeRates) {
    this.#fleet = fleet;
    this.#own = own;
  }

  async take(request: HandshakeRequest): Promise<RefusalReason | undefined> {
    const { route, clientIP } = request;
    const paced = pacedBy(route);
    const buckets = paced.map(({ kind, shape }) => ({
      name: kind === "total" ? "handshakes" : `handshakes:${clientIP}`,
      shape,
    }));
    try {
      return paced[await this.#fleet.take(`${route.namespace}/${route.name}`, buckets)]?.reason;
    } catch (error) {
      if (!(error instanceof FleetUnavailable)) throw error;
      return this.#own.take(request);
    }
  }
}
