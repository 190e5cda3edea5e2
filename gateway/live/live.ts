/**
 * Every open connection of the process, and the one sweep that keeps them honest: pings, idleness, age, counters.
 * One timer for all of them; work goes in slices, so that the event loop is free in between.
 */
import type { Principal, VerifiedToken } from "../auth/principal.ts";
import { principalOf } from "../auth/principal.ts";
import { type Cancel, type Clock, systemClock } from "../clock.ts";
import { type Caller, type Log, logConnection } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { CloseReason } from "../refusals.ts";
import { CLOSES } from "../refusals.ts";
import type { Session, SessionEnd, Traffic } from "../session.ts";
import type { Route } from "../snapshot.ts";
import { due } from "./lifetime.ts";

/** Milliseconds between two sweeps. */
const SWEEP_PERIOD = 1000;
/** Milliseconds that a slice of work may hold the event loop. */
const SLICE = 4;
/** Connections between two looks at the time. */
const LOOK_EVERY = 32;

/** What is known of a connection when it opens; it keeps the route of that moment to its end. */
export interface Facts {
  readonly route: Route;
  readonly routeName: string;
  readonly caller: Caller;
  readonly connectionId: string;
  /** `address:port` of the backend; absent for a hub. */
  readonly endpoint: string | undefined;
  readonly protocol: string | undefined;
  /** Who the client was when it connected. */
  readonly principal: Principal;
}

interface Tally {
  readonly fromClient: Traffic;
  readonly toClient: Traffic;
}

const emptyTally = (): Tally => ({ fromClient: { messages: 0, bytes: 0 }, toClient: { messages: 0, bytes: 0 } });

/** Moves what was counted since the last look from `now` into `into`. */
function takeOver(into: Traffic, seen: Traffic, now: Readonly<Traffic>): void {
  into.messages += now.messages - seen.messages;
  into.bytes += now.bytes - seen.bytes;
  seen.messages = now.messages;
  seen.bytes = now.bytes;
}

export class LiveConnection {
  readonly facts: Facts;
  readonly session: Session;
  readonly openedAt: number;
  /** Who the client is; it may show another token of its own while it is connected. */
  principal: Principal;
  /** When its token ends (clock time, ms); Infinity where that does not end the connection. */
  expiresAt = Number.POSITIVE_INFINITY;
  pingedAt = Number.NEGATIVE_INFINITY;
  /** What the metrics already hold of this connection. */
  readonly counted: Tally = emptyTally();

  constructor(facts: Facts, session: Session, openedAt: number) {
    this.facts = facts;
    this.principal = facts.principal;
    this.session = session;
    this.openedAt = openedAt;
  }
}

export interface LiveOptions {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
  /** ms since the epoch, which is what tokens are dated by. */
  readonly wall?: () => number;
  /** Milliseconds between two sweeps. */
  readonly period?: number;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class LiveConnections {
  readonly #all = new Set<LiveConnection>();
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #period: number;
  readonly #wall: () => number;
  /** Connections that came with a token, by connection ID. */
  readonly #byToken = new Map<string, LiveConnection>();
  /** Traffic by route that the metrics do not hold yet. */
  readonly #tallies = new Map<string, Tally>();
  #waiters: (() => void)[] = [];
  #cancel: Cancel | undefined;
  #sweeping: Promise<void> | undefined;

  constructor({ clock, metrics, log, wall = Date.now, period = SWEEP_PERIOD }: LiveOptions) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#log = log;
    this.#period = period;
    this.#wall = wall;
  }

  get size(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): IterableIterator<LiveConnection> {
    return this.#all.values();
  }

  add(facts: Facts, session: Session): LiveConnection {
    const connection = new LiveConnection(facts, session, this.#clock.now());
    this.#all.add(connection);
    if (facts.principal.token) {
      this.#byToken.set(facts.connectionId, connection);
      connection.expiresAt = this.#expiryOf(facts.route, facts.principal.token);
    }
    this.#metrics.opened(facts.routeName);
    return connection;
  }

  /** Takes an ended connection out: its last traffic, its close and its log line are counted exactly once. */
  end(connection: LiveConnection, end: SessionEnd): void {
    if (!this.#all.delete(connection)) return;
    const { facts, session, openedAt } = connection;
    this.#byToken.delete(facts.connectionId);
    this.#count(connection);
    this.#metrics.closed(facts.routeName, end);
    logConnection(this.#log, {
      caller: facts.caller,
      route: facts.routeName,
      connectionId: facts.connectionId,
      endpoint: facts.endpoint,
      protocol: facts.protocol,
      principal: connection.principal.user,
      side: CLOSES[end.reason].side,
      reason: end.reason,
      code: end.code,
      fromClient: session.fromClient,
      toClient: session.toClient,
      milliseconds: this.#clock.now() - openedAt,
    });
    if (this.#all.size > 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }

  /** The connection of this ID, if it came with a token. */
  withToken(connectionId: string): LiveConnection | undefined {
    return this.#byToken.get(connectionId);
  }

  /** A newer token of the same client takes the place of the one before. */
  renewToken(connection: LiveConnection, token: VerifiedToken): void {
    const { apiKey, headers } = connection.principal;
    connection.principal = principalOf({ apiKey, token, headers });
    connection.expiresAt = this.#expiryOf(connection.facts.route, token);
  }

  /** Asks those connections to close that `chosen` picks. Resolves after the last slice. */
  async closeWhere(chosen: (connection: LiveConnection) => boolean, reason: CloseReason): Promise<void> {
    await this.#inSlices((connection) => {
      if (chosen(connection)) connection.session.close(reason);
    });
  }

  #expiryOf({ jwt }: Route, { expiresAt }: VerifiedToken): number {
    return jwt?.onExpiry === "Close" ? this.#clock.now() + expiresAt - this.#wall() : Number.POSITIVE_INFINITY;
  }

  /** Resolves when no connection is open. */
  whenEmpty(): Promise<void> {
    if (this.#all.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Starts the sweep. */
  start(): void {
    this.#cancel = this.#clock.after(this.#period, () => {
      this.start();
      this.#sweeping ??= this.sweep().finally(() => {
        this.#sweeping = undefined;
      });
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Looks at each connection once. Resolves after the last slice. */
  async sweep(): Promise<void> {
    await this.#inSlices((connection) => this.#look(connection));
    this.flush();
  }

  /** Ends every connection without a close frame. */
  async destroyAll(reason: CloseReason): Promise<void> {
    await this.#inSlices(({ session }) => session.destroy(reason));
  }

  /** Asks every connection to close. */
  async closeAll(reason: CloseReason): Promise<void> {
    await this.#inSlices(({ session }) => session.close(reason));
  }

  /** Brings the traffic metrics up to date with what the sweep and the ends have gathered. */
  flush(): void {
    for (const [route, tally] of this.#tallies) this.#metrics.traffic(route, tally);
    this.#tallies.clear();
  }

  #look(connection: LiveConnection): void {
    const { session, facts, openedAt, pingedAt, expiresAt } = connection;
    this.#count(connection);
    const { lastMessageAt, lastHeardAt } = session;
    const moment = { now: this.#clock.now(), period: this.#period };
    const what = due(facts.route, { openedAt, lastMessageAt, lastHeardAt, pingedAt, expiresAt }, moment);
    if (what === "nothing") return;
    if (what === "ping") {
      connection.pingedAt = moment.now;
      session.ping();
    } else if (what === "KeepAliveTimeout") {
      // The backend is told; the client is not waited for, since nobody is there to answer.
      session.close(what);
      setImmediate(() => session.destroy(what));
    } else if (what === "TokenExpired" && facts.route.jwt?.mode === "Report") {
      connection.expiresAt = Number.POSITIVE_INFINITY;
      this.#metrics.policyReport({ route: facts.routeName, policy: "authentication.jwt", reason: what });
    } else {
      session.close(what);
    }
  }

  #count({ facts, session, counted }: LiveConnection): void {
    let tally = this.#tallies.get(facts.routeName);
    if (!tally) {
      tally = emptyTally();
      this.#tallies.set(facts.routeName, tally);
    }
    takeOver(tally.fromClient, counted.fromClient, session.fromClient);
    takeOver(tally.toClient, counted.toClient, session.toClient);
  }

  /** Measured on the real clock, whatever the injected one says: this is about the event loop. */
  async #inSlices(visit: (connection: LiveConnection) => void): Promise<void> {
    let sliceStart = systemClock.now();
    let visited = 0;
    for (const connection of this.#all) {
      visit(connection);
      visited += 1;
      if (visited % LOOK_EVERY === 0 && systemClock.now() - sliceStart >= SLICE) {
        await nextTurn();
        sliceStart = systemClock.now();
      }
    }
  }
}
