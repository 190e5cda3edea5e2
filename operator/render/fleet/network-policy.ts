import type { WebSocketGatewaySpec } from "../../../crds/websocketgateway.ts";
import type { FleetIdentity, FleetObject } from "./identity.ts";
import { podPorts } from "./ports.ts";

/** Namespaces with this label, set to "true", reach the API and admin ports too: those of backends and of the monitoring. */
export const ACCESS_LABEL = "holdfast.dev/access";

/** Clients from anywhere to the listeners; to the API and to the figures only from the gateway's namespace and labelled ones. */
export function renderNetworkPolicy(
  identity: FleetIdentity,
  spec: WebSocketGatewaySpec,
): FleetObject & { readonly spec: object } {
  const { api, admin } = podPorts(spec);
  const tcp = (port: number) => ({ protocol: "TCP", port });
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: identity.metadata(),
    spec: {
      podSelector: { matchLabels: { ...identity.selector } },
      policyTypes: ["Ingress"],
      ingress: [
        { ports: spec.listeners.map(({ port }) => tcp(port)) },
        {
          ports: [tcp(api), tcp(admin)],
          from: [{ podSelector: {} }, { namespaceSelector: { matchLabels: { [ACCESS_LABEL]: "true" } } }],
        },
      ],
    },
  };
}
