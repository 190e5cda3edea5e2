/** All that runs one gateway, from its WebSocketGateway. Pure: same input, same objects. */
import type { WebSocketGatewaySpec } from "../../../crds/websocketgateway.ts";
import type { ObjectMeta } from "../../objects.ts";
import { renderRole, renderRoleBinding, renderServiceAccount } from "./access.ts";
import { renderAutoscaler } from "./autoscaler.ts";
import { renderDeployment } from "./deployment.ts";
import { renderDisruptionBudget } from "./disruption-budget.ts";
import { type FleetObject, fleetIdentity } from "./identity.ts";
import { renderNetworkPolicy } from "./network-policy.ts";
import type { PodImage } from "./pod.ts";
import { renderApiService, renderService } from "./service.ts";

export interface FleetInput {
  /** Of the WebSocketGateway, as the API gave it. */
  readonly metadata: ObjectMeta;
  readonly spec: WebSocketGatewaySpec;
  readonly image: PodImage;
}

/** In the order to write them: what pods need before the pods. An object that is not wanted is not among them. */
export function renderFleet({ metadata, spec, image }: FleetInput): readonly FleetObject[] {
  const identity = fleetIdentity(metadata);
  const objects = [
    renderServiceAccount(identity),
    renderRole(identity),
    renderRoleBinding(identity),
    renderNetworkPolicy(identity, spec),
    renderService(identity, spec),
    renderApiService(identity, spec),
    renderDeployment(identity, spec, image),
    renderDisruptionBudget(identity, spec),
    renderAutoscaler(identity, spec),
  ];
  return objects.filter((object) => object !== undefined);
}
