/**
 * Writes statuses: a few at a time, the newest word for each object, an object that fails more and more seldom. What is to be
 * written is decided by a pass; what could not be written is simply found again by a later one.
 */
import type { KubeClient } from "../kube/client.ts";
import type { Clock } from "../kube/clock.ts";
import { isConflict, isNotFound } from "../kube/error.ts";
import type { Resource } from "../kube/resources.ts";
import type { KubernetesObject, ObjectMeta } from "./objects.ts";
import type { Flip } from "./pass.ts";
import { Retries } from "./retries.ts";

export interface StatusWrite {
  readonly resource: Resource;
  readonly metadata: ObjectMeta;
  readonly status: object;
  /** Told once the status is written. */
  readonly flips: readonly Flip[];
}

export interface StatusWriterOptions {
  readonly client: Pick<KubeClient, "patchStatus">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly onWrite: (write: StatusWrite) => void;
  /** The object as it is now, and what was written. */
  readonly onWritten: (object: KubernetesObject, write: StatusWrite) => void;
  readonly onError: (write: StatusWrite, error: unknown, retryInMs: number) => void;
  /** A pass is wanted by this time (clock's milliseconds). */
  readonly decideBy: (time: number) => void;
}

const AT_A_TIME = 8;
const BACKOFF = { firstMs: 500, maxMs: 60_000 };
const AFTER_CONFLICT_MS = 200;

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  #pending = new Map<string, StatusWrite>();
  readonly #inFlight = new Map<string, { readonly says: string; readonly ended: Promise<void> }>();
  /** Offered while another word was under way. */
  readonly #overtaken = new Set<string>();
  readonly #retries: Retries;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#retries = new Retries(BACKOFF, options.random);
  }

  /** Objects whose status is still to be written or under way. */
  get depth(): number {
    return this.#pending.size + this.#inFlight.size;
  }

  /** Whether a word about this object is under way. */
  isWriting({ kind, metadata }: KubernetesObject): boolean {
    return this.#inFlight.has(keyOf(kind, metadata));
  }

  /** All that a pass found to be written: replaces what was offered before and has not begun. */
  offer(writes: readonly StatusWrite[]): void {
    this.#pending = new Map();
    const offered = new Set<string>();
    for (const write of writes) {
      const key = keyOfWrite(write);
      offered.add(key);
      const notBefore = this.#retries.notBefore(key);
      const underWay = this.#inFlight.get(key);
      // The same word again needs no pass afterwards: with thousands to write, there would be one after every few of them.
      if (underWay !== undefined) this.#overtaken[underWay.says === saying(write) ? "delete" : "add"](key);
      else if (notBefore > this.#options.clock.now()) this.#options.decideBy(notBefore);
      else this.#pending.set(key, write);
    }
    this.#retries.keepOnly(offered);
    this.#pump();
  }

  /** Begins nothing any more; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#pending.clear();
    await Promise.all([...this.#inFlight.values()].map(({ ended }) => ended));
  }

  #pump(): void {
    for (const [key, write] of this.#pending) {
      if (this.#inFlight.size >= AT_A_TIME || this.#options.signal.aborted) return;
      this.#pending.delete(key);
      const ended = this.#write(key, write).finally(() => {
        this.#inFlight.delete(key);
        // The next pass compares with what is written now and offers again what still differs.
        if (this.#overtaken.delete(key)) this.#options.decideBy(this.#options.clock.now());
        this.#pump();
      });
      this.#inFlight.set(key, { says: saying(write), ended });
    }
  }

  async #write(key: string, write: StatusWrite): Promise<void> {
    const { client, clock, signal, onWrite, onWritten, onError, decideBy } = this.#options;
    const { resource, metadata, status } = write;
    const { namespace, name, uid, resourceVersion } = metadata;
    // Only what was decided on is told: not an object that has changed since, be it by an operator that leads now.
    const sameObject = { namespace, name, uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
    const object = { apiVersion: resource.apiVersion, kind: resource.kind, metadata: sameObject, status };
    onWrite(write);
    try {
      const written = await client.patchStatus<KubernetesObject>({ resource, namespace, name }, object, { signal });
      this.#retries.succeeded(key);
      onWritten(written, write);
    } catch (error) {
      if (isNotFound(error) || signal.aborted) return; // the watch is about to say so
      // Changed, or deleted and made again. The watch says so, but for a status, which wakes nobody while ours is under way.
      if (isConflict(error)) return decideBy(clock.now() + AFTER_CONFLICT_MS);
      const retryInMs = this.#retries.failed(key, clock.now());
      onError(write, error, retryInMs);
      decideBy(clock.now() + retryInMs);
    }
  }
}

/** What a status says; a later pass dates the same flip later. */
function saying({ status }: StatusWrite): string {
  return JSON.stringify(status, (key, value) => (key === "lastTransitionTime" ? undefined : value));
}

function keyOfWrite({ resource, metadata }: StatusWrite): string {
  return keyOf(resource.kind, metadata);
}

function keyOf(kind: string | undefined, { namespace, name, uid }: ObjectMeta): string {
  return `${kind} ${namespace}/${name} ${uid}`;
}
