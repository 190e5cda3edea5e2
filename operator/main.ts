/**
 * The operator's composition root: everything that has an effect is made here and handed to what decides.
 *
 * One operator writes at a time: until there is leader election, run one replica.
 */
import type { Logger } from "pino";
import type { KubeClient } from "../kube/client.ts";
import { type Clock, systemClock } from "../kube/clock.ts";
import { isNotFound } from "../kube/error.ts";
import type { ListWatchState } from "../kube/listwatch.ts";
import { EventRecorder } from "./events.ts";
import { Fleet } from "./fleet/fleet.ts";
import { startHealthServer } from "./health.ts";
import { Loop } from "./loop.ts";
import { createMetrics, type OperatorMetrics } from "./metrics.ts";
import { Reconciler } from "./reconcile.ts";
import type { PodImage } from "./render/fleet/pod.ts";
import { type StatusWrite, StatusWriter } from "./status-writer.ts";
import type { TranslateOptions } from "./translate/plan.ts";
import { type ClusterWatch, watchCluster } from "./watch.ts";

export interface OperatorOptions {
  /** Whether Services of type ExternalName may be backends. */
  readonly externalNames: TranslateOptions["externalNames"];
  /** What gateway pods run. Without it the operator runs no pods and only writes what gateway processes serve. */
  readonly gatewayImage?: PodImage | undefined;
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
    await Promise.all([parts.watch.ended, parts.fleet?.watch.ended]);
    await health.close();
    log.info("operator stopped");
  });
  return { adminPort: health.port, stopped };
}

interface Parts {
  readonly watch: ClusterWatch;
  readonly fleet: Fleet | undefined;
  readonly loop: Loop;
  readonly statuses: StatusWriter;
  readonly metrics: OperatorMetrics;
}

function compose(setting: OperatorSetting): Parts {
  const { client, options, log, signal, clock = systemClock, random = Math.random } = setting;
  const common = { client, clock, random, signal };
  const decideBy = (time: number) => reconciler.decideBy(time);
  const countWrite = (kind: string) => metrics.writes.inc({ kind });
  const onState = (what: string, state: ListWatchState) => noteWatch(what, state, { log, metrics });
  const changed = (wake: "now" | "later") => {
    if (wake === "later") return decideBy(clock.now() + REFRESH_MS);
    reconciler.changed();
    loop.changed();
  };
  const watch = watchCluster({ ...common, onChange: changed, onState });
  const metrics = createMetrics({
    cluster: watch.cluster,
    unsynced: () => watch.unsynced(),
    queueDepth: () => statuses.depth,
  });
  const events = new EventRecorder({
    ...common,
    onWrite: () => countWrite("event"),
    onError: (error) => log.debug({ err: error }, "an Event is lost"),
  });
  const statuses = new StatusWriter({
    ...common,
    onWrite: () => countWrite("status"),
    onWritten: (object, write) => {
      watch.took(object);
      tellFlips(write, { log, events });
    },
    onError: (write, error, retryInMs) => {
      metrics.writeErrors.inc({ kind: "status" });
      log.warn({ err: error, retryInMs }, `the status of ${nameOf(write)} could not be written`);
    },
    decideBy,
  });
  const writing = {
    onWrite: countWrite,
    onError: (what: string, error: unknown, retryInMs: number) => {
      metrics.writeErrors.inc({ kind: "object" });
      log.warn({ err: error, retryInMs }, `${what}: the write failed`);
    },
  };
  const { gatewayImage: image } = options;
  const fleet = image && new Fleet({ ...common, ...writing, image, onChange: () => changed("now"), onState, decideBy });
  const reconciler = new Reconciler({
    ...common,
    ...writing,
    watch,
    fleet,
    translate: { externalNames: options.externalNames, fleet: image === undefined ? "Refuse" : "Run" },
    offerStatuses: (writes) => statuses.offer(writes),
    wakeBy: (time) => loop.wakeBy(time),
  });
  const loop = new Loop({
    ...common,
    run: () => timed(reconciler, metrics),
    onError: (error, retryInMs) => log.error({ err: error, retryInMs }, "a pass failed"),
  });
  return { watch, fleet, loop, statuses, metrics };
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
