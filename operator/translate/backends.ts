/** From a backendRef to the ready endpoints behind it. */
import type { BackendEndpoints, Endpoint } from "../../gateway/snapshot.ts";
import type { Cluster } from "../cluster.ts";
import type { EndpointSlice, Service, ServicePort } from "../objects.ts";
import type { Objection } from "./condition.ts";
import { notPermitted } from "./grants.ts";
import type { TranslateOptions } from "./plan.ts";

const SERVICE_NAME_LABEL = "kubernetes.io/service-name";

export interface BackendReference {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly port: number;
}

export type Resolved =
  | { readonly ok: true; readonly backend: BackendEndpoints }
  | { readonly ok: false; readonly objection: Objection };

/** Resolves the backends of one translation; each Service port is looked at once. */
export class BackendResolver {
  readonly #cluster: Cluster;
  readonly #options: TranslateOptions;
  readonly #slices: ReadonlyMap<string, readonly EndpointSlice[]>;
  readonly #known = new Map<string, Resolved>();

  constructor(cluster: Cluster, options: TranslateOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#slices = slicesByService(cluster);
  }

  /** @param routeNamespace - where the route stands, for the namespace that is not written and for the grant */
  resolve(ref: BackendReference, routeNamespace: string): Resolved {
    const namespace = ref.namespace ?? routeNamespace;
    const from = { kind: "WebSocketRoute", namespace: routeNamespace } as const;
    const objection = notPermitted(this.#cluster.referenceGrants, from, { kind: "Service", namespace, name: ref.name });
    if (objection !== undefined) return { ok: false, objection };
    const id = `${namespace}/${ref.name}:${ref.port}`;
    let resolved = this.#known.get(id);
    if (resolved === undefined) {
      resolved = this.#look(id, `${namespace}/${ref.name}`, ref.port);
      this.#known.set(id, resolved);
    }
    return resolved;
  }

  #look(id: string, key: string, port: number): Resolved {
    const service = this.#cluster.services.get(key);
    if (service === undefined) return notFound(`Service ${key} does not exist`);
    if (service.spec?.type === "ExternalName") return this.#external(id, service, port);
    const servicePort = service.spec?.ports?.find((candidate) => candidate.port === port && isTcp(candidate.protocol));
    if (servicePort === undefined)
      return notFound(`Service ${key} has no TCP port ${port}; it has ${portsOf(service)}`);
    return { ok: true, backend: endpointsOf({ id, service, servicePort, slices: this.#slices.get(key) ?? [] }) };
  }

  #external(id: string, service: Service, port: number): Resolved {
    const key = `${service.metadata.namespace}/${service.metadata.name}`;
    const address = service.spec?.externalName;
    if (this.#options.externalNames === "Refuse") {
      const message = `Service ${key} is of type ExternalName, which can point anywhere: give it endpoints, or run the operator with --allow-external-name`;
      return { ok: false, objection: { reason: "ExternalNameNotPermitted", message } };
    }
    if (!address) return notFound(`Service ${key} is of type ExternalName and has no spec.externalName`);
    return { ok: true, backend: remember(service, port, [], () => ({ id, endpoints: [{ address, port }] })) };
  }
}

function notFound(message: string): Resolved {
  return { ok: false, objection: { reason: "BackendNotFound", message } };
}

function portsOf(service: Service): string {
  return service.spec?.ports?.map(({ port }) => port).join(", ") || "none";
}

function isTcp(protocol: string | undefined): boolean {
  return protocol === undefined || protocol === "TCP";
}

function slicesByService(cluster: Cluster): ReadonlyMap<string, readonly EndpointSlice[]> {
  const byService = new Map<string, EndpointSlice[]>();
  for (const slice of cluster.endpointSlices.values()) {
    const service = slice.metadata.labels?.[SERVICE_NAME_LABEL];
    if (service === undefined) continue;
    const key = `${slice.metadata.namespace}/${service}`;
    const list = byService.get(key);
    if (list === undefined) byService.set(key, [slice]);
    else list.push(slice);
  }
  return byService;
}

interface Sources {
  readonly id: string;
  readonly service: Service;
  readonly servicePort: ServicePort;
  readonly slices: readonly EndpointSlice[];
}

function endpointsOf({ id, service, servicePort, slices }: Sources): BackendEndpoints {
  return remember(service, servicePort.port, slices, () => {
    const families = (["IPv4", "IPv6"] as const).map((family) =>
      readyEndpoints(slices, family, servicePort.name ?? ""),
    );
    const preferred = service.spec?.ipFamilies?.[0] === "IPv6" ? families.toReversed() : families;
    // A dual-stack pod stands in the slices of both families and is one endpoint.
    return { id, endpoints: preferred.find((endpoints) => endpoints.length > 0) ?? [] };
  });
}

function readyEndpoints(slices: readonly EndpointSlice[], family: string, portName: string): Endpoint[] {
  const found = new Map<string, Endpoint>();
  for (const slice of slices) {
    if (slice.addressType !== family) continue;
    const port = slice.ports?.find(
      (candidate) => (candidate.name ?? "") === portName && isTcp(candidate.protocol),
    )?.port;
    if (port === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const address = endpoint.addresses?.[0];
      if (address === undefined || endpoint.conditions?.ready === false) continue;
      found.set(`${address} ${port}`, { address, port });
    }
  }
  return [...found.values()].sort((a, b) => compare(a.address, b.address) || a.port - b.port);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

interface Remembered {
  readonly slices: readonly EndpointSlice[];
  readonly backend: BackendEndpoints;
}

/** Results by Service object and port, for as long as the slices are the same objects: unchanged backends keep their identity. */
const remembered = new WeakMap<Service, Map<number, Remembered>>();

function remember(
  service: Service,
  port: number,
  slices: readonly EndpointSlice[],
  make: () => BackendEndpoints,
): BackendEndpoints {
  const byPort = remembered.get(service) ?? new Map<number, Remembered>();
  remembered.set(service, byPort);
  const known = byPort.get(port);
  if (
    known !== undefined &&
    known.slices.length === slices.length &&
    known.slices.every((slice, i) => slice === slices[i])
  )
    return known.backend;
  const made = make();
  const unchanged = known !== undefined && JSON.stringify(known.backend) === JSON.stringify(made);
  const backend = unchanged ? known.backend : made;
  byPort.set(port, { slices, backend });
  return backend;
}
