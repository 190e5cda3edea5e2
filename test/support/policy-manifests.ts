/** The manifests that the policy table needs: its gateway, Services, Secrets and routes. */
import { parse } from "yaml";
import { GATEWAY_SPEC, hostOf, NAMESPACE, type Row } from "./policy-table/row.ts";

const GATEWAY = { name: "public", namespace: "holdfast" };

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: object;
}

export interface Places {
  /** Where the pods of all backends are, but for the lost one. */
  readonly address: string;
  /** Where nobody answers. */
  readonly lost: string;
  /** Port by the name of the Service. */
  readonly ports: Readonly<Record<string, number>>;
  /** Real addresses in place of those that the table names. */
  readonly urls: Readonly<Record<string, string>>;
}

export function gatewayManifest(spec: object): Manifest {
  return {
    apiVersion: "holdfast.dev/v1alpha1",
    kind: "WebSocketGateway",
    metadata: GATEWAY,
    spec: { ...parse(GATEWAY_SPEC), ...spec },
  } as Manifest;
}

export function secretManifest(
  name: string,
  values: Readonly<Record<string, string>>,
  namespace = NAMESPACE,
): Manifest {
  return { apiVersion: "v1", kind: "Secret", metadata: { name, namespace }, stringData: values } as Manifest;
}

const LOST = { name: "lost", port: 3000 };

export function backendManifests({ address, lost, ports }: Places): Manifest[] {
  const service = (name: string, namespace: string, more: object): Manifest =>
    ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace },
      spec: { ports: [{ port: 3000 }], ...more },
    }) as Manifest;
  const pods = [...Object.entries(ports).map(([name, port]) => ({ name, port, at: address })), { ...LOST, at: lost }];
  const slices = pods.map(({ name, port, at }) => ({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${name}-1`, namespace: NAMESPACE, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: [{ port }],
    endpoints: [{ addresses: [at], conditions: { ready: true } }],
  }));
  const names = [...pods.map(({ name }) => name), "empty"];
  const services = names.map((name) => service(name, NAMESPACE, { clusterIP: "None" }));
  const outside = service("outside", NAMESPACE, { type: "ExternalName", externalName: "example.org" });
  return [...services, ...slices, outside, service("chat", "elsewhere", { clusterIP: "None" })];
}

/** The routes of a row: its own, and the one beside it before it. */
export function routeManifests(row: Row, { urls }: Places): Manifest[] {
  const all = row.beside === undefined ? [row] : [row.beside, row];
  return all.map(({ name, spec }) => {
    const fields = parse(Object.entries(urls).reduce((text, [from, to]) => text.replaceAll(from, to), spec)) ?? {};
    const leads = "hub" in fields ? {} : { backendRefs: [{ name: "chat", port: 3000 }] };
    return {
      apiVersion: "holdfast.dev/v1alpha1",
      kind: "WebSocketRoute",
      metadata: { name, namespace: NAMESPACE },
      spec: { parentRefs: [GATEWAY], hostnames: [hostOf(row)], ...leads, ...fields },
    } as Manifest;
  });
}
