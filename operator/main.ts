/**
 * The operator's composition root: everything that has an effect is made here and handed to what decides.
 * One operator writes at a time: the others watch and decide like it, and write nothing until the Lease is theirs.
 */
import type { Logger } from "pino";
import type { KubeClient } from "../kube/client.ts";
import { type Clock, systemClock } from "../kube/clock.ts";
import { isNotFound } from "../kube/error.ts";
import { FencedOff } from "../kube/fence.ts";
import type { ListWatchState } from "../kube/listwatch.ts";
import { RESOURCES } from "../kube/resources.ts";
import { DefaultGateway, type DefaultGatewayOptions } from "./default-gateway.ts";
import { type Election, type LeaderElection, takePart } from "./election.ts";
import { EventRecorder } from "./events.ts";
import { Fleet } from "./fleet/fleet.ts";
import { startHealthServer } from "./health.ts";
import { Loop } from "./loop.ts";
import { createMetrics, type OperatorMetrics } from "./metrics.ts";
import { type KubernetesObject, namespacedName } from "./objects.ts";
import { Reconciler } from "./reconcile.ts";
import type { PodImage } from "./render/fleet/pod.ts";
import { type StatusWrite, StatusWriter, type StatusWriterOptions } from "./status-writer.ts";
import type { TranslateOptions } from "./translate/plan.ts";
import { type ClusterWatch, watchCluster } from "./watch.ts";

export interface OperatorOptions {
  /** Whether Services of type ExternalName may be backends. */
  readonly externalNames: TranslateOptions["externalNames"];
  /** What gateway pods run. Without it the operator runs no pods and only writes what gateway processes serve. */
  readonly gatewayImage?: PodImage | undefined;
  /** ConfigMap with the manifest of a WebSocketGateway to make and keep. */
  readonly defaultGateway?: { readonly namespace: string; readonly name: string } | undefined;
  /** How operators agree on which of them writes. Without it this one does, and must be the only one. */
  readonly leaderElection?: LeaderElection | undefined;
  /** Where probes and figures are served. */
  readonly adminHost: string;
  /** 0 for any free port. */
  readonly adminPort: number;
}

export interface OperatorSetting {
  readonly client: KubeClient;
  readonly options: OperatorOptions;
  readonly log: Pick<Logger, "debug" | "info" | "warn" | "error">;
  /** Aborting it stops the operator. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  /** In [0, 1), for jitter. */
  readonly random?: () => number;
}

export interface Operator {
  readonly adminPort: number;
  /** Resolves after the signal, when nothing is under way any more; rejects when the operator cannot go on. */
  readonly stopped: Promise<void>;
}

/** A status that differs only in a figure is refreshed this often. */
const REFRESH_MS = 30_000;

/** Runs until the signal aborts and all that was under way has ended. @throws Error when the admin port cannot be had. */
export async function runOperator(setting: OperatorSetting): Promise<void> {
  const operator = await startOperator(setting);
  await operator.stopped;
}

/** Resolves when the admin port is open; the watching and writing begins by itself. @throws Error when the port cannot be had. */
export async function startOperator(setting: OperatorSetting): Promise<Operator> {
  const { options, log, signal } = setting;
  const parts = compose(setting);
  const health = await startHealthServer({
    host: options.adminHost,
    port: options.adminPort,
    registry: parts.metrics.registry,
    missing: () => [...parts.watch.unsynced(), ...(parts.fleet?.watch.unsynced() ?? [])],
  });
  log.info({ adminPort: health.port }, "operator started");
  const stopped = aborted(signal).then(async () => {
    await parts.loop.stop();
    await parts.statuses.stop();
    await parts.election.resign();
    await Promise.all([parts.watch.ended, parts.fleet?.watch.ended, parts.defaultGateway?.ended]);
    await health.close();
    log.info("operator stopped");
  });
  return { adminPort: health.port, stopped };
}

interface Parts {
  readonly election: Election;
  readonly watch: ClusterWatch;
  readonly fleet: Fleet | undefined;
  readonly defaultGateway: DefaultGateway | undefined;
  readonly loop: Loop;
  readonly statuses: StatusWriter;
  readonly metrics: OperatorMetrics;
}

function compose(setting: OperatorSetting): Parts {
  const { options, log, signal, clock = systemClock, random = Math.random } = setting;
  const { leaderElection } = options;
  const onTurn = (state: "leading" | "standby") => {
    metrics.leaderTransitions.inc();
    statuses.offer([]);
    if (state !== "leading") return;
    reconciler.takeOver();
    loop.changed();
  };
  const election = takePart({ ...setting, leaderElection, clock, random, onChange: onTurn });
  const common = { client: election.client, clock, random, signal };
  const decideBy = (time: number) => reconciler.decideBy(time);
  const onState = (what: string, state: ListWatchState) => noteWatch(what, state, { log, metrics });
  const changed = (wake: "now" | "later") => {
    if (wake === "later") return decideBy(clock.now() + REFRESH_MS);
    reconciler.changed();
    loop.changed();
  };
  const watch = watchCluster({
    ...common,
    onChange: changed,
    onState,
    writesStatus: (object) => statuses.isWriting(object),
  });
  const metrics = createMetrics({
    cluster: watch.cluster,
    unsynced: () => watch.unsynced(),
    queueDepth: () => statuses.depth,
    leads: () => election.leads(),
  });
  const writing = tellOfWrites("object", { log, metrics });
  const events = new EventRecorder({
    ...common,
    onWrite: () => writing.onWrite("event"),
    onError: (error) => log.debug({ err: error }, "an Event is lost"),
  });
  const statuses = writeStatuses({ ...common, log, metrics, watch, events, decideBy });
  const { gatewayImage: image } = options;
  const fleet = image && new Fleet({ ...common, ...writing, image, onChange: () => changed("now"), onState, decideBy });
  const reconciler = new Reconciler({
    ...common,
    ...writing,
    watch,
    fleet,
    translate: { externalNames: options.externalNames, fleet: image === undefined ? "Refuse" : "Run" },
    leads: () => election.leads(),
    offerStatuses: (writes) => statuses.offer(writes),
    wakeBy: (time) => loop.wakeBy(time),
  });
  const defaultGateway = keepDefault(options.defaultGateway, {
    ...common,
    ...writing,
    onChange: () => loop.changed(),
    onState,
    took: (object) => {
      watch.took(object);
      reconciler.changed();
    },
    wakeBy: (time) => loop.wakeBy(time),
  });
  const loop = new Loop({
    ...common,
    run: async () => {
      if (watch.unsynced().length === 0 && election.leads()) await defaultGateway?.keep(watch.cluster);
      await timed(reconciler, metrics);
    },
    onError: (error, retryInMs) => log.error({ err: error, retryInMs }, "a pass failed"),
  });
  return { election, watch, fleet, defaultGateway, loop, statuses, metrics };
}

function keepDefault(
  configMap: OperatorOptions["defaultGateway"],
  options: Omit<DefaultGatewayOptions, "configMap">,
): DefaultGateway | undefined {
  return configMap && new DefaultGateway({ ...options, configMap });
}

interface StatusWriting
  extends Noting,
    Pick<StatusWriterOptions, "client" | "clock" | "random" | "signal" | "decideBy"> {
  readonly watch: ClusterWatch;
  readonly events: EventRecorder;
}

function writeStatuses({ log, metrics, watch, events, ...options }: StatusWriting): StatusWriter {
  const { onWrite, onError } = tellOfWrites("status", { log, metrics });
  return new StatusWriter({
    ...options,
    onWrite: () => onWrite("status"),
    onWritten: (object, write) => {
      watch.took(object);
      // While ours was under way, nothing that came woke us: somebody else's word may have.
      if (!isNewest(object, watch)) options.decideBy(options.clock.now());
      tellFlips(write, { log, events });
    },
    onError: (write, error, retryInMs) => onError(`the status of ${nameOf(write)}`, error, retryInMs),
  });
}

function isNewest(object: KubernetesObject, { cluster }: ClusterWatch): boolean {
  const entries = object.kind === RESOURCES.webSocketRoutes.kind ? cluster.routes : cluster.gateways;
  const known = entries.get(namespacedName(object))?.metadata;
  return known === undefined || known.resourceVersion === object.metadata.resourceVersion;
}

/** Counts and logs what is written. To be fenced off is no failure: somebody else writes it. */
function tellOfWrites(kind: "status" | "object", { log, metrics }: Noting) {
  return {
    onWrite: (written: string) => metrics.writes.inc({ kind: written }),
    onError: (what: string, error: unknown, retryInMs: number) => {
      if (error instanceof FencedOff) return;
      metrics.writeErrors.inc({ kind });
      log.warn({ err: error, retryInMs }, `${what}: the write failed`);
    },
  };
}

async function timed(reconciler: Reconciler, metrics: OperatorMetrics): Promise<void> {
  const end = metrics.passSeconds.startTimer();
  try {
    end({ result: await reconciler.run() });
  } catch (error) {
    end({ result: "failed" });
    throw error;
  }
}

interface Telling {
  readonly log: OperatorSetting["log"];
  readonly events: EventRecorder;
}

function tellFlips(write: StatusWrite, { log, events }: Telling): void {
  for (const flip of write.flips) {
    const line = { reason: flip.reason, object: nameOf(write) };
    if (flip.type === "Warning") log.warn(line, flip.message);
    else log.info(line, flip.message);
    void events.record(write, flip);
  }
}

function nameOf({ resource, metadata }: StatusWrite): string {
  return `${resource.kind} ${metadata.namespace}/${metadata.name}`;
}

interface Noting {
  readonly log: OperatorSetting["log"];
  readonly metrics: OperatorMetrics;
}

/** Every failure counts; the log hears of the first of a row, and of every tenth. */
function noteWatch(what: string, state: ListWatchState, { log, metrics }: Noting): void {
  if (state.state === "synced") {
    log.debug(`${what}: read`);
    return;
  }
  const { error, failures, retryInMs } = state;
  metrics.watchFailures.inc({ resource: what.split(" ")[0] ?? what });
  if (failures % 10 !== 1) return;
  const hint = isNotFound(error) ? "; is the definition installed (kubectl apply -f crds/)?" : "";
  log.warn({ err: error, failures, retryInMs }, `${what}: cannot be watched${hint}`);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
