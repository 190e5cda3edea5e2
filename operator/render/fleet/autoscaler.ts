import type { V2HorizontalPodAutoscaler } from "@kubernetes/client-node";
import { DEFAULTS } from "../../../crds/defaults.ts";
import type { WebSocketGatewaySpec } from "../../../crds/websocketgateway.ts";
import type { FleetIdentity, FleetObject } from "./identity.ts";

/** The gateway's own gauge, summed over its routes, as an adapter of custom metrics gives it for each pod. */
const METRIC = "holdfast_connections";

/** Follows connections up at once and down slowly, since a pod that goes sends its clients away. Only where we are to scale. */
export function renderAutoscaler(
  identity: FleetIdentity,
  { autoscaling }: WebSocketGatewaySpec,
): (FleetObject & V2HorizontalPodAutoscaler) | undefined {
  if (autoscaling === undefined) return undefined;
  const { min, max, connectionsPerPod, scaler = DEFAULTS.scaler } = autoscaling;
  if (scaler === "External") return undefined;
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: identity.metadata(),
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: identity.name },
      minReplicas: min,
      maxReplicas: max,
      metrics: [
        {
          type: "Pods",
          pods: { metric: { name: METRIC }, target: { type: "AverageValue", averageValue: String(connectionsPerPod) } },
        },
      ],
      behavior: {
        scaleDown: {
          stabilizationWindowSeconds: 600,
          selectPolicy: "Max",
          policies: [
            { type: "Pods", value: 1, periodSeconds: 60 },
            { type: "Percent", value: 10, periodSeconds: 60 },
          ],
        },
      },
    },
  };
}
