/** One run of the loop: gather, decide, write. Everything that is decided is decided in `pass`; this is the order of the effects. */
import { randomBytes } from "node:crypto";
import type { KubeClient } from "../kube/client.ts";
import type { Clock } from "../kube/clock.ts";
import { isForbidden } from "../kube/error.ts";
import { RESOURCES, type Resource } from "../kube/resources.ts";
import { applySnapshot } from "./apply.ts";
import { readAcknowledgement } from "./cluster.ts";
import { Collector } from "./collect.ts";
import type { Fleet } from "./fleet/fleet.ts";
import type { KubernetesObject } from "./objects.ts";
import { inParallel } from "./parallel.ts";
import { emptyMemory, type PassMemory, type PassResult, pass } from "./pass.ts";
import { References } from "./references.ts";
import { Retries } from "./retries.ts";
import type { StatusWrite } from "./status-writer.ts";
import type { Objection } from "./translate/condition.ts";
import type { TranslateOptions } from "./translate/plan.ts";
import type { ClusterWatch } from "./watch.ts";

export interface ReconcileOptions {
  readonly client: KubeClient;
  readonly watch: ClusterWatch;
  /** Runs the gateways' pods; undefined where somebody else does. */
  readonly fleet?: Fleet | undefined;
  readonly translate: TranslateOptions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly onWrite: (kind: string) => void;
  /** A write that failed, in `what`'s words; it is tried again in `retryInMs`. */
  readonly onError: (what: string, error: unknown, retryInMs: number) => void;
  /** Whether what is decided may be written; without that, deciding keeps the caches warm. */
  readonly leads: () => boolean;
  readonly offerStatuses: (writes: readonly StatusWrite[]) => void;
  /** `run` shall be called by this time (clock's milliseconds). */
  readonly wakeBy: (time: number) => void;
}

/** What a run came to: nothing to decide, no ground for a decision yet (nothing was written), or a decision. */
export type RunResult = "nothing" | "not_synced" | "decided";

const GATEWAYS_AT_A_TIME = 4;
const DELETIONS_AT_A_TIME = 4;
const BACKOFF = { firstMs: 200, maxMs: 30_000 };
/** While there are gateway pods, figures in statuses are looked at this often. */
const REFRESH_MS = 30_000;

export class Reconciler {
  readonly #options: ReconcileOptions;
  readonly #collector = new Collector();
  readonly #references = new References();
  readonly #retries: Retries;
  readonly #blocked = new Map<string, Objection>();
  #memory: PassMemory = emptyMemory();
  #changed = true;
  #collecting = false;
  #decidedAt = Number.NEGATIVE_INFINITY;
  #decideBy = Number.POSITIVE_INFINITY;

  constructor(options: ReconcileOptions) {
    this.#options = options;
    this.#retries = new Retries(BACKOFF, options.random);
  }

  /** Something that a pass reads is different: the next run decides. */
  changed(): void {
    this.#changed = true;
  }

  /** A run at this time or later decides, change or no change. */
  decideBy(time: number): void {
    this.#decideBy = Math.min(this.#decideBy, time);
    this.#options.wakeBy(time);
  }

  /** This process writes from now on: since when routes are carried is asked anew, for others have written until now. */
  takeOver(): void {
    const { translation, parts } = this.#memory;
    this.#memory = { ...emptyMemory(), translation, parts };
    this.#changed = true;
  }

  async run(): Promise<RunResult> {
    const { watch, fleet, clock } = this.#options;
    if (watch.unsynced().length > 0 || (fleet?.watch.unsynced() ?? []).length > 0) return "not_synced";
    if (!this.#changed && this.#decideBy > clock.now() && !this.#leaseHasEnded()) {
      this.#wakeAgain();
      return "nothing";
    }
    watch.follow(this.#references.of(watch.cluster));
    if (watch.unsynced().length > 0) return "not_synced";
    await this.#decide();
    return "decided";
  }

  async #decide(): Promise<void> {
    const { watch, fleet, translate, clock, leads } = this.#options;
    const now = clock.now();
    this.#changed = false;
    this.#decidedAt = now;
    this.#decideBy = Number.POSITIVE_INFINITY;
    try {
      const { cluster } = watch;
      const known = { blocked: this.#blocked, fleets: fleet?.view(cluster) };
      const result = pass({ cluster, memory: this.#memory, options: translate, ...known, now, random: randomBytes });
      this.#memory = result.memory;
      if (leads()) await this.#write(result);
      // That there are fewer connections wakes nobody; while pods drain somebody watches.
      if (result.recountAt !== undefined) this.decideBy(result.recountAt);
      if (watch.cluster.leases.size > 0) this.decideBy(now + REFRESH_MS);
      this.#wakeAgain();
    } catch (error) {
      this.#changed = true;
      throw error;
    }
  }

  async #write(result: PassResult): Promise<void> {
    const { watch, fleet, offerStatuses } = this.#options;
    await this.#applyAll(result.gateways);
    offerStatuses(statusWrites(result));
    await fleet?.reconcile(result.gateways.map(({ plan }) => plan));
    await fleet?.weighPods(watch.cluster);
    this.#collect();
  }

  /** Renewing a Lease is no change; only its end is. */
  #leaseHasEnded(): boolean {
    const now = this.#options.clock.now();
    return this.#leaseEnds().some((endsAt) => endsAt > this.#decidedAt && endsAt <= now);
  }

  #wakeAgain(): void {
    const now = this.#options.clock.now();
    const next = Math.min(this.#decideBy, ...this.#leaseEnds().filter((endsAt) => endsAt > now));
    if (next !== Number.POSITIVE_INFINITY) this.#options.wakeBy(next);
  }

  #leaseEnds(): number[] {
    return [...this.#options.watch.cluster.leases.values()].flatMap(
      (entry) => readAcknowledgement(entry)?.expiresAt ?? [],
    );
  }

  async #applyAll(gateways: PassResult["gateways"]): Promise<void> {
    const keys = new Set(gateways.map(({ plan }) => plan.key));
    this.#retries.keepOnly(keys);
    for (const key of this.#blocked.keys()) if (!keys.has(key)) this.#blocked.delete(key);
    await inParallel(gateways, GATEWAYS_AT_A_TIME, (gateway) => this.#applyOne(gateway));
  }

  async #applyOne({ plan: { key }, rendered }: PassResult["gateways"][number]): Promise<void> {
    const { client, watch, clock, signal, onWrite, onError } = this.#options;
    if (!rendered.ok) return;
    const notBefore = this.#retries.notBefore(key);
    if (notBefore > clock.now()) return this.decideBy(notBefore);
    try {
      const outcome = await applySnapshot({ client, watch, onWrite, signal }, rendered.objects);
      this.#retries.succeeded(key);
      this.#note(key, outcome.ok ? undefined : { reason: "ObjectNotOwned", message: outcome.message });
    } catch (error) {
      if (signal.aborted) return;
      const retryInMs = this.#retries.failed(key, clock.now());
      onError(`the snapshot of gateway ${key}`, error, retryInMs);
      if (isForbidden(error)) this.#note(key, { reason: "WriteForbidden", message: error.message });
      this.decideBy(clock.now() + retryInMs);
    }
  }

  /** The status has to tell it, which takes another pass; while it lasts, we look again now and then. */
  #note(key: string, objection: Objection | undefined): void {
    const { clock } = this.#options;
    if (this.#blocked.get(key)?.message !== objection?.message) this.decideBy(clock.now());
    if (objection === undefined) this.#blocked.delete(key);
    else {
      this.#blocked.set(key, objection);
      this.decideBy(clock.now() + BACKOFF.maxMs);
    }
  }

  /** Beside the passes: after a storm there are hundreds of parts to delete, and no change shall wait for that. */
  #collect(): void {
    const { watch, clock } = this.#options;
    if (this.#collecting) return;
    const { parts, leases, nextAt } = this.#collector.leftovers(watch.cluster, watch.parts, clock.now());
    if (nextAt !== undefined) this.decideBy(nextAt);
    if (parts.length + leases.length === 0) return;
    const due = [
      ...parts.map((part) => () => this.#delete(RESOURCES.configMaps, part)),
      ...leases.map((lease) => () => this.#delete(RESOURCES.leases, lease)),
    ];
    this.#collecting = true;
    void inParallel(due, DELETIONS_AT_A_TIME, (deletion) => deletion()).finally(() => {
      this.#collecting = false;
      this.decideBy(clock.now()); // what has become due in the meantime
    });
  }

  async #delete(resource: Resource, { metadata: { namespace, name, uid } }: KubernetesObject): Promise<void> {
    const { client, clock, signal, onWrite, onError } = this.#options;
    onWrite("delete");
    try {
      await client.delete({ resource, namespace, name }, { uid, signal });
      if (resource === RESOURCES.configMaps) this.#options.watch.partGone(`${namespace}/${name}`);
    } catch (error) {
      if (signal.aborted) return;
      onError(`${resource.kind} ${namespace}/${name}, which is not in use any more`, error, BACKOFF.maxMs);
      this.decideBy(clock.now() + BACKOFF.maxMs);
    }
  }
}

function statusWrites({ routeStatuses, gatewayStatuses }: PassResult): StatusWrite[] {
  const write = (resource: Resource) => (change: PassResult[`${"route" | "gateway"}Statuses`][number]) => ({
    resource,
    metadata: change.entry.metadata,
    status: change.status,
    flips: change.flips,
  });
  return [
    ...gatewayStatuses.map(write(RESOURCES.webSocketGateways)),
    ...routeStatuses.map(write(RESOURCES.webSocketRoutes)),
  ];
}
