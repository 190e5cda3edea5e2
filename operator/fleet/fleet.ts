/**
 * The effects of running fleets: writes what a gateway's pods need, tells what became of it, and says which pods a scale-down
 * should take. Only an operator that was given an image has one of these; another leaves all fleets as they are.
 */
import type { KubeClient } from "../../kube/client.ts";
import type { Clock } from "../../kube/clock.ts";
import { isNotFound } from "../../kube/error.ts";
import type { ListWatchState } from "../../kube/listwatch.ts";
import { RESOURCES } from "../../kube/resources.ts";
import type { Cluster, GatewayEntry } from "../cluster.ts";
import { inParallel } from "../parallel.ts";
import { renderFleet } from "../render/fleet/fleet.ts";
import type { PodImage } from "../render/fleet/pod.ts";
import { Retries } from "../retries.ts";
import type { Objection } from "../translate/condition.ts";
import { applyFleet, type WantedFleet } from "./apply.ts";
import { type CostChange, DeletionCosts } from "./deletion-cost.ts";
import { type FleetView, fleetFacts } from "./facts.ts";
import { DELETION_COST_ANNOTATION, kindAndName } from "./objects.ts";
import { FleetWatch } from "./watch.ts";

export interface FleetOptions {
  readonly client: KubeClient;
  readonly image: PodImage;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly onChange: () => void;
  readonly onState: (what: string, state: ListWatchState) => void;
  readonly onWrite: (kind: string) => void;
  /** A write that failed, in `what`'s words; it is tried again in `retryInMs`. */
  readonly onError: (what: string, error: unknown, retryInMs: number) => void;
  /** Another pass is wanted by this time (clock's milliseconds). */
  readonly decideBy: (time: number) => void;
}

const FLEETS_AT_A_TIME = 4;
const PODS_AT_A_TIME = 4;
const BACKOFF = { firstMs: 200, maxMs: 30_000 };

export class Fleet {
  readonly watch: FleetWatch;
  readonly #options: FleetOptions;
  readonly #retries: Retries;
  readonly #costs = new DeletionCosts();
  readonly #objections = new Map<string, Objection>();

  constructor(options: FleetOptions) {
    const { client, clock, random, signal, onChange, onState } = options;
    this.#options = options;
    this.#retries = new Retries(BACKOFF, random);
    this.watch = new FleetWatch({ client, clock, random, signal, onChange, onState });
  }

  /** By gateway key, for the gateways that the operator runs. */
  view(cluster: Cluster): ReadonlyMap<string, FleetView> {
    const facts = fleetFacts(this.watch);
    const [forbidden] = this.watch.refused();
    const views = new Map<string, FleetView>();
    for (const [key, entry] of cluster.gateways) {
      if (!isManaged(entry)) continue;
      const refused: Objection | undefined = forbidden ? { reason: "FleetRefused", message: forbidden } : undefined;
      views.set(key, { facts: facts.get(key), objection: refused ?? this.#objections.get(key) });
    }
    return views;
  }

  /** Brings the fleets of accepted gateways to what they should be. Failures are told and tried again; it never rejects. */
  async reconcile(gateways: readonly { readonly key: string; readonly entry: GatewayEntry }[]): Promise<void> {
    if (this.watch.refused().length > 0) return;
    const keys = new Set(gateways.map(({ key }) => key));
    this.#retries.keepOnly(new Set(gateways.map(({ key, entry }) => attemptOf(key, entry))));
    for (const key of this.#objections.keys()) if (!keys.has(key)) this.#objections.delete(key);
    await inParallel(gateways, FLEETS_AT_A_TIME, ({ key, entry }) => this.#reconcileOne(key, entry));
  }

  /** Writes the pods' deletion costs where their connections have changed; it never rejects. */
  async weighPods({ leases }: Cluster): Promise<void> {
    const { clock, decideBy } = this.#options;
    const { changes, nextAt } = this.#costs.due(this.watch.pods.values(), leases, clock.now());
    if (nextAt !== undefined) decideBy(nextAt);
    await inParallel(changes, PODS_AT_A_TIME, (change) => this.#weigh(change));
  }

  async #reconcileOne(key: string, entry: GatewayEntry): Promise<void> {
    const { client, clock, signal, onError, decideBy } = this.#options;
    const wanted = this.#wanted(key, entry);
    if (wanted === undefined) return;
    const attempt = attemptOf(key, entry);
    const notBefore = this.#retries.notBefore(attempt);
    if (notBefore > clock.now()) return decideBy(notBefore);
    const onWrite = (kind: string) => {
      this.#options.onWrite(kind);
      // What is written here comes back as nothing new; the status has to tell of it.
      decideBy(clock.now());
    };
    try {
      const objection = await applyFleet({ client, watch: this.watch, onWrite, signal }, wanted);
      if (objection === undefined) this.#retries.succeeded(attempt);
      else decideBy(clock.now() + this.#retries.failed(attempt, clock.now()));
      this.#note(key, objection);
    } catch (error) {
      if (signal.aborted) return;
      const retryInMs = this.#retries.failed(attempt, clock.now());
      onError(`the fleet of gateway ${key}`, error, retryInMs);
      decideBy(clock.now() + retryInMs);
    }
  }

  #wanted(key: string, { metadata, parsed }: GatewayEntry): WantedFleet | undefined {
    // What is made now for one that is going would only be in the way of those who remove it.
    if (!parsed.ok || metadata.deletionTimestamp !== undefined) return undefined;
    const { spec } = parsed.value;
    const { image } = this.#options;
    const objects = spec.management === "External" ? [] : renderFleet({ metadata, spec, image });
    return { key, uid: metadata.uid, objects, bounds: spec.autoscaling };
  }

  /** The status has to tell it, which takes another pass. */
  #note(key: string, objection: Objection | undefined): void {
    const { clock, decideBy } = this.#options;
    if (this.#objections.get(key)?.message !== objection?.message) decideBy(clock.now());
    if (objection === undefined) this.#objections.delete(key);
    else this.#objections.set(key, objection);
  }

  async #weigh({ pod, cost }: CostChange): Promise<void> {
    const { client, clock, signal, onWrite, onError, decideBy } = this.#options;
    const { namespace, name, uid } = pod.metadata;
    const patch = { metadata: { uid, annotations: { [DELETION_COST_ANNOTATION]: String(cost) } } };
    onWrite("deletion_cost");
    try {
      this.watch.took(
        RESOURCES.pods,
        await client.merge({ resource: RESOURCES.pods, namespace, name }, patch, { signal }),
      );
    } catch (error) {
      if (isNotFound(error) || signal.aborted) return;
      onError(`the deletion cost of ${kindAndName(pod)}`, error, BACKOFF.maxMs);
      decideBy(clock.now() + BACKOFF.maxMs);
    }
  }
}

/** A changed gateway is worth a try at once, however often the one before has failed. */
function attemptOf(key: string, { metadata }: GatewayEntry): string {
  return `${key} ${metadata.uid} ${metadata.generation}`;
}

function isManaged({ parsed }: GatewayEntry): boolean {
  return parsed.ok && parsed.value.spec.management !== "External";
}
