import { Command, Option } from "commander";
import {
  adminPortOption,
  apiPortOption,
  type GatewayName,
  logLevelOption,
  maxHeapOption,
  maxLoopDelayOption,
  type OverloadFlags,
  parseAddress,
  parseObjectName,
  parsePort,
  redisOption,
} from "./options.ts";

export interface RunOptions extends OverloadFlags {
  readonly filename: readonly string[];
  readonly gateway?: GatewayName;
  readonly host: string;
  readonly port?: number;
  readonly apiPort: number;
  readonly apiToken?: string;
  readonly adminPort: number;
  readonly redis?: string;
  readonly logLevel: string;
}

const collect = (path: string, paths: readonly string[] | undefined) => [...(paths ?? []), path];

export function runCommand(): Command {
  return new Command("run")
    .summary("serve manifests from files: one process, no cluster")
    .description(
      "Serves WebSocketRoutes from YAML files with the translator and the gateway that a cluster uses. Files are followed: " +
        "a change is served within a second, without closing a connection; a broken file stays as it was, with its problems in the log.",
    )
    .addOption(
      new Option("-f, --filename <path>", "manifest file or folder; may be repeated")
        .argParser(collect)
        .env("HOLDFAST_FILENAME")
        .makeOptionMandatory(),
    )
    .addOption(
      new Option("--gateway <namespace/name>", "which WebSocketGateway of the files to serve")
        .argParser(parseObjectName)
        .env("HOLDFAST_GATEWAY"),
    )
    .addOption(
      new Option("--host <address>", "address that all ports are bound to")
        .argParser(parseAddress)
        .default("127.0.0.1")
        .env("HOLDFAST_HOST"),
    )
    .addOption(
      new Option("--port <port>", "port of the first WS listener, in place of the manifest's; 0 for any free one")
        .argParser(parsePort)
        .env("HOLDFAST_PORT"),
    )
    .addOption(apiPortOption())
    .addOption(
      new Option(
        "--api-token <token>",
        "bearer token of the API port; omitted: a random one, printed at the start",
      ).env("HOLDFAST_API_TOKEN"),
    )
    .addOption(adminPortOption(9090))
    .addOption(redisOption())
    .addOption(maxLoopDelayOption())
    .addOption(maxHeapOption())
    .addOption(logLevelOption())
    .action(async (options: RunOptions) => (await import("./serve-files.ts")).run(options));
}
