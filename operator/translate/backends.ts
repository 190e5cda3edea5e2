/** From a backendRef to the ready endpoints behind it. */
import type { BackendEndpoints, Endpoint } from "../../gateway/snapshot.ts";
import type { Cluster } from "../cluster.ts";
import type { EndpointSlice, Service, ServicePort } from "../objects.ts";
import { sameItems } from "../same-items.ts";
import type { Objection } from "./condition.ts";
import { notPermitted } from "./grants.ts";
import type { KnownBackend } from "./memory.ts";
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

interface ResolverInput {
  readonly cluster: Cluster;
  readonly options: TranslateOptions;
  /** `known` of the last translation. */
  readonly before: ReadonlyMap<string, KnownBackend>;
}

/** Resolves the backends of one translation; each Service port is looked at once. */
export class BackendResolver {
  /** Backends that exist, by id: for the next translation, so that unchanged ones keep their identity. */
  readonly known = new Map<string, KnownBackend>();
  readonly #input: ResolverInput;
  readonly #slices: ReadonlyMap<string, readonly EndpointSlice[]>;
  readonly #resolved = new Map<string, Resolved>();

  constructor(input: ResolverInput) {
    this.#input = input;
    this.#slices = slicesByService(input.cluster);
  }

  /** @param routeNamespace - where the route stands, for the namespace that is not written and for the grant */
  resolve(ref: BackendReference, routeNamespace: string): Resolved {
    const namespace = ref.namespace ?? routeNamespace;
    const id = `${namespace}/${ref.name}:${ref.port}`;
    if (namespace !== routeNamespace) {
      const from = { kind: "WebSocketRoute", namespace: routeNamespace } as const;
      const to = { kind: "Service", namespace, name: ref.name } as const;
      const objection = notPermitted(this.#input.cluster.referenceGrants, from, to);
      if (objection !== undefined) return { ok: false, objection };
    }
    let resolved = this.#resolved.get(id);
    if (resolved === undefined) {
      resolved = this.#look(id, `${namespace}/${ref.name}`, ref.port);
      this.#resolved.set(id, resolved);
    }
    return resolved;
  }

  #look(id: string, key: string, port: number): Resolved {
    const service = this.#input.cluster.services.get(key);
    if (service === undefined) return notFound(`Service ${key} does not exist`);
    if (service.spec?.type === "ExternalName") return this.#external(id, service, port);
    const servicePort = service.spec?.ports?.find((candidate) => candidate.port === port && isTcp(candidate.protocol));
    if (servicePort === undefined)
      return notFound(`Service ${key} has no TCP port ${port}; it has ${portsOf(service)}`);
    const slices = this.#slices.get(key) ?? [];
    return this.#keep({ id, service, slices }, () => endpointsOf(service, servicePort, slices));
  }

  #external(id: string, service: Service, port: number): Resolved {
    const key = `${service.metadata.namespace}/${service.metadata.name}`;
    const address = service.spec?.externalName;
    if (this.#input.options.externalNames === "Refuse") {
      const message = `Service ${key} is of type ExternalName, which can point anywhere: give it endpoints, or run the operator with --allow-external-name`;
      return { ok: false, objection: { reason: "ExternalNameNotPermitted", message } };
    }
    if (!address) return notFound(`Service ${key} is of type ExternalName and has no spec.externalName`);
    return this.#keep({ id, service, slices: [] }, () => [{ address, port }]);
  }

  /** The same backend as before while its endpoints are the same; they are looked at only when an object has changed. */
  #keep(
    { id, service, slices }: Omit<KnownBackend, "backend"> & { readonly id: string },
    find: () => Endpoint[],
  ): Resolved {
    const before = this.#input.before.get(id);
    if (before !== undefined && before.service === service && sameItems(before.slices, slices)) {
      this.known.set(id, before);
      return { ok: true, backend: before.backend };
    }
    const endpoints = find();
    const unchanged = before !== undefined && JSON.stringify(before.backend.endpoints) === JSON.stringify(endpoints);
    const backend = unchanged ? before.backend : { id, endpoints };
    this.known.set(id, { service, slices, backend });
    return { ok: true, backend };
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

function endpointsOf(service: Service, { name = "" }: ServicePort, slices: readonly EndpointSlice[]): Endpoint[] {
  const families = (["IPv4", "IPv6"] as const).map((family) => readyEndpoints(slices, family, name));
  const preferred = service.spec?.ipFamilies?.[0] === "IPv6" ? families.toReversed() : families;
  // A dual-stack pod stands in the slices of both families and is one endpoint.
  return preferred.find((endpoints) => endpoints.length > 0) ?? [];
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
