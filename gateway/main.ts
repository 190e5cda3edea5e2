/**
 * Composition root of the data plane: joins ports, pipeline, live connections and admin port into one gateway process.
 */
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Access } from "./auth/access.ts";
import { accessApi } from "./auth/api.ts";
import type { KeyTimings } from "./auth/jwks.ts";
import { EndpointLoads } from "./backend/loads.ts";
import type { Bus } from "./bus/bus.ts";
import { type Clock, systemClock, wait } from "./clock.ts";
import type { Loaded, SnapshotSource } from "./config/source.ts";
import { Limits } from "./limits/limits.ts";
import { type DrainPlan, drainConnections } from "./live/drain.ts";
import { LiveConnections } from "./live/live.ts";
import { createAdminServer, type Readiness } from "./observe/admin.ts";
import type { Log } from "./observe/log.ts";
import { Metrics } from "./observe/metrics.ts";
import type { PortFailure } from "./ports/certificates.ts";
import { processBudget } from "./ports/descriptors.ts";
import { OVERLOAD, Overload, type OverloadProbes, type OverloadThresholds, processProbes } from "./ports/overload.ts";
import { answerBroken, answerPlain } from "./ports/plain.ts";
import { Ports, type RequestLimits } from "./ports/server.ts";
import { type Random, systemRandom } from "./random.ts";
import { type Listener, SNAPSHOT_OBJECTS } from "./snapshot.ts";
import { type HubDoor, UpgradePipeline } from "./upgrade.ts";

/** How a gateway without a snapshot leaves; there is nobody to leave then. */
const DEFAULT_DRAIN: DrainPlan = { timeout: 30_000, maxDisconnectsPerSecond: 100 };
/** Milliseconds until a port that could not be opened is tried again. */
const PORT_RETRY = 1000;
/** Milliseconds that handshakes under way get to end before connections are sent away. */
const SETTLE = 1000;

export interface Listen {
  /** Address that client ports and the API port are bound to. */
  readonly host: string;
  /** Port of a listener, where it is not the listener's own; 0 for any free one. */
  readonly portOf?: (listener: Listener) => number;
  readonly apiPort: number;
  readonly adminHost: string;
  readonly adminPort: number;
}

export interface GatewayOptions {
  readonly source: SnapshotSource;
  readonly bus: Bus;
  readonly hub: HubDoor;
  /** Serves what the API port has beside tokens and revocations; without it there is no API port. */
  readonly api?: RequestListener;
  readonly listen: Listen;
  readonly log: Log;
  readonly metrics?: Metrics;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Milliseconds of not being ready before clients are sent away, while endpoints propagate. */
  readonly leaveDelay?: number;
  /** Milliseconds between two sweeps over the live connections. */
  readonly sweepPeriod?: number;
  readonly requestLimits?: RequestLimits;
  /** From when on new handshakes are refused; `OVERLOAD` when absent. */
  readonly overload?: OverloadThresholds;
  /** What the load is measured with; this process itself when absent. */
  readonly probes?: OverloadProbes;
  readonly keyTimings?: KeyTimings;
  /** ms since the epoch, which is what tokens are dated by. */
  readonly wall?: () => number;
}

export interface DrainRequest {
  /** Ends everything at once when it aborts. */
  readonly hurry?: AbortSignal;
  /** Milliseconds for the whole drain, instead of what the configuration says. */
  readonly within?: number;
}

export interface GatewayPorts {
  /** By listener name. */
  readonly listeners: ReadonlyMap<string, number>;
  readonly api: number | undefined;
  readonly admin: number;
}

type Phase = "serving" | "leaving" | "closing";

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

export class Gateway {
  readonly metrics: Metrics;
  /** What clients may use; shared with other pods once it is told of a Redis. */
  readonly limits: Limits;
  readonly #overload: Overload;
  readonly #options: GatewayOptions;
  readonly #budget = processBudget();
  readonly #loads = new EndpointLoads();
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #live: LiveConnections;
  readonly #access: Access;
  readonly #pipeline: UpgradePipeline;
  readonly #ports: Ports;
  readonly #admin: Server;
  readonly #api: Server | undefined;
  #phase: Phase = "serving";
  #served: Loaded | undefined;
  #refused: string | undefined;
  #failures: readonly PortFailure[] = [];
  #drained: Promise<{ cut: number }> | undefined;

  constructor(options: GatewayOptions) {
    const { source, hub, log, listen: address } = options;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.metrics = options.metrics ?? new Metrics();
    const base = { clock: this.#clock, random: this.#random, metrics: this.metrics, log };
    const { sweepPeriod, requestLimits, keyTimings, wall = Date.now } = options;
    this.#live = new LiveConnections({ ...base, wall, ...(sweepPeriod !== undefined && { period: sweepPeriod }) });
    this.#access = new Access({
      ...base,
      source,
      bus: options.bus,
      live: this.#live,
      wall,
      ...(keyTimings && { keyTimings }),
    });
    this.limits = new Limits({
      ...base,
      pod: this.#random.bytes(9).toString("base64url"),
      gateway: () => nameOf(source.current),
    });
    this.#overload = new Overload({
      clock: this.#clock,
      probes: options.probes ?? processProbes(),
      thresholds: options.overload ?? OVERLOAD,
      onChange: (state, measured) => {
        this.metrics.overload(state);
        log.warn({ event: "overload", state, ...measured }, "the load of this process has crossed its bound");
      },
    });
    this.#pipeline = new UpgradePipeline({
      ...base,
      source,
      hub,
      authenticator: this.#access.authenticator,
      limits: this.limits,
      live: this.#live,
      loads: this.#loads,
      isClosing: () => this.#phase === "closing",
      isFull: () => this.#overload.active || this.#descriptors >= this.#budget.full,
    });
    this.#ports = new Ports({
      host: address.host,
      portOf: address.portOf ?? ((listener) => listener.port),
      log,
      mayKeep: () => this.#descriptors <= this.#budget.spent,
      ...(requestLimits && { limits: requestLimits }),
      handlers: {
        upgrade: (event) => void this.#pipeline.serve(event),
        plain: (event) => answerPlain({ ...base, source }, event),
        broken: (reason, socket) => answerBroken(base, reason, socket),
        reset: () => this.metrics.clientReset(),
        dropped: () => this.metrics.clientDropped(),
      },
    });
    this.#admin = createAdminServer({ ...base, live: this.#live, readiness: () => this.readiness });
    this.#api = options.api && createServer(this.#apiListener(options.api, wall));
  }

  /**
   * Opens the admin and API ports, and the client ports as soon as there is a snapshot. Rejects when a port is taken that
   * the configuration of the start asks for: that is a mistake of whoever starts it, and nobody is connected yet.
   */
  async start(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { source, bus, listen: address } = this.#options;
    await listen(this.#admin, address.adminHost, address.adminPort);
    if (this.#api) await listen(this.#api, address.host, address.apiPort);
    this.#live.start();
    this.#overload.start();
    this.#access.start();
    this.metrics.bus(bus.up ? "up" : "down");
    bus.onState((state) => this.metrics.bus(state));
    source.onChange(() => void this.#follow());
    await this.#follow();
    const failure = this.#failures.find(({ kind }) => kind === "port");
    if (failure) throw new Error(`listener ${failure.listener}: ${failure.message}`);
  }

  get ports(): GatewayPorts {
    const numberOf = (server: Server): number => (server.address() as AddressInfo).port;
    return { listeners: this.#ports.numbers, api: this.#api && numberOf(this.#api), admin: numberOf(this.#admin) };
  }

  #apiListener(others: RequestListener, wall: () => number): RequestListener {
    const { source, log } = this.#options;
    const aboutAccess = accessApi({
      control: this.#access.control,
      token: () => source.current?.secrets.get(SNAPSHOT_OBJECTS.apiTokenKey),
      wall,
      onFailure: (error) => log.error({ event: "api", err: error }, "the API failed"),
    });
    return (request, response) => {
      if (!aboutAccess(request, response)) others(request, response);
    };
  }

  /** Open connections. */
  get connections(): number {
    return this.#live.size;
  }

  get readiness(): Readiness {
    const because: string[] = [];
    if (this.#phase !== "serving") because.push("draining");
    if (!this.#options.source.current) because.push("no snapshot yet");
    else if (this.#ports.numbers.size === 0) because.push("no listener is open");
    const problems = this.#failures.map(({ listener, message }) => `listener ${listener}: ${message}`);
    return { ready: because.length === 0, because, problems };
  }

  /**
   * Not ready at once, then no new connections, then a paced end of those that are open. Resolves when none is left, with
   * how many had to be cut. A second call joins the first.
   */
  drain(request: DrainRequest = {}): Promise<{ cut: number }> {
    this.#drained ??= this.#drain(request);
    return this.#drained;
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    this.#phase = "closing";
    this.#ports.stop();
    await this.#live.destroyAll("Draining");
    await this.#live.whenEmpty();
    this.#live.stop();
    this.#overload.stop();
    this.limits.close();
    this.#access.close();
    await Promise.all([this.#admin, this.#api].map((server) => server && closeServer(server)));
  }

  async #drain({ hurry = new AbortController().signal, within }: DrainRequest): Promise<{ cut: number }> {
    this.#phase = "leaving";
    const { log, leaveDelay = 0 } = this.#options;
    log.info({ event: "drain", connections: this.#live.size }, "leaving: not ready any more");
    if (within === undefined) await wait(this.#clock, leaveDelay, hurry);
    this.#phase = "closing";
    this.#ports.stop();
    await Promise.race([this.#pipeline.whenIdle(), wait(this.#clock, SETTLE, hurry)]);
    const plan = this.#plan(within);
    log.info({ event: "drain", connections: this.#live.size, ...plan }, "sending connections away");
    const tools = { live: this.#live, clock: this.#clock, random: this.#random.fraction };
    const result = await drainConnections({ ...tools, plan, hurry });
    this.#live.flush();
    log.info({ event: "drain", ...result }, "no connection is left");
    return result;
  }

  /** In use for clients and their backends. */
  get #descriptors(): number {
    return this.#ports.clients + this.#loads.total;
  }

  /** The configured plan, or one that is as gentle as the time allows. */
  #plan(within: number | undefined): DrainPlan {
    const configured = this.#options.source.current?.snapshot.settings.drain ?? DEFAULT_DRAIN;
    if (within === undefined) return configured;
    const timeout = Math.max(0, within - SETTLE);
    const needed = Math.ceil((this.#live.size * 2000) / Math.max(1, timeout));
    return { timeout, maxDisconnectsPerSecond: Math.max(configured.maxDisconnectsPerSecond, needed) };
  }

  /** Takes up what the source serves now. */
  async #follow(): Promise<void> {
    const { source, log } = this.#options;
    if (source.refused !== this.#refused) {
      this.#refused = source.refused;
      if (source.refused !== undefined) {
        this.metrics.snapshotRefused();
        log.warn({ event: "snapshot", reason: source.refused }, "a snapshot was refused; the last good one serves on");
      }
    }
    const loaded = source.current;
    if (!loaded || loaded === this.#served) return;
    const before = this.#served;
    this.#served = loaded;
    const { sequence, revision, routes } = loaded.snapshot;
    this.metrics.snapshotServed(sequence);
    log.info({ event: "snapshot", sequence, revision, routes: routes.length }, "serving a new snapshot");
    if (before && before.snapshot.routes !== routes) this.#forgetRoutes(loaded);
    this.#access.follow(routes);
    await this.#bringPorts(loaded);
  }

  #forgetRoutes({ snapshot }: Loaded): void {
    const names = new Set(snapshot.routes.map(({ namespace, name }) => `${namespace}/${name}`));
    const exists = (route: string): boolean => names.has(route);
    this.metrics.retain(exists);
    this.#pipeline.retain(exists);
    this.limits.retain(exists);
  }

  async #bringPorts(loaded: Loaded): Promise<void> {
    const { log } = this.#options;
    const failures = await this.#ports.apply(loaded.snapshot.settings, loaded.secrets);
    if (loaded !== this.#served || this.#phase === "closing") return;
    const known = new Set(this.#failures.map(({ listener, message }) => `${listener} ${message}`));
    for (const failure of failures) {
      if (known.has(`${failure.listener} ${failure.message}`)) continue;
      log.error({ event: "port", ...failure }, "a listener cannot be served");
    }
    this.#failures = failures;
    if (failures.length > 0) this.#clock.after(PORT_RETRY, () => void this.#bringPorts(loaded));
  }
}

function nameOf(loaded: Loaded | undefined): string {
  const { namespace, name } = loaded?.snapshot.settings ?? { namespace: "", name: "" };
  return `${namespace}/${name}`;
}

/** Starts a gateway; rejects when a port cannot be opened. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const gateway = new Gateway(options);
  await gateway.start();
  return gateway;
}
