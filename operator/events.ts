/**
 * Kubernetes Events for people who `kubectl describe`. The same words about the same object within ten minutes are one Event that
 * counts; an object that flips without end is told of ever more seldom. Best effort: an Event that cannot be written is lost.
 */
import { randomBytes } from "node:crypto";
import type { KubeClient } from "../kube/client.ts";
import type { Clock } from "../kube/clock.ts";
import { isNotFound } from "../kube/error.ts";
import type { KubeObject } from "../kube/objects.ts";
import { RESOURCES, type Resource } from "../kube/resources.ts";
import type { ObjectMeta } from "./objects.ts";
import type { Flip } from "./pass.ts";

export interface EventRecorderOptions {
  readonly client: Pick<KubeClient, "create" | "merge">;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onWrite: () => void;
  readonly onError: (error: unknown) => void;
}

export interface Regarding {
  readonly resource: Resource;
  readonly metadata: ObjectMeta;
}

const SAME_WITHIN_MS = 600_000;
/** Events about one object: a burst at first, then one in this time. */
const BURST = 25;
const REFILL_MS = 300_000;
const COMPONENT = "holdfast-operator";

interface Told {
  readonly name: Promise<string | undefined>;
  readonly lastAt: number;
  readonly count: number;
}

interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #told = new Map<string, Told>();
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Resolves when the Event is written or lost; never rejects. */
  async record(regarding: Regarding, flip: Flip): Promise<void> {
    const now = this.#options.clock.now();
    this.#forgetOld(now);
    const about = regarding.metadata.uid ?? "";
    if (!this.#take(about, now)) return;
    const key = [about, flip.type, flip.reason, flip.message].join("\0");
    const before = this.#told.get(key);
    const count = (before?.count ?? 0) + 1;
    const name =
      before === undefined ? this.#create(regarding, flip) : this.#countUp(before, { regarding, flip, count });
    this.#told.delete(key);
    this.#told.set(key, { name, lastAt: now, count });
    if ((await name) === undefined) this.#told.delete(key);
  }

  #take(about: string, now: number): boolean {
    const { tokens, at } = this.#buckets.get(about) ?? { tokens: BURST, at: now };
    const filled = Math.min(BURST, tokens + (now - at) / REFILL_MS);
    if (filled < 1) return false;
    this.#buckets.delete(about);
    this.#buckets.set(about, { tokens: filled - 1, at: now });
    return true;
  }

  #forgetOld(now: number): void {
    for (const [key, { lastAt }] of this.#told) {
      if (lastAt + SAME_WITHIN_MS > now) break; // oldest first: what is told again went to the end
      this.#told.delete(key);
    }
    for (const [key, { at }] of this.#buckets) {
      if (at + BURST * REFILL_MS > now) break;
      this.#buckets.delete(key);
    }
  }

  async #create(regarding: Regarding, flip: Flip): Promise<string | undefined> {
    const { client, clock, signal, onWrite, onError } = this.#options;
    const event = eventOf(regarding, flip, clock.now());
    try {
      onWrite();
      await client.create({ resource: RESOURCES.events, namespace: event.metadata.namespace }, event, { signal });
      return event.metadata.name;
    } catch (error) {
      if (!signal.aborted) onError(error);
      return undefined;
    }
  }

  async #countUp(
    before: Told,
    { regarding, flip, count }: { readonly regarding: Regarding; readonly flip: Flip; readonly count: number },
  ): Promise<string | undefined> {
    const { client, clock, signal, onWrite, onError } = this.#options;
    const name = await before.name;
    if (name === undefined) return this.#create(regarding, flip);
    try {
      onWrite();
      const target = { resource: RESOURCES.events, namespace: regarding.metadata.namespace, name };
      await client.merge(target, { count, lastTimestamp: seconds(clock.now()) }, { signal });
      return name;
    } catch (error) {
      // Events expire after an hour, or whenever the cluster's owner likes.
      if (isNotFound(error)) return this.#create(regarding, flip);
      if (!signal.aborted) onError(error);
      return name;
    }
  }
}

/** A core/v1 Event: what `kubectl describe` and `kubectl get events` read. */
function eventOf({ resource, metadata }: Regarding, flip: Flip, now: number): KubeObject {
  const { namespace, name, uid, resourceVersion } = metadata;
  const time = seconds(now);
  const event = {
    apiVersion: RESOURCES.events.apiVersion,
    kind: RESOURCES.events.kind,
    metadata: { namespace, name: `${name.slice(0, 230)}.${randomBytes(8).toString("hex")}` },
    involvedObject: { apiVersion: resource.apiVersion, kind: resource.kind, namespace, name, uid, resourceVersion },
    type: flip.type,
    reason: flip.reason.slice(0, 128),
    message: flip.message.slice(0, 1024),
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
    source: { component: COMPONENT },
    reportingComponent: COMPONENT,
  };
  return event;
}

/** metav1.Time has whole seconds. */
function seconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
