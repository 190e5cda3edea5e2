/** Runs the operator: what `holdfast operator` does. Apart from its options, so that `--help` loads nothing else. */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { createLog, type Log } from "../gateway/observe/log.ts";
import { createKubeClient, type KubeClient } from "../kube/client.ts";
import type { KubeObject, OwnerReference } from "../kube/objects.ts";
import { RESOURCES } from "../kube/resources.ts";
import type { LeaderElection } from "../operator/election.ts";
import { runOperator } from "../operator/main.ts";
import type { OperatorCommandOptions } from "./operator.ts";

/** Milliseconds that the start waits for a thing that is only about tidiness. */
const OWNER_WITHIN_MS = 5_000;

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
  const election = leaderElection(options, client.namespace);
  const owner = await leaseOwner({ client, log, namespace: election?.namespace, deployment: options.leaderOwner });
  await runOperator({
    client,
    options: {
      externalNames: options.allowExternalName ? "Allow" : "Refuse",
      ...gatewayImage(options),
      defaultGateway: options.defaultGateway,
      leaderElection: election && { ...election, owner },
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

interface OwnerQuestion {
  readonly client: Pick<KubeClient, "get">;
  readonly log: Log;
  readonly namespace: string | undefined;
  readonly deployment: string | undefined;
}

/** The Deployment that the Lease goes with; undefined where there is none or it cannot be read: the Lease then just stays. */
async function leaseOwner(question: OwnerQuestion): Promise<OwnerReference | undefined> {
  const { client, log, namespace, deployment: name } = question;
  if (namespace === undefined || name === undefined) return undefined;
  const resource = RESOURCES.deployments;
  const { apiVersion, kind } = resource;
  const signal = AbortSignal.timeout(OWNER_WITHIN_MS);
  try {
    const { metadata } = await client.get<KubeObject>({ resource, namespace, name }, { signal });
    return { apiVersion, kind, name, uid: metadata.uid ?? "" };
  } catch (error) {
    log.warn(
      { err: error },
      `Deployment ${namespace}/${name} cannot be read: the leader's Lease stays when it is deleted`,
    );
    return undefined;
  }
}
