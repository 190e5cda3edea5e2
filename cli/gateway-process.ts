/** What `run` and `gateway` share: a gateway process around a source of snapshots, from start to orderly end. */

import type { Bus } from "../gateway/bus/bus.ts";
import { createRedisBus } from "../gateway/bus/bus-redis.ts";
import type { SnapshotHolder } from "../gateway/config/source.ts";
import { createHub } from "../gateway/hub/hub.ts";
import { type Gateway, type Listen, startGateway } from "../gateway/main.ts";
import type { Log } from "../gateway/observe/log.ts";
import { addProcessMetrics, Metrics } from "../gateway/observe/metrics.ts";
import { apiHandler } from "../gateway/ports/api.ts";
import type { OverloadThresholds } from "../gateway/ports/overload.ts";
import { handleSignals } from "../gateway/process.ts";
import { SNAPSHOT_OBJECTS } from "../gateway/snapshot.ts";

export interface GatewayProcessOptions {
  readonly holder: SnapshotHolder;
  readonly bus: Bus;
  /** From when on new handshakes are refused. */
  readonly overload: OverloadThresholds;
  /** Tells which Redis the pods share limits through: now, and whenever it is another one. */
  readonly onRedis: (use: (url: string | undefined) => void) => void;
  readonly listen: Listen;
  /** Milliseconds of not being ready before clients are sent away. */
  readonly leaveDelay: number;
  readonly log: Log;
  /** Aborted when the process begins to leave. */
  readonly leaving: AbortController;
  /** What has to end after the last connection. */
  readonly cleanUp: () => Promise<void>;
}

/** Starts the process's gateway and takes over its signals. Rejects when a port cannot be opened. */
export async function startGatewayProcess(options: GatewayProcessOptions): Promise<Gateway> {
  const { holder, bus, overload, onRedis, listen, leaveDelay, log, leaving, cleanUp } = options;
  const metrics = new Metrics();
  addProcessMetrics(metrics);
  const hub = createHub({ bus, metrics });
  const token = () => holder.current?.secrets.get(SNAPSHOT_OBJECTS.apiTokenKey);
  const gateway = await startGateway({
    source: holder,
    bus,
    hub,
    api: apiHandler({ hub, token, onFailure: (error) => log.error({ event: "api", err: error }, "the API failed") }),
    listen,
    log,
    metrics,
    leaveDelay,
    overload,
  });
  onRedis((url) => gateway.limits.useRedis(url));
  handleSignals({
    gateway: {
      drain: (request) => {
        leaving.abort();
        return gateway.drain(request);
      },
      close: () => gateway.close(),
    },
    log,
    cleanUp: async () => {
      await cleanUp();
      await bus.close();
    },
  });
  return gateway;
}

/** A Redis bus that logs its outages. */
export function redisBus(url: string, log: Log): Bus {
  return createRedisBus({ url, onProblem: (problem) => log.warn({ event: "bus", problem }, "the bus is interrupted") });
}
