/**
 * A list-watch loop that never dies: it lists, watches from there, and comes back after whatever ends the watch, so that
 * its consumer sees every object's last state and every deletion, in order, exactly as if the watch had never ended.
 *
 * A watch that merely ended, was cut or fell silent goes on from its last resource version, where nothing can be missed. Only
 * what makes that version useless (410, an ERROR event, any other refusal, or three failures in a row) costs a new list,
 * which is compared with what is known: the difference is told as events.
 */
import { backoffMs } from "./backoff.ts";
import type { KubeClient } from "./client.ts";
import { type Clock, sleep } from "./clock.ts";
import { errorFromStatus, isExpired, KubeError } from "./error.ts";
import { type KubeObject, keyOf, type WatchEvent } from "./objects.ts";
import type { Resource } from "./resources.ts";

export type ObjectEvent<T extends KubeObject> =
  | { readonly type: "ADDED" | "MODIFIED"; readonly object: T }
  /** With its kind and its last known metadata, and nothing else. */
  | { readonly type: "DELETED"; readonly object: KubeObject };

export type ListWatchState =
  | { readonly state: "synced" }
  /** `failures` in a row; the next try is in `retryInMs`. */
  | { readonly state: "failed"; readonly error: unknown; readonly failures: number; readonly retryInMs: number };

export interface ListWatchOptions<T extends KubeObject> {
  readonly client: Pick<KubeClient, "list" | "watch">;
  readonly resource: Resource;
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Leaves out what the consumer does not read, so that a cache of a large cluster stays small. */
  readonly trim?: (object: T) => T;
  /** Objects to a page of a list. A page is parsed in one go: large objects want small pages. */
  readonly pageSize?: number;
  /** Called once, with the first complete list; from then on there are only events. */
  readonly onSync: (objects: readonly T[]) => void;
  readonly onEvent: (event: ObjectEvent<T>) => void;
  readonly onState?: (state: ListWatchState) => void;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly signal: AbortSignal;
}

const PAGE_SIZE = 500;
/** The server ends each watch after a time in this range, so that watches spread over its replicas again. */
const WATCH_SECONDS = { least: 300, most: 600 };
/** The server sends a bookmark about every minute; longer silence means that nobody is there any more. */
const SILENCE_MS = 75_000;
/** A watch that lived this long was sound: its end is no sign of trouble. */
const SOUND_MS = 1_000;
const BACKOFF = { firstMs: 200, maxMs: 10_000 };
const FAILURES_BEFORE_LIST = 3;

/** Runs until the signal aborts, then resolves; it never rejects. An exception of a callback counts as a failure. */
export async function listWatch<T extends KubeObject>(options: ListWatchOptions<T>): Promise<void> {
  const loop = new ListWatch(options);
  const { clock, signal, onState } = options;
  let failures = 0;
  while (!signal.aborted) {
    try {
      await loop.listIfNeeded();
      const trouble = await loop.watch();
      if (trouble === undefined) failures = 0;
      else throw trouble;
    } catch (error) {
      if (signal.aborted) return;
      failures = loop.livedMs() >= SOUND_MS ? 1 : failures + 1;
      if (needsList(error) || failures >= FAILURES_BEFORE_LIST) loop.forgetVersion();
      const retryInMs = retryDelay(error, failures, options.random);
      onState?.({ state: "failed", error, failures, retryInMs });
      await sleep(clock, retryInMs, signal);
    }
  }
}

function retryDelay(error: unknown, failures: number, random: () => number): number {
  const asked = error instanceof KubeError ? (error.retryAfter ?? 0) * 1000 : 0;
  return Math.max(asked, backoffMs(failures, BACKOFF, random));
}

/** Whether to give up the resource version: anything but "nobody answered" and "the server has trouble". */
function needsList(error: unknown): boolean {
  if (!(error instanceof KubeError)) return true;
  const answered = error.status !== 0 && error.status !== 429 && error.status < 500;
  return answered || error.reason === "BadAnswer" || error.reason === "Expired";
}

/** An ERROR event: the server cannot go on with this watch, whatever its code. */
class WatchError extends Error {}

class ListWatch<T extends KubeObject> {
  readonly #options: ListWatchOptions<T>;
  /** Without what an object holds: the consumer has that, in whatever form it likes. */
  readonly #known = new Map<string, KubeObject>();
  #synced = false;
  #version: string | undefined;
  #startedAt = Number.POSITIVE_INFINITY;

  constructor(options: ListWatchOptions<T>) {
    this.#options = options;
  }

  /** How long the last watch has been open; 0 before there was one. */
  livedMs(): number {
    return Math.max(0, this.#options.clock.now() - this.#startedAt);
  }

  forgetVersion(): void {
    this.#version = undefined;
  }

  async listIfNeeded(): Promise<void> {
    this.#startedAt = Number.POSITIVE_INFINITY;
    if (this.#version !== undefined) return;
    const { items, version } = await this.#listAll();
    if (this.#synced) this.#tellDifference(items);
    else this.#tellAll(items);
    this.#version = version;
    this.#options.onState?.({ state: "synced" });
  }

  /** Resolves when the watch has ended: with nothing after a sound life, else with what was wrong. */
  async watch(): Promise<Error | undefined> {
    const { client, clock, signal, random } = this.#options;
    const controller = new AbortController();
    const abort = () => controller.abort();
    signal.addEventListener("abort", abort, { once: true });
    const silence = silenceDetector(clock, abort);
    try {
      const { least, most } = WATCH_SECONDS;
      const events = await client.watch(this.#target(), {
        ...this.#selectors(),
        resourceVersion: this.#version ?? "",
        timeoutSeconds: Math.round(least + (most - least) * random()),
        signal: controller.signal,
      });
      this.#startedAt = clock.now();
      for await (const event of events) {
        silence.heard();
        this.#take(event);
      }
    } catch (error) {
      return silence.expired() ? new KubeError(0, "Silent", `no event for ${SILENCE_MS} ms`) : (error as Error);
    } finally {
      silence.stop();
      signal.removeEventListener("abort", abort);
    }
    if (this.livedMs() >= SOUND_MS) return undefined;
    return new KubeError(0, "EndedEarly", "the watch ended as soon as it began");
  }

  #target() {
    return { resource: this.#options.resource, namespace: this.#options.namespace };
  }

  #selectors() {
    return { labelSelector: this.#options.labelSelector, fieldSelector: this.#options.fieldSelector };
  }

  async #listAll(): Promise<{ items: T[]; version: string }> {
    try {
      return await this.#listPages(this.#options.pageSize ?? PAGE_SIZE);
    } catch (error) {
      // The token of a later page has outlived what the server keeps: one unpaged list cannot.
      if (!isExpired(error)) throw error;
      return await this.#listPages(0);
    }
  }

  async #listPages(limit: number): Promise<{ items: T[]; version: string }> {
    const { client, signal } = this.#options;
    const items: T[] = [];
    let next: string | undefined;
    for (;;) {
      const page = await client.list<T>(this.#target(), {
        ...this.#selectors(),
        ...(limit === 0 ? {} : { limit }),
        ...(next === undefined ? {} : { continue: next }),
        signal,
      });
      for (const item of page.items) items.push(this.#trim(item));
      next = page.metadata.continue || undefined;
      if (next === undefined) return { items, version: page.metadata.resourceVersion ?? "" };
    }
  }

  #tellAll(items: readonly T[]): void {
    this.#known.clear();
    for (const item of items) this.#known.set(keyOf(item), head(item));
    this.#options.onSync(items);
    this.#synced = true;
  }

  #tellDifference(items: readonly T[]): void {
    const listed = new Set(items.map(keyOf));
    for (const [key, object] of [...this.#known]) {
      if (!listed.has(key)) this.#delete(key, object);
    }
    for (const item of items) this.#put(item);
  }

  #take(event: WatchEvent): void {
    if (event.type === "ERROR") {
      const error = errorFromStatus(event.object, 500);
      throw isExpired(error) ? error : new WatchError(error.message, { cause: error });
    }
    if (event.type !== "BOOKMARK") {
      const object = this.#trim(event.object as T);
      if (event.type === "DELETED") this.#delete(keyOf(object), object);
      else this.#put(object);
    }
    this.#version = event.object.metadata.resourceVersion ?? this.#version;
  }

  #put(object: T): void {
    const key = keyOf(object);
    const before = this.#known.get(key);
    if (before !== undefined && before.metadata.resourceVersion === object.metadata.resourceVersion) return;
    this.#options.onEvent({ type: before === undefined ? "ADDED" : "MODIFIED", object });
    this.#known.set(key, head(object));
  }

  #delete(key: string, object: KubeObject): void {
    if (!this.#known.has(key)) return;
    this.#options.onEvent({ type: "DELETED", object: head(object) });
    this.#known.delete(key);
  }

  #trim(object: T): T {
    const { resource, trim } = this.#options;
    const lean = leanObject(resource, object);
    return trim === undefined ? lean : trim(lean);
  }
}

function head({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata };
}

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** Adds the kind, which items of a list do not carry, and drops what only the API server and kubectl read. */
export function leanObject<T extends KubeObject>({ apiVersion, kind }: Resource, object: T): T {
  const { managedFields: _managedFields, annotations, ...metadata } = object.metadata;
  if (annotations === undefined) return { apiVersion, kind, ...object, metadata };
  const { [LAST_APPLIED]: _lastApplied, ...kept } = annotations;
  return { apiVersion, kind, ...object, metadata: { ...metadata, annotations: kept } };
}

function silenceDetector(clock: Clock, onSilence: () => void) {
  let expired = false;
  const arm = () =>
    clock.after(SILENCE_MS, () => {
      expired = true;
      onSilence();
    });
  let cancel = arm();
  return {
    heard() {
      cancel();
      cancel = arm();
    },
    expired: () => expired,
    stop: () => cancel(),
  };
}
