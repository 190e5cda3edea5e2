import { Argument, Command, InvalidArgumentError } from "commander";
import { contextOption, type GatewayName, kubeconfigOption, parseObjectName } from "./options.ts";

export interface DescribeOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
}

const KINDS: ReadonlySet<string> = new Set(["wsr", "websocketroute", "websocketroutes"]);

function parseKind(text: string): string {
  if (!KINDS.has(text.toLowerCase())) throw new InvalidArgumentError("Give wsr (WebSocketRoute).");
  return text;
}

export function describeCommand(): Command {
  return new Command("describe")
    .summary("show a route of a cluster: its status and the policy in effect")
    .description(
      "Prints the status of a WebSocketRoute as the operator has written it and, for each gateway that takes it, the policy in effect: " +
        "after the gateway's defaults and the built-in ones, with where each value comes from. Reads the route and its gateways, " +
        "nothing else.",
    )
    .addArgument(new Argument("<kind>", "wsr").argParser(parseKind))
    .addArgument(new Argument("<namespace/name>", "the route").argParser(parseObjectName))
    .addOption(kubeconfigOption())
    .addOption(contextOption())
    .action(async (_kind: string, name: GatewayName, options: DescribeOptions) =>
      (await import("./describe-route.ts")).describeRoute(name, options),
    );
}
