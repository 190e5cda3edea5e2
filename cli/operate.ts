/** Runs the operator: what `holdfast operator` does. Apart from its options, so that `--help` loads nothing else. */
import { createLog } from "../gateway/log.ts";
import { createKubeClient } from "../kube/client.ts";
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
