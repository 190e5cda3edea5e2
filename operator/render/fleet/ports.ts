/** The pod's own ports beside those of the listeners. */
import type { WebSocketGatewaySpec } from "../../../crds/websocketgateway.ts";

export interface PodPorts {
  readonly api: number;
  readonly admin: number;
}

const USUAL: PodPorts = { api: 8081, admin: 9090 };

/** The usual ports, or the next ones that no listener has: a listener may be at any port. */
export function podPorts({ listeners }: Pick<WebSocketGatewaySpec, "listeners">): PodPorts {
  const taken = new Set(listeners.map(({ port }) => port));
  const free = (wanted: number): number => {
    let port = wanted;
    while (taken.has(port)) port = port === 65_535 ? 1024 : port + 1;
    taken.add(port);
    return port;
  };
  return { api: free(USUAL.api), admin: free(USUAL.admin) };
}
