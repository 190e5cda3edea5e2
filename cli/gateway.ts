import { hostname } from "node:os";
import { Command, Option } from "commander";
import { acknowledge } from "../gateway/acknowledge.ts";
import { createMemoryBus } from "../gateway/bus-memory.ts";
import { SwitchableBus } from "../gateway/bus-switch.ts";
import { LastGood } from "../gateway/last-good.ts";
import { createLog, type Log } from "../gateway/log.ts";
import { SnapshotHolder } from "../gateway/source.ts";
import { followKubernetes } from "../gateway/source-kubernetes.ts";
import { createKubeClient } from "../kube/client.ts";
import { systemClock } from "../kube/clock.ts";
import { redisBus, startGatewayProcess } from "./gateway-process.ts";
import {
  adminPortOption,
  apiPortOption,
  contextOption,
  type GatewayName,
  kubeconfigOption,
  logLevelOption,
  parseAddress,
  parseGatewayName,
  parsePort,
  parseSeconds,
  redisOption,
} from "./options.ts";

interface GatewayOptions {
  readonly gateway: GatewayName;
  readonly podName: string;
  readonly host: string;
  readonly port?: number;
  readonly apiPort: number;
  readonly adminPort: number;
  readonly redis?: string;
  readonly stateDir?: string;
  readonly leaveDelay: number;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly logLevel: string;
}

export function gatewayCommand(): Command {
  return new Command("gateway")
    .summary("serve one WebSocketGateway of a cluster (what a gateway pod runs)")
    .description(
      "Serves what the operator writes for one WebSocketGateway, and acknowledges it in a Lease. Reads ConfigMaps and one Secret " +
        "in the gateway's namespace, and goes on serving while the API server is away.",
    )
    .addOption(
      new Option("--gateway <namespace/name>", "the WebSocketGateway to serve")
        .argParser(parseGatewayName)
        .env("HOLDFAST_GATEWAY")
        .makeOptionMandatory(),
    )
    .addOption(
      new Option("--pod-name <name>", "this process's name among the gateway's pods")
        .default(hostname(), "the host's name")
        .env("HOLDFAST_POD_NAME"),
    )
    .addOption(
      new Option("--host <address>", "address that all ports are bound to")
        .argParser(parseAddress)
        .default("::", ":: (all)")
        .env("HOLDFAST_HOST"),
    )
    .addOption(
      new Option("--port <port>", "port of the first listener, in place of the WebSocketGateway's; 0 for any free one")
        .argParser(parsePort)
        .env("HOLDFAST_PORT"),
    )
    .addOption(apiPortOption())
    .addOption(adminPortOption(9090))
    .addOption(redisOption())
    .addOption(
      new Option(
        "--state-dir <folder>",
        "where the last good snapshot is kept, the Secret's content with it: an emptyDir in memory; omitted: nowhere",
      ).env("HOLDFAST_STATE_DIR"),
    )
    .addOption(
      new Option("--leave-delay <duration>", "how long to serve new clients after SIGTERM, while endpoints propagate")
        .argParser(parseSeconds)
        .default(5_000, "5s")
        .env("HOLDFAST_LEAVE_DELAY"),
    )
    .addOption(kubeconfigOption())
    .addOption(contextOption())
    .addOption(logLevelOption())
    .action((options: GatewayOptions) => serve(options));
}

async function serve(options: GatewayOptions): Promise<void> {
  const { gateway: name, host, port, apiPort, adminPort } = options;
  const log = createLog({ level: options.logLevel });
  const client = createKubeClient({ kubeconfig: options.kubeconfig, context: options.context });
  const holder = new SnapshotHolder();
  const [leaving, ended] = [new AbortController(), new AbortController()];
  const background: Promise<void>[] = [];
  const gateway = await startGatewayProcess({
    holder,
    bus: options.redis === undefined ? configuredBus(holder, log) : redisBus(options.redis, log),
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
  // The Lease goes when the process begins to leave, so that a rollout is not told as a loss.
  background.push(
    followKubernetes({ ...shared, holder, lastGood, random: Math.random, signal: ended.signal }),
    acknowledge({
      ...shared,
      pod: options.podName,
      source: holder,
      state: () => ({ ready: gateway.readiness.ready, connections: gateway.connections }),
      signal: leaving.signal,
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
  let current: string | undefined;
  holder.onChange(() => {
    const { snapshot, secrets } = holder.current ?? {};
    const redis = snapshot?.settings.redis;
    const url = redis?.secretKey === undefined ? redis?.url : secrets?.get(redis.secretKey);
    if (url === current) return;
    current = url;
    log.info({ event: "bus", kind: url === undefined ? "memory" : "redis" }, "using the bus of the configuration");
    void bus.use(url === undefined ? createMemoryBus() : redisBus(url, log));
  });
  return bus;
}
