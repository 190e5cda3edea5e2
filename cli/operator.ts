import { Command, Option } from "commander";
import {
  adminPortOption,
  contextOption,
  kubeconfigOption,
  logLevelOption,
  parseAddress,
  parseObjectName,
  parseSeconds,
} from "./options.ts";

export interface OperatorCommandOptions {
  readonly allowExternalName: boolean;
  readonly gatewayImage?: string;
  readonly gatewayImagePullSecret: readonly string[];
  readonly defaultGateway?: { readonly namespace: string; readonly name: string };
  readonly leaderElect: boolean;
  readonly leaderNamespace?: string;
  readonly identity?: string;
  readonly leaderOwner?: string;
  /** Milliseconds, like the two after it. */
  readonly leaderLease: number;
  readonly leaderRenewDeadline: number;
  readonly leaderRetry: number;
  readonly host: string;
  readonly adminPort: number;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly logLevel: string;
}

export function operatorCommand(): Command {
  const command = new Command("operator")
    .summary("turn WebSocketRoutes of a cluster into snapshots, and tell their status")
    .description(
      "Watches WebSocketGateways, WebSocketRoutes and what they refer to; writes each gateway's snapshot as ConfigMaps and one " +
        "Secret; runs its pods, when it is told their image; sets status conditions from what the gateways acknowledge. " +
        "Several may run: one of them writes, the others stand by.",
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
        "--default-gateway <namespace/name>",
        "ConfigMap whose gateway.yaml is a WebSocketGateway, which the operator makes, keeps like that, and lets go with the ConfigMap",
      )
        .argParser(parseObjectName)
        .env("HOLDFAST_DEFAULT_GATEWAY"),
    )
    .addOption(
      new Option(
        "--allow-external-name",
        "let Services of type ExternalName be backends; they can point anywhere, so only where every route's author is trusted",
      )
        .default(false)
        .env("HOLDFAST_ALLOW_EXTERNAL_NAME"),
    )
    .addOption(new Option("--leader-elect", "write only while holding the Lease holdfast-operator").default(true))
    .addOption(
      new Option("--no-leader-elect", "write without asking, which only one operator of a cluster may").env(
        "HOLDFAST_NO_LEADER_ELECT",
      ),
    );
  for (const option of leaderOptions()) command.addOption(option);
  return command
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

/** How operators agree on which of them writes; the defaults are those of Kubernetes' own controllers. */
function leaderOptions(): Option[] {
  return [
    new Option(
      "--leader-namespace <namespace>",
      "namespace of that Lease; omitted: the pod's, or that of the kubeconfig's context",
    ).env("HOLDFAST_POD_NAMESPACE"),
    new Option(
      "--identity <name>",
      "this operator among the others; one that starts with the name of the last leader leads at once; omitted: host name and a random word",
    ).env("HOLDFAST_POD_NAME"),
    new Option(
      "--leader-owner <deployment>",
      "Deployment of these operators, in that namespace, which the Lease goes with when they are uninstalled; omitted: it stays",
    ).env("HOLDFAST_LEADER_OWNER"),
    new Option("--leader-lease <duration>", "another operator takes over when the Lease was not renewed for this long")
      .argParser(parseSeconds)
      .default(15_000, "15s")
      .env("HOLDFAST_LEADER_LEASE"),
    new Option("--leader-renew-deadline <duration>", "the leader stops writing when it could not renew for this long")
      .argParser(parseSeconds)
      .default(10_000, "10s")
      .env("HOLDFAST_LEADER_RENEW_DEADLINE"),
    new Option("--leader-retry <duration>", "time between two tries to get or renew the Lease")
      .argParser(parseSeconds)
      .default(2_000, "2s")
      .env("HOLDFAST_LEADER_RETRY"),
  ];
}
