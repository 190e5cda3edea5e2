/** Objects for tests of the operator's pure half: one gateway `holdfast/public` that takes routes from everywhere. */
import {
  type ClusterStore,
  createClusterStore,
  type LeaseEntry,
  readGateway,
  readRoute,
} from "../../operator/cluster.ts";
import type { EndpointSlice, KubernetesObject, ObjectMeta, Service } from "../../operator/objects.ts";

export const GATEWAY = "holdfast/public";
const API_VERSION = "holdfast.dev/v1alpha1";

export function gatewayObject(spec: object = {}, metadata: Partial<ObjectMeta> = {}): KubernetesObject {
  const object = {
    apiVersion: API_VERSION,
    kind: "WebSocketGateway",
    metadata: { name: "public", namespace: "holdfast", uid: "uid-of-public", generation: 1, ...metadata },
    spec: {
      listeners: [{ name: "ws", port: 8080, protocol: "WS" }],
      allowedRoutes: { namespaces: { from: "All" } },
      ...spec,
    },
  };
  return object;
}

/** A route in `apps` at its own host, to the Service `chat`. */
export function routeObject(name: string, spec: object = {}, metadata: Partial<ObjectMeta> = {}): KubernetesObject {
  const object = {
    apiVersion: API_VERSION,
    kind: "WebSocketRoute",
    metadata: { name, namespace: "apps", uid: `uid-of-${name}`, generation: 1, ...metadata },
    spec: {
      parentRefs: [{ name: "public", namespace: "holdfast" }],
      hostnames: [`${name}.example.com`],
      backendRefs: [{ name: "chat", port: 3000 }],
      ...spec,
    },
  };
  return object;
}

export function service(name: string, namespace = "apps"): Service {
  return { metadata: { name, namespace }, spec: { ports: [{ port: 3000 }] } };
}

export function slice(serviceName: string, addresses: readonly string[], namespace = "apps"): EndpointSlice {
  return {
    metadata: { name: `${serviceName}-1`, namespace, labels: { "kubernetes.io/service-name": serviceName } },
    addressType: "IPv4",
    ports: [{ port: 8000 }],
    endpoints: addresses.map((address) => ({ addresses: [address] })),
  };
}

export interface PodSays {
  readonly sequence: number;
  readonly ready?: boolean;
  readonly connections?: number;
  readonly refused?: string;
  readonly draining?: boolean;
}

/** What the pod of this name says in its Lease, seen at `observedAt` (ms since the epoch). */
export function lease(pod: string, says: PodSays, observedAt: number): LeaseEntry {
  const { sequence, draining = false, ready = !draining, connections = 0, refused = "" } = says;
  return {
    lease: {
      metadata: {
        name: `holdfast-public-${pod}`,
        namespace: "holdfast",
        labels: { "holdfast.dev/gateway": "public", "holdfast.dev/role": "pod" },
        annotations: {
          "holdfast.dev/sequence": String(sequence),
          "holdfast.dev/revision": "any",
          "holdfast.dev/connections": String(connections),
          "holdfast.dev/ready": String(ready),
          "holdfast.dev/refused": refused,
          "holdfast.dev/draining": draining ? String(connections) : "",
        },
      },
      spec: { holderIdentity: pod, leaseDurationSeconds: 6 },
    },
    observedAt,
  };
}

/** One gateway, one Service with one endpoint, and these routes. */
export function makeCluster(...routes: readonly KubernetesObject[]): ClusterStore {
  const cluster = createClusterStore();
  putGateway(cluster, gatewayObject());
  cluster.services.set("apps/chat", service("chat"));
  cluster.endpointSlices.set("apps/chat-1", slice("chat", ["10.0.0.1"]));
  for (const route of routes) putRoute(cluster, route);
  return cluster;
}

export function putRoute(cluster: ClusterStore, object: KubernetesObject): void {
  const key = `${object.metadata.namespace}/${object.metadata.name}`;
  cluster.routes.set(key, readRoute(object, cluster.routes.get(key)));
}

export function putGateway(cluster: ClusterStore, object: KubernetesObject): void {
  const key = `${object.metadata.namespace}/${object.metadata.name}`;
  cluster.gateways.set(key, readGateway(object, cluster.gateways.get(key)));
}
