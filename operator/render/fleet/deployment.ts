import type { V1Deployment } from "@kubernetes/client-node";
import { DEFAULTS } from "../../../crds/defaults.ts";
import type { WebSocketGatewaySpec } from "../../../crds/websocketgateway.ts";
import type { FleetIdentity, FleetObject } from "./identity.ts";
import { type PodImage, podTemplate } from "./pod.ts";

/** A pod that ends sooner after it was ready does not count, so that a rollout of a broken image stops at the first. */
const MIN_READY_SECONDS = 10;

/**
 * The gateway's pods. Surge before loss: a pod leaves only when its successor is ready. With autoscaling the number of pods
 * is the autoscaler's, and is left out here, so that the two do not fight.
 */
export function renderDeployment(
  identity: FleetIdentity,
  spec: WebSocketGatewaySpec,
  image: PodImage,
): FleetObject & V1Deployment {
  const replicas = spec.autoscaling === undefined ? { replicas: spec.replicas ?? DEFAULTS.replicas } : {};
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: identity.metadata(),
    spec: {
      ...replicas,
      selector: { matchLabels: { ...identity.selector } },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: "25%" } },
      minReadySeconds: MIN_READY_SECONDS,
      revisionHistoryLimit: 5,
      template: podTemplate(identity, spec, image),
    },
  };
}
