import type { V1PodDisruptionBudget } from "@kubernetes/client-node";
import { DEFAULTS } from "../../../crds/defaults.ts";
import type { WebSocketGatewaySpec } from "../../../crds/websocketgateway.ts";
import type { FleetIdentity, FleetObject } from "./identity.ts";

/**
 * How many pods may be evicted at a time when nodes are drained: a tenth, rounded up. None for a fleet of at most one pod,
 * where a budget could only say "always" or "never".
 */
export function renderDisruptionBudget(
  identity: FleetIdentity,
  spec: WebSocketGatewaySpec,
): (FleetObject & V1PodDisruptionBudget) | undefined {
  const most = spec.autoscaling?.max ?? spec.replicas ?? DEFAULTS.replicas;
  if (most < 2) return undefined;
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: identity.metadata(),
    spec: {
      maxUnavailable: "10%",
      selector: { matchLabels: { ...identity.selector } },
      // A pod that is not ready has no connections to lose, and must not keep a node from being drained.
      unhealthyPodEvictionPolicy: "AlwaysAllow",
    },
  };
}
