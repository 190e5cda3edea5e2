/** Runs the operator: what `holdfast operator` does. Apart from its options, so that `--help` loads nothing else. */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { createLog } from "../gateway/log.ts";
import { createKubeClient } from "../kube/client.ts";
import type { LeaderElection } from "../operator/election.ts";
import { runOperator } from "../operator/main.ts";
import type { OperatorCommandOptions } from "./operator.ts";

export async function operate(options: OperatorCommandOptions): Promise<void> {
  const log = createLog({ level: options.logLevel });
  const client = createKubeClient({ kubeconfig: options.kubeconfig, context: options.context });
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      log.info({ event: "exit", signal }, "stopping");
      stop.abort();
    });
  }
  await runOperator({
    client,
    options: {
      externalNames: options.allowExternalName ? "Allow" : "Refuse",
      ...gatewayImage(options),
      defaultGateway: options.defaultGateway,
      leaderElection: leaderElection(options, client.namespace),
      adminHost: options.host,
      adminPort: options.adminPort,
    },
    log,
    signal: stop.signal,
  });
  client.close();
}

/** An environment variable names several Secrets with blanks between. */
function gatewayImage({ gatewayImage: image, gatewayImagePullSecret }: OperatorCommandOptions) {
  const pullSecrets = [gatewayImagePullSecret]
    .flat()
    .flatMap((names) => names.split(/\s+/).filter((name) => name !== ""));
  return image === undefined || image === "" ? {} : { gatewayImage: { image, pullSecrets } };
}

function leaderElection(options: OperatorCommandOptions, ownNamespace: string | undefined): LeaderElection | undefined {
  const { leaderElect, leaderLease: leaseMs, leaderRenewDeadline: renewDeadlineMs, leaderRetry: retryMs } = options;
  if (!leaderElect) return undefined;
  return {
    namespace: options.leaderNamespace ?? ownNamespace ?? "default",
    identity: options.identity ?? `${hostname()}_${randomBytes(4).toString("hex")}`,
    timing: { leaseMs, renewDeadlineMs, retryMs },
  };
}
