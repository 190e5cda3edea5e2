/**
 * Puts a snapshot together from the objects that carry it (pure but for its caches): the index ConfigMap, the parts that it
 * lists, and the gateway's Secret. Parts are parsed once for each hash, so that one route's change costs one part.
 */
import { isDeepStrictEqual } from "node:util";
import { gunzipSync } from "node:zlib";
import type { z } from "zod";
import {
  type BackendEndpoints,
  ENDPOINTS_PART,
  type Endpoint,
  type PartReference,
  partHash,
  ROUTES_PART,
  type Route,
  SNAPSHOT_OBJECTS,
  SnapshotIndex,
  secretRevision,
} from "../snapshot.ts";
import { secretMaterial } from "./secrets.ts";
import type { Candidate } from "./source.ts";

/** The fields of a ConfigMap or Secret that matter here, as the API server and the last-good file give them. */
export interface CarrierObject {
  readonly metadata?: { readonly name?: string | undefined } | undefined;
  readonly data?: Readonly<Record<string, string>> | undefined;
  readonly binaryData?: Readonly<Record<string, string>> | undefined;
}

/** Everything known of one gateway's carriers at one moment; what has not arrived yet is absent. */
export interface Carriers {
  readonly index: CarrierObject | undefined;
  readonly parts: ReadonlyMap<string, CarrierObject>;
  readonly secret: CarrierObject | undefined;
}

/** `waiting` says what is still to come; `refused` why what came cannot be served. */
export type Assembled =
  | { readonly kind: "candidate"; readonly candidate: Candidate }
  | { readonly kind: "waiting"; readonly for: string }
  | { readonly kind: "refused"; readonly reason: string };

/** Why an assembly stopped, on its way out of the nested steps. */
class Stop extends Error {
  readonly outcome: Assembled;
  constructor(outcome: Assembled) {
    super("assembly stopped");
    this.outcome = outcome;
  }
}

export class Assembler {
  #routeParts = new Map<string, readonly Route[]>();
  #endpointParts = new Map<string, readonly BackendEndpoints[]>();
  /** What was read last of a slot, whose parts replace each other. */
  readonly #routeSlots = new Map<string, readonly Route[]>();
  #routes: readonly Route[] = [];
  #routesKey = "";
  #endpoints: ReadonlyMap<string, readonly Endpoint[]> = new Map();
  #endpointsKey = "";
  #listed: { readonly text: string | undefined; readonly parts: readonly PartReference[] } = { text: "", parts: [] };

  assemble(carriers: Carriers): Assembled {
    try {
      return { kind: "candidate", candidate: this.#candidate(carriers) };
    } catch (error) {
      if (error instanceof Stop) return error.outcome;
      throw error;
    }
  }

  /**
   * Reads the parts that the index lists and that were not read before, with a pause after each, so that a change of many parts
   * does not hold the event loop. `carriers` is asked anew after each pause. What cannot be read is left for `assemble` to refuse.
   */
  async prepare(carriers: () => Carriers, pause: () => Promise<void>): Promise<void> {
    for (const tried = new Set<string>(); ; await pause()) {
      const next = this.#unread(carriers(), tried);
      if (next === undefined) return;
      tried.add(next.reference.hash);
      try {
        this.#readPart(next.reference, next.parts);
      } catch (error) {
        if (!(error instanceof Stop)) throw error;
      }
    }
  }

  #unread({ index, parts }: Carriers, tried: ReadonlySet<string>) {
    const reference = this.#references(index).find(
      ({ hash, object }) =>
        !this.#routeParts.has(hash) && !this.#endpointParts.has(hash) && !tried.has(hash) && parts.has(object),
    );
    return reference && { reference, parts };
  }

  /** Of the parts that the index lists. */
  partNames(index: CarrierObject | undefined): string[] {
    return this.#references(index).map(({ object }) => object);
  }

  #references(index: CarrierObject | undefined): readonly PartReference[] {
    const text = index?.data?.[SNAPSHOT_OBJECTS.indexKey];
    if (this.#listed.text !== text) {
      const parsed = SnapshotIndex.safeParse(jsonOf(text));
      this.#listed = { text, parts: parsed.success ? parsed.data.parts : [] };
    }
    return this.#listed.parts;
  }

  #readPart(reference: PartReference, parts: Carriers["parts"]): void {
    const { hash, kind } = reference;
    if (kind === "routes") this.#routeParts.set(hash, this.#readRoutesPart(reference, parts));
    else this.#endpointParts.set(hash, readEndpointsPart(reference, parts));
  }

  #candidate({ index: indexObject, parts, secret }: Carriers): Candidate {
    const text = indexObject?.data?.[SNAPSHOT_OBJECTS.indexKey];
    if (text === undefined) throw new Stop({ kind: "waiting", for: "the snapshot index" });
    const index = parseText(SnapshotIndex, text, "the index");
    const values = secretValues(secret);
    if (values === undefined || secretRevision(values) !== index.secretRevision)
      throw new Stop({ kind: "waiting", for: `the Secret of revision ${index.revision}` });
    this.#readRoutes(index.parts, parts);
    this.#readEndpoints(index.parts, parts);
    const snapshot = Object.freeze({
      revision: index.revision,
      sequence: index.sequence,
      settings: index.settings,
      routes: this.#routes,
      endpoints: this.#endpoints,
    });
    return { snapshot, secrets: secretMaterial(values) };
  }

  #readRoutes(references: readonly PartReference[], parts: Carriers["parts"]): void {
    const wanted = references.filter((reference) => reference.kind === "routes");
    this.#routeParts = readParts(wanted, this.#routeParts, (reference) => this.#readRoutesPart(reference, parts));
    const key = wanted.map((reference) => reference.hash).join();
    if (key === this.#routesKey) return;
    this.#routes = Object.freeze(wanted.flatMap((reference) => this.#routeParts.get(reference.hash) ?? []));
    this.#routesKey = key;
  }

  /** A route that the part before it had as well is the same object, so that nothing is made of it again. */
  #readRoutesPart(reference: PartReference, parts: Carriers["parts"]): readonly Route[] {
    const slot = reference.object.slice(0, reference.object.lastIndexOf("-"));
    const read = parseText(ROUTES_PART, partText(reference, parts), reference.object).routes;
    const before = new Map(this.#routeSlots.get(slot)?.map((route) => [nameOf(route), route]));
    const routes = Object.freeze(
      read.map((route) => {
        const known = before.get(nameOf(route));
        return known !== undefined && isDeepStrictEqual(known, route) ? known : route;
      }),
    );
    this.#routeSlots.set(slot, routes);
    return routes;
  }

  #readEndpoints(references: readonly PartReference[], parts: Carriers["parts"]): void {
    const wanted = references.filter((reference) => reference.kind === "endpoints");
    this.#endpointParts = readParts(wanted, this.#endpointParts, (reference) => readEndpointsPart(reference, parts));
    const key = wanted.map((reference) => reference.hash).join();
    if (key === this.#endpointsKey) return;
    const all = wanted.flatMap((reference) => this.#endpointParts.get(reference.hash) ?? []);
    this.#endpoints = new Map(all.map((backend) => [backend.id, Object.freeze(backend.endpoints)]));
    this.#endpointsKey = key;
  }
}

function nameOf({ namespace, name }: Route): string {
  return `${namespace}/${name}`;
}

function readEndpointsPart(reference: PartReference, parts: Carriers["parts"]): readonly BackendEndpoints[] {
  return Object.freeze(parseText(ENDPOINTS_PART, partText(reference, parts), reference.object).backends);
}

/** Undefined where there is no JSON. */
function jsonOf(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

/** The parsed parts by hash: those already known kept, new ones read, those no longer listed forgotten. */
function readParts<T>(
  wanted: readonly PartReference[],
  known: ReadonlyMap<string, T>,
  read: (reference: PartReference) => T,
): Map<string, T> {
  return new Map(wanted.map((reference) => [reference.hash, known.get(reference.hash) ?? read(reference)]));
}

function partText(reference: PartReference, parts: Carriers["parts"]): string {
  const object = parts.get(reference.object);
  if (object === undefined) throw new Stop({ kind: "waiting", for: `part ${reference.object}` });
  const gzipped = object.binaryData?.[SNAPSHOT_OBJECTS.partGzipKey];
  const text = gzipped === undefined ? object.data?.[SNAPSHOT_OBJECTS.partKey] : gunzip(gzipped, reference.object);
  if (text === undefined || partHash(text) !== reference.hash)
    throw new Stop({ kind: "refused", reason: `part ${reference.object} does not match its hash in the index` });
  return text;
}

function gunzip(base64: string, object: string): string {
  try {
    return gunzipSync(Buffer.from(base64, "base64"), { maxOutputLength: 64 * 1024 * 1024 }).toString("utf8");
  } catch (error) {
    throw new Stop({ kind: "refused", reason: `part ${object} cannot be unzipped: ${String(error)}` });
  }
}

function parseText<T>(schema: z.ZodType<T>, text: string, what: string): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Stop({ kind: "refused", reason: `${what} is not JSON` });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.join(".") ?? "";
  throw new Stop({ kind: "refused", reason: `${what} does not fit this gateway's schema: ${path}: ${issue?.message}` });
}

function secretValues(secret: CarrierObject | undefined): ReadonlyMap<string, string> | undefined {
  if (secret === undefined) return undefined;
  const entries = Object.entries(secret.data ?? {});
  return new Map(entries.map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]));
}
