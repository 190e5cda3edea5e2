/** Makes the meters of connections from their routes' policies, and keeps the buckets that several connections share. */
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Route } from "../snapshot.ts";
import { bucketShape, type Rate } from "./bucket.ts";
import type { Fleet } from "./fleet.ts";
import { FleetBuckets } from "./fleet-buckets.ts";
import { KeyedBuckets } from "./keyed-buckets.ts";
import { Meter, type MeterRule, type RateRule, type SharedBuckets } from "./meter.ts";
import { sameShape } from "./rates-memory.ts";

export interface MetersOptions {
  readonly clock: { now(): number };
  readonly metrics: Pick<Metrics, "policyReport" | "messagesLimited">;
  readonly log: Log;
  readonly fleet: Fleet;
}

/** One rate of a route, and whether it is shared by a user's connections, on this pod or all. */
interface Entry {
  readonly rule: RateRule;
  readonly of: "connection" | "user" | "fleetUser";
}

/** Milliseconds between two lines about what one policy of a route would have refused. */
const LOG_EVERY = 10_000;
const UNITS = ["messages", "bytes"] as const;
const ACTIONS = { Drop: "dropped", Throttle: "throttled" } as const;

/** Routes live as long as their snapshot, and so does what is worked out for them. */
const known = new WeakMap<Route["limits"], readonly Entry[]>();

function entriesOf(limits: Route["limits"]): readonly Entry[] {
  let entries = known.get(limits);
  if (entries === undefined) {
    entries = UNITS.flatMap((unit) => {
      const { perConnection, perUser, onExceeded, scope } = limits[unit] ?? {};
      const entry = (field: string, rate: Rate | undefined, of: Entry["of"]): Entry[] =>
        rate === undefined || onExceeded === undefined
          ? []
          : [{ rule: { policy: `limits.${unit}.${field}`, unit, shape: bucketShape(rate), onExceeded }, of }];
      return [
        ...entry("perConnection", perConnection, "connection"),
        ...entry("perUser", perUser, scope === "Fleet" ? "fleetUser" : "user"),
      ];
    });
    known.set(limits, entries);
  }
  return entries;
}

type Buckets = KeyedBuckets | FleetBuckets;

export class Meters {
  readonly #options: MetersOptions;
  /** Buckets of users by `namespace/name` of the route, then by policy. */
  readonly #shared = new Map<string, Map<string, Buckets>>();
  /** What is told of each route, made once. */
  readonly #tellers = new Map<string, (rule: RateRule) => void>();

  readonly #loggedAt = new Map<string, number>();

  constructor(options: MetersOptions) {
    this.#options = options;
  }

  /** Undefined where no rate holds for this client: those of users hold for users only. */
  make(route: Route, user: string | undefined): Meter | undefined {
    const name = `${route.namespace}/${route.name}`;
    const rules: MeterRule[] = entriesOf(route.limits).flatMap((entry) => {
      const { rule, of } = entry;
      if (of === "connection") return [{ rule }];
      return user === undefined ? [] : [{ rule, shared: { buckets: this.#buckets(route, entry), key: user } }];
    });
    if (rules.length === 0) return undefined;
    return new Meter({ rules, now: this.#options.clock.now(), onExceeded: this.#teller(name) });
  }

  /** Forgets routes that are gone; their connections keep their buckets. */
  retain(exists: (route: string) => boolean): void {
    for (const route of this.#shared.keys()) if (!exists(route)) this.#shared.delete(route);
    for (const route of this.#tellers.keys()) if (!exists(route)) this.#tellers.delete(route);
    for (const key of this.#loggedAt.keys()) if (!exists(key.slice(0, key.indexOf(" ")))) this.#loggedAt.delete(key);
  }

  /** Tells the fleet what its users have sent here. */
  async exchange(): Promise<void> {
    const all = [...this.#shared.values()].flatMap((policies) => [...policies.values()]);
    await Promise.all(all.map((buckets) => (buckets instanceof FleetBuckets ? buckets.exchange() : undefined)));
  }

  /** A rate that has changed begins anew for new connections. */
  #buckets(route: Route, { rule: { policy, shape }, of }: Entry): SharedBuckets {
    const name = `${route.namespace}/${route.name}`;
    let policies = this.#shared.get(name);
    if (policies === undefined) {
      policies = new Map();
      this.#shared.set(name, policies);
    }
    const buckets = policies.get(policy);
    const fits = buckets !== undefined && buckets instanceof FleetBuckets === (of === "fleetUser");
    if (fits && sameShape(buckets.shape, shape)) return buckets;
    const { clock, fleet } = this.#options;
    const maxCharge = route.limits.maxMessageSize;
    const made =
      of === "fleetUser"
        ? new FleetBuckets({ route: name, policy, shape, fleet, clock, maxCharge })
        : new KeyedBuckets(shape, { now: clock.now(), maxCharge });
    policies.set(policy, made);
    return made;
  }

  #teller(route: string): (rule: RateRule) => void {
    let teller = this.#tellers.get(route);
    if (teller === undefined) {
      teller = ({ policy, onExceeded }) => this.#tell(route, policy, onExceeded);
      this.#tellers.set(route, teller);
    }
    return teller;
  }

  #tell(route: string, policy: string, onExceeded: RateRule["onExceeded"]): void {
    const { metrics } = this.#options;
    if (onExceeded === "Report") {
      metrics.policyReport({ route, policy, reason: "RateExceeded" });
      this.#logReport(route, policy);
    } else if (onExceeded !== "Close") metrics.messagesLimited({ route, policy, action: ACTIONS[onExceeded] });
  }

  /** Messages come by the thousand: every one is counted, and a line is written now and then. */
  #logReport(route: string, policy: string): void {
    const { clock, log } = this.#options;
    const key = `${route} ${policy}`;
    const now = clock.now();
    if (now - (this.#loggedAt.get(key) ?? Number.NEGATIVE_INFINITY) < LOG_EVERY) return;
    this.#loggedAt.set(key, now);
    log.info(
      { event: "report", route, policy, reason: "RateExceeded" },
      "a policy that only reports would have refused",
    );
  }
}
