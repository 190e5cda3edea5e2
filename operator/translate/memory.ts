/**
 * What a translation may take over from the one before it. Only time is saved by it, and objects keep their identity while they stay
 * the same: the result is equal with or without.
 */
import type { BackendEndpoints, Route } from "../../gateway/snapshot.ts";
import type { EndpointSlice, Service } from "../objects.ts";
import { sameItems } from "../same-items.ts";
import type { BackendName } from "./backends.ts";
import { Claims } from "./conflicts.ts";
import type { Attachment, GatewayDraft, ResolvedBackends, RouteDraft } from "./draft.ts";
import type { CompiledMatches } from "./matches.ts";
import type { CompiledMessages } from "./messages.ts";
import type { RouteOutcome, Translation } from "./plan.ts";
import type { CompiledPolicies } from "./policies.ts";
import type { ResolvedApiKeys, ResolvedKeys } from "./resolve.ts";

/** One value, and what it was made of. */
export class Cell<T> {
  #inputs: readonly unknown[] | undefined;
  #value: T | undefined;

  /** The value that was made last, whatever of. */
  get last(): T | undefined {
    return this.#value;
  }

  /** The value that was made last, while the inputs are the same; else a new one. */
  get(inputs: readonly unknown[], make: () => T): T {
    if (this.#inputs !== undefined && sameItems(this.#inputs, inputs)) return this.#value as T;
    const value = make();
    this.#inputs = inputs;
    this.#value = value;
    return value;
  }
}

/** Of one route at one gateway. */
export class TargetMemory {
  readonly policies = new Cell<CompiledPolicies>();
  readonly places = new Cell<readonly string[]>();
  readonly apiKeys = new Cell<ResolvedApiKeys>();
  readonly keys = new Cell<ResolvedKeys>();
  readonly messages = new Cell<CompiledMessages>();
  readonly route = new Cell<{ readonly route: Route; readonly size: number }>();
}

/** Of one route, for as long as its spec stays the same. */
export class RouteMemory {
  /** The parsed object that all of it was made of. */
  readonly parsed: unknown;
  readonly created: number;
  readonly attachment = new Cell<Attachment>();
  readonly matches = new Cell<CompiledMatches>();
  readonly backends = new Cell<ResolvedBackends>();
  readonly outcome = new Cell<RouteOutcome>();
  /** Its backendRefs with the names that they are looked up by. */
  readonly refs = new Cell<readonly BackendName[]>();
  readonly #targets = new Map<string, TargetMemory>();

  constructor(parsed: unknown, created: number) {
    this.parsed = parsed;
    this.created = created;
  }

  at(gateway: string): TargetMemory {
    let target = this.#targets.get(gateway);
    if (target === undefined) {
      target = new TargetMemory();
      this.#targets.set(gateway, target);
    }
    return target;
  }
}

/** One backend and what it was found in. */
export interface KnownBackend {
  service: Service;
  slices: readonly EndpointSlice[];
  backend: BackendEndpoints;
  /** Number of the translation that looked at it last. */
  lookedAt: number;
}

/** The drafts as the last translation left them: a route that is the same, among things that are the same, is not drafted again. */
export class DraftMemory {
  readonly byKey = new Map<string, RouteDraft>();
  readonly claims = new Claims();
  /** Sorted by key. */
  sorted: readonly RouteDraft[] = [];
}

export class TranslationMemory {
  readonly routes = new Map<string, RouteMemory>();
  readonly backends = new Map<string, KnownBackend>();
  readonly slices = new SliceIndex();
  drafts = new DraftMemory();
  gateways: ReadonlyMap<string, GatewayDraft> = new Map();
  /** What was published last. */
  translation: Translation | undefined;
  surroundings: readonly unknown[] = [];
  /** How many translations there have been. */
  translations = 0;
  readonly #lists = new Map<string, readonly object[]>();
  readonly #seen = new Map<string, readonly unknown[]>();

  /** Whatever of the last translation is not sure to be whole is left behind. */
  forget(): void {
    this.routes.clear();
    this.backends.clear();
    this.#lists.clear();
    this.#seen.clear();
    this.drafts = new DraftMemory();
    this.translation = undefined;
  }

  /** Whether these are the same values as when it was asked last. `name` says what they are. */
  areSame(name: string, values: readonly unknown[]): boolean {
    const same = sameItems(this.#seen.get(name) ?? [], values);
    this.#seen.set(name, values);
    return same;
  }

  /** The same array as last time while it has the same items. `name` says which list it is. */
  sameList<T extends object>(name: string, list: readonly T[]): readonly T[] {
    const known = this.#lists.get(name) as readonly T[] | undefined;
    if (known !== undefined && sameItems(known, list)) return known;
    this.#lists.set(name, list);
    return list;
  }
}

const SERVICE_NAME_LABEL = "kubernetes.io/service-name";

/** EndpointSlices by the `namespace/name` of their Service. */
export class SliceIndex {
  readonly #known = new Map<string, { readonly slice: EndpointSlice; readonly service: string | undefined }>();
  #byService: ReadonlyMap<string, readonly EndpointSlice[]> = new Map();

  get(): ReadonlyMap<string, readonly EndpointSlice[]> {
    return this.#byService;
  }

  update(slices: ReadonlyMap<string, EndpointSlice>): ReadonlyMap<string, readonly EndpointSlice[]> {
    let changed = forgetMissing(this.#known, slices);
    for (const [key, slice] of slices) {
      if (this.#known.get(key)?.slice === slice) continue;
      const service = slice.metadata.labels?.[SERVICE_NAME_LABEL];
      this.#known.set(key, { slice, service: service && `${slice.metadata.namespace}/${service}` });
      changed = true;
    }
    if (changed) this.#byService = this.#group();
    return this.#byService;
  }

  #group(): ReadonlyMap<string, readonly EndpointSlice[]> {
    const byService = new Map<string, EndpointSlice[]>();
    for (const { slice, service } of this.#known.values()) {
      if (service === undefined) continue;
      const list = byService.get(service);
      if (list === undefined) byService.set(service, [slice]);
      else list.push(slice);
    }
    return byService;
  }
}

/** Drops what is not in `present`; true when there was any. */
export function forgetMissing(known: Map<string, unknown>, present: ReadonlyMap<string, unknown>): boolean {
  const before = known.size;
  for (const key of known.keys()) if (!present.has(key)) known.delete(key);
  return known.size !== before;
}
