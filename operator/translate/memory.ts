/**
 * What a translation may take over from the one before it. Only time is saved by it, and objects keep their identity while they stay
 * the same: the result is equal with or without.
 */
import type { BackendEndpoints, Route } from "../../gateway/snapshot.ts";
import type { EndpointSlice, Service } from "../objects.ts";
import { sameItems } from "../same-items.ts";
import type { Attachment, ResolvedBackends } from "./draft.ts";
import type { CompiledMatches } from "./matches.ts";
import type { RouteOutcome } from "./plan.ts";
import type { CompiledPolicies } from "./policies.ts";
import type { ResolvedKeys } from "./resolve.ts";

/** One value, and what it was made of. */
export class Cell<T> {
  #inputs: readonly unknown[] | undefined;
  #value: T | undefined;

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
  readonly keys = new Cell<ResolvedKeys>();
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

export interface KnownBackend {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
  readonly backend: BackendEndpoints;
}

export class TranslationMemory {
  routes: ReadonlyMap<string, RouteMemory> = new Map();
  backends: ReadonlyMap<string, KnownBackend> = new Map();
  surroundings: readonly unknown[] = [];
  readonly lists = new Map<string, readonly object[]>();

  /** The same array as last time while it has the same items. `name` says which list it is. */
  sameList<T extends object>(name: string, list: readonly T[]): readonly T[] {
    const known = this.lists.get(name) as readonly T[] | undefined;
    if (known !== undefined && sameItems(known, list)) return known;
    this.lists.set(name, list);
    return list;
  }
}
