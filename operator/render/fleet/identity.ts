/** Who the objects of a fleet are and whose: names, labels, owner. */
import { API_VERSION, KINDS } from "../../../crds/kinds.ts";
import { SNAPSHOT_OBJECTS } from "../../../gateway/snapshot.ts";
import type { KubernetesObject, ObjectMeta } from "../../objects.ts";

/** An object that the operator writes for a gateway. Everything beside these fields is the kind's own. */
export interface FleetObject extends KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta & { readonly namespace: string };
}

type Labels = Readonly<Record<string, string>>;

export interface FleetIdentity {
  readonly namespace: string;
  /** Name of the WebSocketGateway. */
  readonly gateway: string;
  /** Name of every object, where there is one of its kind. */
  readonly name: string;
  /** Of the Service in front of the API port. */
  readonly apiName: string;
  /** What finds the pods. A Deployment's selector can never change, and so neither can these. */
  readonly selector: Labels;
  readonly podLabels: Labels;
  /** Metadata of an object of the fleet; `name` where it is not the usual one. */
  metadata(name?: string): {
    namespace: string;
    name: string;
    labels: Record<string, string>;
    ownerReferences: Owner[];
  };
}

type Owner = { apiVersion: string; kind: string; name: string; uid: string; controller: true };

/** What the operator finds its objects by. */
export const FLEET_ROLE = "fleet";
export const MANAGED_BY = { label: "app.kubernetes.io/managed-by", value: "holdfast" } as const;

/** `owner` is the metadata of a WebSocketGateway as the API gave it: its objects go when it goes. */
export function fleetIdentity(owner: ObjectMeta): FleetIdentity {
  const { gatewayLabel, roleLabel, roles } = SNAPSHOT_OBJECTS;
  const gateway = owner.name;
  const namespace = owner.namespace ?? "default";
  const name = SNAPSHOT_OBJECTS.indexName(gateway);
  const selector = {
    "app.kubernetes.io/name": "holdfast",
    "app.kubernetes.io/component": "gateway",
    [gatewayLabel]: gateway,
  };
  const common = { ...selector, "app.kubernetes.io/instance": gateway, [MANAGED_BY.label]: MANAGED_BY.value };
  const { kind } = KINDS.WebSocketGateway;
  const reference: Owner = { apiVersion: API_VERSION, kind, name: gateway, uid: owner.uid ?? "", controller: true };
  return {
    namespace,
    gateway,
    name,
    apiName: `${name}-api`,
    selector,
    podLabels: { ...common, [roleLabel]: roles.pod },
    metadata: (ownName = name) => ({
      namespace,
      name: ownName,
      labels: { ...common, [roleLabel]: FLEET_ROLE },
      ownerReferences: [reference],
    }),
  };
}
