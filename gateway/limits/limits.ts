/**
 * Every limit of a route on what clients use, in one place: who counts (this pod or the fleet), and whether what exceeds a
 * limit is refused or only reported.
 */
import type { Cancel, Clock } from "../clock.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { isRefusal, type Refusal, type RefusalReason, refuse } from "../refusals.ts";
import type { Route } from "../snapshot.ts";
import { Fleet, type FleetTimings } from "./fleet.ts";
import type { Meter } from "./meter.ts";
import { Meters } from "./meters.ts";
import type { ConnectionRequest, Permit } from "./permits.ts";
import { MemoryPermits } from "./permits-memory.ts";
import { RedisPermits } from "./permits-redis.ts";
import type { HandshakeRequest } from "./rates.ts";
import { MemoryRates } from "./rates-memory.ts";
import { RedisRates } from "./rates-redis.ts";

/** Milliseconds between two exchanges of users' rates with the other pods. */
const EXCHANGE_EVERY = 250;
/** Of the exchanges, every how many-th also says that this pod is alive. */
const BEAT_EVERY = 8;

export interface LimitsOptions {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Name of this process among those that share limits; another one for each start. */
  readonly pod: string;
  /** `namespace/name` of the gateway, whose pods share limits. */
  readonly gateway: () => string;
  readonly timings?: FleetTimings;
}

export class Limits {
  readonly #options: LimitsOptions;
  readonly #fleet: Fleet;
  readonly #permits: { readonly Pod: MemoryPermits; readonly Fleet: RedisPermits };
  readonly #rates: { readonly Pod: MemoryRates; readonly Fleet: RedisRates };
  readonly #meters: Meters;
  #cancel: Cancel | undefined;
  #exchanges = 0;

  constructor(options: LimitsOptions) {
    const { clock, metrics, log, pod, gateway, timings } = options;
    this.#options = options;
    this.#fleet = new Fleet({
      pod,
      gateway,
      ...(timings && { timings }),
      onState: (state) => metrics.limitsFleet(state),
      onProblem: (problem) => log.warn({ event: "limits", problem }, "limits of the fleet hold for each pod by itself"),
    });
    const [ownPermits, ownRates] = [new MemoryPermits(), new MemoryRates(clock)];
    this.#permits = { Pod: ownPermits, Fleet: new RedisPermits(this.#fleet, ownPermits) };
    this.#rates = { Pod: ownRates, Fleet: new RedisRates(this.#fleet, ownRates) };
    this.#meters = new Meters({ clock, metrics, log, fleet: this.#fleet });
  }

  /** Shares limits through this Redis from now on, or, without one, not at all. */
  useRedis(url: string | undefined): void {
    this.#cancel?.();
    this.#fleet.use(url);
    if (url !== undefined) this.#tick();
  }

  /** Whether somebody else has to be asked about a new connection, for which its client has to wait. */
  asksOthers({ limits: { connections, handshakes } }: Route): boolean {
    return connections.scope === "Fleet" || handshakes?.scope === "Fleet";
  }

  /** Counts a handshake, whatever becomes of it; resolves with a refusal where the route's rate is exceeded. */
  async admitHandshake(request: HandshakeRequest): Promise<Refusal | undefined> {
    const { handshakes } = request.route.limits;
    if (handshakes === undefined) return undefined;
    const reason = await this.#rates[handshakes.scope ?? "Pod"].take(request);
    if (reason === undefined) return undefined;
    if (handshakes.mode !== "Report") return refuse(reason);
    this.#report(request, "limits.handshakes", reason);
    return undefined;
  }

  /** A permit for a connection, to be given back when it ends. */
  async acquire(request: ConnectionRequest): Promise<Permit | Refusal> {
    const permit = await this.#permits[request.route.limits.connections.scope ?? "Pod"].acquire(request);
    if (!isRefusal(permit) && permit.exceeded !== undefined) {
      this.#report(request, "limits.connections", permit.exceeded);
    }
    return permit;
  }

  /** What a new connection's client may send; undefined where it may send anything. */
  meter(route: Route, user: string | undefined): Meter | undefined {
    return this.#meters.make(route, user);
  }

  /** Forgets routes that are gone. */
  retain(exists: (route: string) => boolean): void {
    this.#rates.Pod.retain(exists);
    this.#meters.retain(exists);
  }

  close(): void {
    this.#cancel?.();
    this.#fleet.close();
  }

  #report({ route: { namespace, name }, clientIP }: HandshakeRequest, policy: string, reason: RefusalReason): void {
    const { metrics, log } = this.#options;
    const report = { route: `${namespace}/${name}`, policy, reason };
    metrics.policyReport(report);
    log.info({ event: "report", ...report, clientIP }, "a policy that only reports would have refused");
  }

  #tick(): void {
    this.#cancel = this.#options.clock.after(EXCHANGE_EVERY, () => {
      this.#tick();
      if (!this.#fleet.up) return;
      this.#exchanges += 1;
      void this.#meters.exchange();
      if (this.#exchanges % BEAT_EVERY === 1) void this.#permits.Fleet.beat();
    });
  }
}
