import { hostname } from "node:os";
import { Command, Option } from "commander";
import {
  adminPortOption,
  apiPortOption,
  contextOption,
  type GatewayName,
  kubeconfigOption,
  logLevelOption,
  maxHeapOption,
  maxLoopDelayOption,
  type OverloadFlags,
  parseAddress,
  parseObjectName,
  parsePort,
  parseSeconds,
  redisOption,
} from "./options.ts";

export interface GatewayOptions extends OverloadFlags {
  readonly gateway: GatewayName;
  readonly podName: string;
  readonly podUid?: string;
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
        .argParser(parseObjectName)
        .env("HOLDFAST_GATEWAY")
        .makeOptionMandatory(),
    )
    .addOption(
      new Option("--pod-name <name>", "this process's name among the gateway's pods")
        .default(hostname(), "the host's name")
        .env("HOLDFAST_POD_NAME"),
    )
    .addOption(
      new Option("--pod-uid <uid>", "uid of the pod of that name, which the Lease then goes with").env(
        "HOLDFAST_POD_UID",
      ),
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
    .addOption(maxLoopDelayOption())
    .addOption(maxHeapOption())
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
    .action(async (options: GatewayOptions) => (await import("./serve-cluster.ts")).serve(options));
}
