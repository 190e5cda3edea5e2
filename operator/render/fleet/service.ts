import type { V1Service } from "@kubernetes/client-node";
import { DEFAULTS } from "../../../crds/defaults.ts";
import type { WebSocketGatewaySpec } from "../../../crds/websocketgateway.ts";
import type { FleetIdentity, FleetObject } from "./identity.ts";
import { podPorts } from "./ports.ts";

/** Kubernetes' own words for what a port speaks (KEP-3726); load balancers that know them leave the upgrade alone. */
const APP_PROTOCOL = { WS: "kubernetes.io/ws", WSS: "kubernetes.io/wss" } as const;

/** Where clients come in: the listeners' ports. */
export function renderService(identity: FleetIdentity, spec: WebSocketGatewaySpec): FleetObject & V1Service {
  const { type = DEFAULTS.service.type, annotations, ...external } = spec.service ?? {};
  const metadata = identity.metadata();
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: annotations === undefined ? metadata : { ...metadata, annotations: { ...annotations } },
    spec: {
      type,
      selector: { ...identity.selector },
      ports: spec.listeners.map(({ name, port, protocol }) => ({
        name,
        port,
        targetPort: port,
        protocol: "TCP",
        appProtocol: APP_PROTOCOL[protocol],
      })),
      ...loadBalancing(external),
    },
  };
}

type External = Omit<NonNullable<WebSocketGatewaySpec["service"]>, "type" | "annotations">;

/** Only what is set, because the API server refuses these fields where the type has no use for them. */
function loadBalancing({ externalTrafficPolicy, loadBalancerClass, loadBalancerSourceRanges }: External) {
  return {
    ...(externalTrafficPolicy === undefined ? {} : { externalTrafficPolicy }),
    ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
    ...(loadBalancerSourceRanges === undefined ? {} : { loadBalancerSourceRanges: [...loadBalancerSourceRanges] }),
  };
}

/** Where servers in the cluster send messages from. Never together with the clients' ports, which are for the world. */
export function renderApiService(identity: FleetIdentity, spec: WebSocketGatewaySpec): FleetObject & V1Service {
  const { api } = podPorts(spec);
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: identity.metadata(identity.apiName),
    spec: {
      type: "ClusterIP",
      selector: { ...identity.selector },
      ports: [{ name: "api", port: 8081, targetPort: api, protocol: "TCP", appProtocol: "http" }],
    },
  };
}
