/** From a backendRef to the ready endpoints behind it. */
import type { BackendEndpoints, Endpoint } from "../../gateway/snapshot.ts";
import { type Cluster, contentsOf } from "../cluster.ts";
import type { EndpointSlice, Service, ServicePort } from "../objects.ts";
import { sameItems } from "../same-items.ts";
import type { Objection } from "./condition.ts";
import { notPermitted } from "./grants.ts";
import type { TranslationMemory } from "./memory.ts";
import type { TranslateOptions } from "./plan.ts";

export interface BackendReference {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly port: number;
}

export type Resolved =
  | { readonly ok: true; readonly backend: BackendEndpoints }
  | { readonly ok: false; readonly objection: Objection };

/** A backendRef with the names that it is looked up by. */
export interface BackendName {
  readonly ref: BackendReference;
  readonly namespace: string;
  /** `namespace/name:port`, as in a snapshot. */
  readonly id: string;
  /** `namespace/name` of the Service. */
  readonly service: string;
}

/** @param routeNamespace - where the route stands, for the namespace that is not written */
export function backendName(ref: BackendReference, routeNamespace: string): BackendName {
  const namespace = ref.namespace ?? routeNamespace;
  const service = `${namespace}/${ref.name}`;
  return { ref, namespace, service, id: `${service}:${ref.port}` };
}

interface ResolverInput {
  readonly cluster: Cluster;
  readonly options: TranslateOptions;
  /** Unchanged backends keep their identity by it. */
  readonly memory: TranslationMemory;
}

/** Resolves the backends of one translation. */
export class BackendResolver {
  /** Nothing that backends are resolved by is another than in the last translation. */
  readonly unchanged: boolean;
  readonly #input: ResolverInput;
  readonly #slices: ReadonlyMap<string, readonly EndpointSlice[]>;

  constructor(input: ResolverInput) {
    const { cluster, memory } = input;
    const { services, endpointSlices, referenceGrants } = cluster;
    const grants = referenceGrants === "notInstalled" ? [] : [referenceGrants];
    this.unchanged = memory.areSame("backends", contentsOf([services, endpointSlices, ...grants]));
    this.#input = input;
    this.#slices = this.unchanged ? memory.slices.get() : memory.slices.update(endpointSlices);
  }

  /** @param routeNamespace - where the route stands, for the grant */
  resolve(name: BackendName, routeNamespace: string): Resolved {
    if (name.namespace !== routeNamespace) {
      const from = { kind: "WebSocketRoute", namespace: routeNamespace } as const;
      const to = { kind: "Service", namespace: name.namespace, name: name.ref.name } as const;
      const objection = notPermitted(this.#input.cluster.referenceGrants, from, to);
      if (objection !== undefined) return { ok: false, objection };
    }
    const service = this.#input.cluster.services.get(name.service);
    if (service === undefined) return notFound(`Service ${name.service} does not exist`);
    if (service.spec?.type === "ExternalName") return this.#external(name, service);
    return this.#internal(name, service);
  }

  #internal(name: BackendName, service: Service): Resolved {
    const { port } = name.ref;
    const servicePort = service.spec?.ports?.find((candidate) => candidate.port === port && isTcp(candidate.protocol));
    if (servicePort === undefined)
      return notFound(`Service ${name.service} has no TCP port ${port}; it has ${portsOf(service)}`);
    const slices = this.#slices.get(name.service) ?? NO_SLICES;
    return this.#keep({ name, service, slices }, () => endpointsOf(service, servicePort, slices));
  }

  #external(name: BackendName, service: Service): Resolved {
    const address = service.spec?.externalName;
    if (this.#input.options.externalNames === "Refuse") {
      const message = `Service ${name.service} is of type ExternalName, which can point anywhere: give it endpoints, or run the operator with --allow-external-name`;
      return { ok: false, objection: { reason: "ExternalNameNotPermitted", message } };
    }
    if (!address) return notFound(`Service ${name.service} is of type ExternalName and has no spec.externalName`);
    return this.#keep({ name, service, slices: NO_SLICES }, () => [{ address, port: name.ref.port }]);
  }

  /** The same backend as before while its endpoints are the same; they are looked at only when an object has changed. */
  #keep({ name: { id }, service, slices }: Found, find: () => Endpoint[]): Resolved {
    const { backends, translations } = this.#input.memory;
    const before = backends.get(id);
    if (before === undefined) {
      const backend = { id, endpoints: find() };
      backends.set(id, { service, slices, backend, lookedAt: translations });
      return { ok: true, backend };
    }
    if (before.service !== service || !sameItems(before.slices, slices)) {
      const endpoints = find();
      const unchanged = JSON.stringify(before.backend.endpoints) === JSON.stringify(endpoints);
      if (!unchanged) before.backend = { id, endpoints };
    }
    before.service = service;
    before.slices = slices;
    before.lookedAt = translations;
    return { ok: true, backend: before.backend };
  }
}

interface Found {
  readonly name: BackendName;
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
}

const NO_SLICES: readonly EndpointSlice[] = [];

function notFound(message: string): Resolved {
  return { ok: false, objection: { reason: "BackendNotFound", message } };
}

function portsOf(service: Service): string {
  return service.spec?.ports?.map(({ port }) => port).join(", ") || "none";
}

function isTcp(protocol: string | undefined): boolean {
  return protocol === undefined || protocol === "TCP";
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
