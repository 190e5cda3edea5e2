/**
 * Every metric of the gateway process. A label value is a route's name, a name from a table of ours, or a number that a
 * backend sent: never text from a client, so the number of series is bounded by the configuration.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { CLOSES } from "../refusals.ts";
import type { SessionEnd, Traffic } from "../session.ts";

/** `ping`s, closes and other control frames are not messages, so two directions are all there is. */
type Direction = "from_client" | "to_client";

/** Close codes that have a series of their own (IANA WebSocket Close Code Number Registry). */
const REGISTERED_CODES: ReadonlySet<number> = new Set([
  1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015, 3000, 3003, 3008,
]);

/** A close code as a label. A peer may send any of 4,000 codes, so the others are folded into their thousands. */
export function closeCodeLabel(code: number): string {
  if (REGISTERED_CODES.has(code)) return String(code);
  if (code >= 3000 && code < 4000) return "3xxx";
  if (code >= 4000 && code < 5000) return "4xxx";
  return "other";
}

export interface HandshakeOutcome {
  /** `namespace/name`, or empty when no route was matched. */
  readonly route: string;
  readonly code: number;
  readonly reason: string;
  /** From the request's arrival to its answer; absent when no whole request arrived. */
  readonly seconds?: number;
}

const AUTHORIZER_OUTCOMES = ["allowed", "denied", "unavailable", "failed_open"] as const;
export type AuthorizerOutcome = (typeof AUTHORIZER_OUTCOMES)[number];

/** Counts of one direction since they were last taken over into the metrics. */
export interface TrafficDelta {
  readonly fromClient: Readonly<Traffic>;
  readonly toClient: Readonly<Traffic>;
}

export interface PolicyReport {
  readonly route: string;
  /** The policy's field in the route, such as `authentication.jwt`. */
  readonly policy: string;
  readonly reason: string;
}

/** Messages that a rate kept from passing at once, on a connection that goes on. */
export interface MessagesLimited {
  readonly route: string;
  /** The rate's field in the route, such as `limits.messages.perUser`. */
  readonly policy: string;
  readonly action: "dropped" | "throttled";
}

export interface MessageRefusal {
  readonly route: string;
  readonly direction: Direction;
  readonly reason: string;
  /** What was done with the message. */
  readonly action: string;
}

interface Seen {
  readonly refusals: Map<string, MessageRefusal>;
  readonly limited: Map<string, MessagesLimited>;
  readonly reports: Map<string, PolicyReport>;
  readonly handshakes: Map<string, { code: number; reason: string }>;
  readonly closes: Map<string, { code: string; reason: string; side: string }>;
  open: number;
}

export class Metrics {
  readonly registry = new Registry();
  /** What each route has series for, so that a deleted route's can be removed. */
  readonly #seen = new Map<string, Seen>();

  readonly #handshakes = this.#counter("handshakes_total", "Handshakes by how they ended.", [
    "route",
    "code",
    "reason",
  ]);
  readonly #closes = this.#counter("closes_total", "Connections that ended.", ["route", "code", "reason", "side"]);
  readonly #messages = this.#counter("messages_total", "Data messages forwarded.", ["route", "direction"]);
  readonly #bytes = this.#counter("message_bytes_total", "Bytes forwarded, frame headers included.", [
    "route",
    "direction",
  ]);
  readonly #invalid = this.#counter("messages_refused_total", "Messages that do not satisfy a route's policy.", [
    "route",
    "direction",
    "reason",
    "action",
  ]);
  readonly #reports = this.#counter("policy_reports_total", "What policies in mode Report would have refused.", [
    "route",
    "policy",
    "reason",
  ]);
  readonly #limited = this.#counter("messages_limited_total", "Times that a message met an exhausted rate.", [
    "route",
    "policy",
    "action",
  ]);
  readonly #fleetUp = this.#gauge(
    "limits_fleet_up",
    "Whether limits of the fleet are shared; else each pod's own.",
    [],
  );
  readonly #overloaded = this.#gauge("overloaded", "Whether new handshakes are refused because of overload.", []);
  readonly #authorizer = this.#counter("authorizer_checks_total", "Handshakes that an authoriser was asked about.", [
    "route",
    "outcome",
  ]);
  readonly #keyFetches = this.#counter("jwks_fetches_total", "Fetches of token issuers' keys.", ["outcome"]);
  readonly #revocations = this.#gauge("revocations", "Users and tokens whose access is revoked.", []);
  readonly #connections = this.#gauge("connections", "Open connections.", ["route"]);
  readonly #duration = new Histogram({
    name: "holdfast_handshake_duration_seconds",
    help: "Time from a handshake's request to its answer.",
    labelNames: ["route"],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 1, 5, 10],
    registers: [this.registry],
  });
  readonly #resets = this.#counter("client_resets_total", "Connections reset before or during a handshake.", []);
  readonly #dropped = this.#counter(
    "client_drops_total",
    "Connections closed as they came: no descriptor is left.",
    [],
  );
  readonly #sequence = this.#gauge("snapshot_sequence", "Sequence of the snapshot that is served.", []);
  readonly #refused = this.#counter("snapshot_refused_total", "Snapshots that could not be served.", []);
  readonly #busUp = this.#gauge("bus_up", "Whether the bus carries messages between gateway pods.", []);
  readonly #busMessages = this.#counter("bus_messages_total", "Hub messages on the bus.", ["direction"]);
  readonly #hubGaps = this.#counter("hub_gaps_total", "Groups that may have missed messages in a bus outage.", []);
  readonly #hubDropped = this.#counter("hub_dropped_total", "Hub messages that a client did not get.", []);

  #counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name: `holdfast_${name}`, help, labelNames, registers: [this.registry] });
  }

  #gauge<L extends string>(name: string, help: string, labelNames: L[]): Gauge<L> {
    return new Gauge({ name: `holdfast_${name}`, help, labelNames, registers: [this.registry] });
  }

  #of(route: string): Seen {
    let seen = this.#seen.get(route);
    if (!seen) {
      seen = {
        refusals: new Map(),
        limited: new Map(),
        reports: new Map(),
        handshakes: new Map(),
        closes: new Map(),
        open: 0,
      };
      this.#seen.set(route, seen);
    }
    return seen;
  }

  /** Counts a handshake; each one is counted exactly once. */
  handshake({ route, code, reason, seconds }: HandshakeOutcome): void {
    this.#of(route).handshakes.set(`${code} ${reason}`, { code, reason });
    this.#handshakes.inc({ route, code, reason });
    if (seconds !== undefined) this.#duration.observe({ route }, seconds);
  }

  opened(route: string): void {
    this.#of(route).open += 1;
    this.#connections.inc({ route });
  }

  /** Counts an open connection's end; each one is counted exactly once. */
  closed(route: string, end: SessionEnd): void {
    const labels = { code: closeCodeLabel(end.code), reason: end.reason, side: CLOSES[end.reason].side };
    const seen = this.#of(route);
    seen.open -= 1;
    seen.closes.set(`${labels.code} ${labels.reason}`, labels);
    this.#closes.inc({ route, ...labels });
    this.#connections.dec({ route });
  }

  /** Adds traffic that was counted frame by frame elsewhere, in lumps (never for each frame). */
  traffic(route: string, { fromClient, toClient }: TrafficDelta): void {
    this.#add(route, "from_client", fromClient);
    this.#add(route, "to_client", toClient);
  }

  #add(route: string, direction: Direction, { messages, bytes }: Readonly<Traffic>): void {
    if (messages > 0) this.#messages.inc({ route, direction }, messages);
    if (bytes > 0) this.#bytes.inc({ route, direction }, bytes);
  }

  /** Counts a message that a policy found fault with. */
  messageRefused(refusal: MessageRefusal): void {
    const { route, direction, reason, action } = refusal;
    this.#of(route).refusals.set(`${direction} ${reason} ${action}`, refusal);
    this.#invalid.inc({ route, direction, reason, action });
  }

  /** Counts what a policy would have refused if it were enforced. */
  policyReport(report: PolicyReport): void {
    const { route, policy, reason } = report;
    this.#of(route).reports.set(`${policy} ${reason}`, report);
    this.#reports.inc({ route, policy, reason });
  }

  messagesLimited(limited: MessagesLimited): void {
    const { route, policy, action } = limited;
    this.#of(route).limited.set(`${policy} ${action}`, limited);
    this.#limited.inc({ route, policy, action });
  }

  limitsFleet(state: "up" | "down"): void {
    this.#fleetUp.set(state === "up" ? 1 : 0);
  }

  overload(state: "overloaded" | "well"): void {
    this.#overloaded.set(state === "overloaded" ? 1 : 0);
  }

  authorizerCheck(route: string, outcome: AuthorizerOutcome): void {
    this.#of(route);
    this.#authorizer.inc({ route, outcome });
  }

  keysFetched(outcome: "ok" | "failed"): void {
    this.#keyFetches.inc({ outcome });
  }

  revocations(count: number): void {
    this.#revocations.set(count);
  }

  clientReset(): void {
    this.#resets.inc();
  }

  clientDropped(): void {
    this.#dropped.inc();
  }

  snapshotServed(sequence: number): void {
    this.#sequence.set(sequence);
  }

  snapshotRefused(): void {
    this.#refused.inc();
  }

  bus(state: "up" | "down"): void {
    this.#busUp.set(state === "up" ? 1 : 0);
  }

  busMessage(direction: "sent" | "received"): void {
    this.#busMessages.inc({ direction });
  }

  hubGaps(groups: number): void {
    this.#hubGaps.inc(groups);
  }

  hubDropped(messages: number): void {
    this.#hubDropped.inc(messages);
  }

  /** Drops the series of routes that no longer exist and have no connection, so that churn does not grow memory. */
  retain(exists: (route: string) => boolean): void {
    for (const [route, seen] of this.#seen) {
      if (route === "" || seen.open > 0 || exists(route)) continue;
      for (const labels of seen.handshakes.values()) this.#handshakes.remove({ route, ...labels });
      for (const labels of seen.closes.values()) this.#closes.remove({ route, ...labels });
      for (const limited of seen.limited.values()) this.#limited.remove({ ...limited });
      for (const report of seen.reports.values()) this.#reports.remove({ ...report });
      for (const refusal of seen.refusals.values()) this.#invalid.remove({ ...refusal });
      for (const outcome of AUTHORIZER_OUTCOMES) this.#authorizer.remove({ route, outcome });
      for (const direction of ["from_client", "to_client"] as const) {
        this.#messages.remove({ route, direction });
        this.#bytes.remove({ route, direction });
      }
      this.#connections.remove({ route });
      this.#duration.remove({ route });
      this.#seen.delete(route);
    }
  }
}

/** Adds Node's own process metrics: CPU, memory, descriptors, event loop lag. Once for each process. */
export function addProcessMetrics(metrics: Metrics): void {
  collectDefaultMetrics({ register: metrics.registry });
}
