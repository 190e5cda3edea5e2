/** All of a gateway process that knows who its clients are, put together: tokens, authorisers, revocations. */
import type { Bus } from "../bus/bus.ts";
import type { Clock } from "../clock.ts";
import type { SnapshotSource } from "../config/source.ts";
import type { LiveConnections } from "../live/live.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Random } from "../random.ts";
import type { Route } from "../snapshot.ts";
import { type Ask, createAsk } from "./ask.ts";
import { Authenticator } from "./authenticator.ts";
import { Control } from "./control.ts";
import type { KeyTimings } from "./jwks.ts";
import { Revocations } from "./revocations.ts";
import { Tokens } from "./tokens.ts";

export interface AccessOptions {
  readonly source: SnapshotSource;
  readonly bus: Bus;
  readonly live: LiveConnections;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Log;
  /** ms since the epoch. */
  readonly wall: () => number;
  readonly keyTimings?: KeyTimings;
}

export class Access {
  readonly authenticator: Authenticator;
  readonly control: Control;
  readonly #tokens: Tokens;
  readonly #asking: { readonly ask: Ask; close(): void } = createAsk();

  constructor({ source, bus, live, clock, random, metrics, log, wall, keyTimings }: AccessOptions) {
    const { ask } = this.#asking;
    this.#tokens = new Tokens({
      ask,
      clock,
      wall,
      random: random.fraction,
      ...(keyTimings && { timings: keyTimings }),
      onFetched: (from, problem) => {
        metrics.keysFetched(problem === undefined ? "ok" : "failed");
        if (problem !== undefined) log.warn({ event: "keys", from, problem }, "keys of an issuer cannot be fetched");
      },
    });
    const revocations = new Revocations(wall);
    this.authenticator = new Authenticator({ tokens: this.#tokens, revocations, ask, metrics, log });
    this.control = new Control({
      source,
      bus,
      live,
      clock,
      random,
      wall,
      revocations,
      tokens: this.#tokens,
      metrics,
      log,
    });
  }

  start(): void {
    this.control.start();
  }

  /** Takes up a new snapshot: forgets what no route of it needs. */
  follow(routes: readonly Route[]): void {
    this.#tokens.retain(routes);
    this.control.follow();
  }

  close(): void {
    this.control.close();
    this.#asking.close();
  }
}
