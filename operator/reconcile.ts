/** One run of the loop: gather, decide, write. Everything that is decided is decided in `pass`; this is the order of the effects. */
import { randomBytes } from "node:crypto";
import type { KubeClient } from "../kube/client.ts";
import type { Clock } from "../kube/clock.ts";
import { RESOURCES, type Resource } from "../kube/resources.ts";
import { applySnapshot } from "./apply.ts";
import { Collector } from "./collect.ts";
import type { KubernetesObject } from "./objects.ts";
import { inParallel } from "./parallel.ts";
import { EMPTY_MEMORY, type PassMemory, type PassResult, pass } from "./pass.ts";
import { referencedNames } from "./references.ts";
import { Retries } from "./retries.ts";
import type { StatusWrite } from "./status-writer.ts";
import type { TranslateOptions } from "./translate/plan.ts";
import type { ClusterWatch } from "./watch.ts";

export interface ReconcileOptions {
  readonly client: KubeClient;
  readonly watch: ClusterWatch;
  readonly translate: TranslateOptions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly onWrite: (kind: string) => void;
  /** A write that failed, in `what`'s words; it is tried again in `retryInMs`. */
  readonly onError: (what: string, error: unknown, retryInMs: number) => void;
  readonly offerStatuses: (writes: readonly StatusWrite[]) => void;
  /** Another run is wanted by this time (clock's milliseconds). */
  readonly wakeBy: (time: number) => void;
}

const GATEWAYS_AT_A_TIME = 4;
const DELETIONS_AT_A_TIME = 4;
const BACKOFF = { firstMs: 200, maxMs: 30_000 };

export class Reconciler {
  readonly #options: ReconcileOptions;
  readonly #collector = new Collector();
  readonly #retries: Retries;
  readonly #notOwned = new Map<string, string>();
  #memory: PassMemory = EMPTY_MEMORY;

  constructor(options: ReconcileOptions) {
    this.#options = options;
    this.#retries = new Retries(BACKOFF, options.random);
  }

  /** Resolves to false when the store is no ground for a decision yet: nothing was written then. */
  async run(): Promise<boolean> {
    const { watch, translate, clock, offerStatuses, wakeBy } = this.#options;
    if (watch.unsynced().length > 0) return false;
    watch.follow(referencedNames(watch.cluster));
    if (watch.unsynced().length > 0) return false;
    const result = pass({
      cluster: watch.cluster,
      memory: this.#memory,
      options: translate,
      notOwned: this.#notOwned,
      now: clock.now(),
      random: randomBytes,
    });
    this.#memory = result.memory;
    await this.#applyAll(result.gateways);
    offerStatuses(statusWrites(result));
    await this.#collect();
    if (result.wakeAt !== undefined) wakeBy(result.wakeAt);
    return true;
  }

  async #applyAll(gateways: PassResult["gateways"]): Promise<void> {
    const keys = new Set(gateways.map(({ plan }) => plan.key));
    this.#retries.keepOnly(keys);
    for (const key of this.#notOwned.keys()) if (!keys.has(key)) this.#notOwned.delete(key);
    await inParallel(gateways, GATEWAYS_AT_A_TIME, (gateway) => this.#applyOne(gateway));
  }

  async #applyOne({ plan: { key }, rendered }: PassResult["gateways"][number]): Promise<void> {
    const { client, watch, clock, signal, onWrite, onError, wakeBy } = this.#options;
    if (!rendered.ok) return;
    const notBefore = this.#retries.notBefore(key);
    if (notBefore > clock.now()) return wakeBy(notBefore);
    try {
      const outcome = await applySnapshot({ client, watch, onWrite, signal }, rendered.objects);
      this.#retries.succeeded(key);
      this.#noteOwnership(key, outcome.ok ? undefined : outcome.message);
    } catch (error) {
      if (signal.aborted) return;
      const retryInMs = this.#retries.failed(key, clock.now());
      onError(`the snapshot of gateway ${key}`, error, retryInMs);
      wakeBy(clock.now() + retryInMs);
    }
  }

  /** The status has to tell it, which takes another pass; while it lasts, we look again now and then. */
  #noteOwnership(key: string, message: string | undefined): void {
    const { clock, wakeBy } = this.#options;
    if (this.#notOwned.get(key) !== message) wakeBy(clock.now());
    if (message === undefined) this.#notOwned.delete(key);
    else {
      this.#notOwned.set(key, message);
      wakeBy(clock.now() + BACKOFF.maxMs);
    }
  }

  async #collect(): Promise<void> {
    const { watch, clock, wakeBy } = this.#options;
    const { parts, leases, nextAt } = this.#collector.leftovers(watch.cluster, watch.parts, clock.now());
    if (nextAt !== undefined) wakeBy(nextAt);
    await inParallel(parts, DELETIONS_AT_A_TIME, (part) => this.#delete(RESOURCES.configMaps, part));
    await inParallel(leases, DELETIONS_AT_A_TIME, (lease) => this.#delete(RESOURCES.leases, lease));
  }

  async #delete(resource: Resource, { metadata: { namespace, name, uid } }: KubernetesObject): Promise<void> {
    const { client, clock, signal, onWrite, onError, wakeBy } = this.#options;
    onWrite("delete");
    try {
      await client.delete({ resource, namespace, name }, { uid, signal });
    } catch (error) {
      if (signal.aborted) return;
      onError(`${resource.kind} ${namespace}/${name}, which is not in use any more`, error, BACKOFF.maxMs);
      wakeBy(clock.now() + BACKOFF.maxMs);
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
