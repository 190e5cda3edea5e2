/** Serves one WebSocketGateway of a cluster: what `holdfast gateway` does. Apart from its options, so that `--help` loads nothing else. */

import { createMemoryBus } from "../gateway/bus/bus-memory.ts";
import { SwitchableBus } from "../gateway/bus/bus-switch.ts";
import { acknowledge } from "../gateway/config/acknowledge.ts";
import { LastGood } from "../gateway/config/last-good.ts";
import { SnapshotHolder } from "../gateway/config/source.ts";
import { followKubernetes } from "../gateway/config/source-kubernetes.ts";
import { createLog, type Log } from "../gateway/observe/log.ts";
import { createKubeClient } from "../kube/client.ts";
import { systemClock } from "../kube/clock.ts";
import type { GatewayOptions } from "./gateway.ts";
import { redisBus, startGatewayProcess } from "./gateway-process.ts";
import { overloadThresholds } from "./options.ts";

export async function serve(options: GatewayOptions): Promise<void> {
  const { gateway: name, host, port, apiPort, adminPort } = options;
  const log = createLog({ level: options.logLevel });
  const client = createKubeClient({ kubeconfig: options.kubeconfig, context: options.context });
  const holder = new SnapshotHolder();
  const [leaving, ended] = [new AbortController(), new AbortController()];
  const background: Promise<void>[] = [];
  const gateway = await startGatewayProcess({
    holder,
    bus: options.redis === undefined ? configuredBus(holder, log) : redisBus(options.redis, log),
    overload: overloadThresholds(options),
    onRedis: (use) => (options.redis === undefined ? followRedis(holder, use) : use(options.redis)),
    listen: {
      host,
      portOf: (listener) =>
        port !== undefined && listener.name === holder.current?.snapshot.settings.listeners[0]?.name
          ? port
          : listener.port,
      apiPort,
      adminHost: host,
      adminPort,
    },
    leaveDelay: options.leaveDelay,
    log,
    leaving,
    cleanUp: async () => {
      ended.abort();
      await Promise.all(background);
      client.close();
    },
  });
  const shared = { client, gateway: name, clock: systemClock, log };
  const lastGood = options.stateDir === undefined ? undefined : new LastGood(options.stateDir);
  background.push(
    followKubernetes({ ...shared, holder, lastGood, random: Math.random, signal: ended.signal }),
    acknowledge({
      ...shared,
      pod: options.podName,
      podUid: options.podUid,
      source: holder,
      state: () => ({ ready: gateway.readiness.ready, connections: gateway.connections }),
      leaving: leaving.signal,
      signal: ended.signal,
    }),
  );
  log.info(
    { event: "started", gateway: `${name.namespace}/${name.name}`, pod: options.podName, ...gateway.ports },
    "holdfast gateway started",
  );
}

/** The bus that the snapshot names: none at first, exchanged when the configuration changes. */
function configuredBus(holder: SnapshotHolder, log: Log): SwitchableBus {
  const bus = new SwitchableBus(createMemoryBus());
  followRedis(holder, (url) => {
    log.info({ event: "bus", kind: url === undefined ? "memory" : "redis" }, "using the bus of the configuration");
    void bus.use(url === undefined ? createMemoryBus() : redisBus(url, log));
  });
  return bus;
}

/** Tells the URL of the Redis that the snapshot names, whenever it is another one. */
function followRedis(holder: SnapshotHolder, use: (url: string | undefined) => void): void {
  let current: string | undefined;
  const look = (): void => {
    const { snapshot, secrets } = holder.current ?? {};
    const redis = snapshot?.settings.redis;
    const url = redis?.secretKey === undefined ? redis?.url : secrets?.get(redis.secretKey);
    if (url === current) return;
    current = url;
    use(url);
  };
  holder.onChange(look);
  look();
}
