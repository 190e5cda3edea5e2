import { Command, Option } from "commander";
import { adminPortOption, contextOption, kubeconfigOption, logLevelOption, parseAddress } from "./options.ts";

export interface OperatorCommandOptions {
  readonly allowExternalName: boolean;
  readonly gatewayImage?: string;
  readonly gatewayImagePullSecret: readonly string[];
  readonly host: string;
  readonly adminPort: number;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly logLevel: string;
}

export function operatorCommand(): Command {
  return new Command("operator")
    .summary("turn WebSocketRoutes of a cluster into snapshots, and tell their status")
    .description(
      "Watches WebSocketGateways, WebSocketRoutes and what they refer to; writes each gateway's snapshot as ConfigMaps and one " +
        "Secret; runs its pods, when it is told their image; sets status conditions from what the gateways acknowledge.",
    )
    .addOption(
      new Option(
        "--gateway-image <image>",
        "image of the gateway pods; omitted: the operator runs no pods, and `holdfast gateway` is run by somebody else",
      ).env("HOLDFAST_GATEWAY_IMAGE"),
    )
    .addOption(
      new Option(
        "--gateway-image-pull-secret <names...>",
        "Secrets in each gateway's namespace that the image is pulled with",
      )
        .default([], "none")
        .env("HOLDFAST_GATEWAY_IMAGE_PULL_SECRET"),
    )
    .addOption(
      new Option(
        "--allow-external-name",
        "let Services of type ExternalName be backends; they can point anywhere, so only where every route's author is trusted",
      )
        .default(false)
        .env("HOLDFAST_ALLOW_EXTERNAL_NAME"),
    )
    .addOption(
      new Option("--host <address>", "address that the admin port is bound to")
        .argParser(parseAddress)
        .default("::", ":: (all)")
        .env("HOLDFAST_HOST"),
    )
    .addOption(adminPortOption(9090))
    .addOption(kubeconfigOption())
    .addOption(contextOption())
    .addOption(logLevelOption())
    .action(async (options: OperatorCommandOptions) => (await import("./operate.ts")).operate(options));
}
