/**
 * Keeps the Cluster store like the cluster: a list-watch loop for each kind, and one for each Secret and ConfigMap that something
 * refers to, so that nothing else of those is ever read.
 */
import { SNAPSHOT_OBJECTS } from "../gateway/snapshot.ts";
import type { KubeClient } from "../kube/client.ts";
import type { Clock } from "../kube/clock.ts";
import { isForbidden, isNotFound } from "../kube/error.ts";
import { type ListWatchOptions, type ListWatchState, leanObject, listWatch } from "../kube/listwatch.ts";
import type { KubeObject } from "../kube/objects.ts";
import { RESOURCES } from "../kube/resources.ts";
import { type ClusterStore, createClusterStore } from "./cluster.ts";
import { CLUSTER_INTAKES, type Intake, type IntakeContext, NAMED_INTAKES, type Wake } from "./intake.ts";
import { type ConfigMap, type KubernetesObject, namespacedName } from "./objects.ts";
import type { ReferencedNames } from "./references.ts";

export interface WatchClusterOptions {
  readonly client: Pick<KubeClient, "list" | "watch">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Something is different that a pass would read. */
  readonly onChange: (wake: Exclude<Wake, "no">) => void;
  /** See `IntakeContext`. */
  readonly writesStatus?: IntakeContext["writesStatus"];
  /** For logs and metrics; `what` names a kind, or a kind and an object. */
  readonly onState: (what: string, state: ListWatchState) => void;
}

export interface ClusterWatch {
  readonly cluster: ClusterStore;
  /** Metadata of the snapshot parts in the cluster, by `namespace/name`. */
  readonly parts: ReadonlyMap<string, KubernetesObject>;
  /** What has not been read for the first time yet. While there is any, the store is no ground for a decision. */
  unsynced(): string[];
  /** Reads exactly these Secrets and ConfigMaps from now on, and minds these Services. */
  follow(names: ReferencedNames): void;
  /** Takes in what the operator has just written, before the watch brings it. */
  took(object: KubernetesObject): void;
  /** The same of a part (`namespace/name`) that it has deleted: when the watch tells of it, there is nothing to put right. */
  partGone(key: string): void;
  /** Resolves when every loop has ended after the signal. */
  readonly ended: Promise<unknown>;
}

export function watchCluster(options: WatchClusterOptions): ClusterWatch {
  return new Watches(options);
}

interface Named {
  readonly stop: AbortController;
}

class Watches implements ClusterWatch {
  readonly cluster = createClusterStore();
  readonly parts = new Map<string, KubernetesObject>();
  readonly ended: Promise<unknown>;
  readonly #partIntake = partIntake(this.parts);
  readonly #options: WatchClusterOptions;
  readonly #unsynced = new Set<string>();
  readonly #named = { secrets: new Map<string, Named>(), configMaps: new Map<string, Named>() };
  readonly #namedLoops = new Set<Promise<void>>();
  #services: ReadonlySet<string> = new Set();
  #followed: ReferencedNames | undefined;

  constructor(options: WatchClusterOptions) {
    this.#options = options;
    const loops = CLUSTER_INTAKES.map((intake) => this.#watchKind(intake));
    const all = Promise.all([...loops, this.#watchParts()]);
    this.ended = all.then(() => Promise.all(this.#namedLoops));
  }

  unsynced(): string[] {
    return [...this.#unsynced];
  }

  follow(names: ReferencedNames): void {
    if (names === this.#followed) return;
    this.#followed = names;
    this.#services = new Set(names.services);
    this.#followNames("secrets", names.secrets);
    this.#followNames("configMaps", names.configMaps);
  }

  took(object: KubernetesObject): void {
    const intake = object.kind === RESOURCES.secrets.kind ? NAMED_INTAKES.secrets : this.#intakeOf(object);
    intake.put(this.#context(), intake.trim(leanObject(intake.resource, object)));
  }

  partGone(key: string): void {
    this.parts.delete(key);
  }

  #intakeOf({ kind, metadata }: KubernetesObject): Intake {
    if (metadata.labels?.[SNAPSHOT_OBJECTS.roleLabel] === SNAPSHOT_OBJECTS.roles.part) return this.#partIntake;
    const intake = CLUSTER_INTAKES.find(({ resource }) => resource.kind === kind);
    if (intake === undefined) throw new Error(`the operator does not watch ${kind}`);
    return intake;
  }

  #context(): IntakeContext {
    const { clock, writesStatus } = this.#options;
    return { store: this.cluster, services: this.#services, now: clock.now(), writesStatus };
  }

  #wake(wake: Wake): void {
    if (wake !== "no") this.#options.onChange(wake);
  }

  #watchKind(intake: Intake): Promise<void> {
    const { resource, labelSelector } = intake;
    const what = labelSelector === undefined ? resource.plural : `${resource.plural} ${labelSelector}`;
    return this.#run(what, intake, { resource, labelSelector }, this.#options.signal);
  }

  #followNames(kind: keyof typeof NAMED_INTAKES, names: readonly string[]): void {
    const wanted = new Set(names);
    const followed = this.#named[kind];
    for (const [key, { stop }] of [...followed]) {
      if (wanted.has(key)) continue;
      stop.abort();
      followed.delete(key);
      this.cluster[kind].delete(key);
      this.cluster.forbidden.delete(`${kind} ${key}`);
      this.#unsynced.delete(`${kind} ${key}`);
    }
    for (const key of wanted) {
      if (!followed.has(key)) followed.set(key, { stop: this.#watchName(kind, key) });
    }
  }

  #watchName(kind: keyof typeof NAMED_INTAKES, key: string): AbortController {
    const stop = new AbortController();
    const abort = () => stop.abort();
    const { signal } = this.#options;
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    const intake = NAMED_INTAKES[kind];
    const [namespace, name] = key.split("/");
    const where = { resource: intake.resource, namespace, fieldSelector: `metadata.name=${name}` };
    const loop = this.#run(`${kind} ${key}`, intake, where, stop.signal).finally(() => {
      signal.removeEventListener("abort", abort);
      this.#namedLoops.delete(loop);
    });
    this.#namedLoops.add(loop);
    return stop;
  }

  #run(
    what: string,
    intake: Intake,
    where: Pick<ListWatchOptions<KubeObject>, "resource" | "namespace" | "labelSelector" | "fieldSelector">,
    signal: AbortSignal,
  ): Promise<void> {
    const { client, clock, random } = this.#options;
    this.#unsynced.add(what);
    return listWatch<KubeObject>({
      client,
      ...where,
      trim: (object) => intake.trim(object) as KubeObject,
      onSync: (objects) => {
        if (signal.aborted) return;
        for (const object of objects) intake.put(this.#context(), object);
      },
      onEvent: ({ type, object }) => {
        if (signal.aborted) return;
        this.#wake(type === "DELETED" ? intake.remove(this.#context(), object) : intake.put(this.#context(), object));
      },
      onState: (state) => this.#note(what, intake, state),
      clock,
      random,
      signal,
    });
  }

  #note(what: string, intake: Intake, state: ListWatchState): void {
    const isMissing = state.state === "failed" && intake.definition === "optional" && isNotFound(state.error);
    if (isMissing) {
      if (this.cluster.referenceGrants !== "notInstalled") this.#wake("now");
      this.cluster.referenceGrants = "notInstalled";
    } else {
      this.#options.onState(what, state);
      if (intake.definition === "named") this.#noteForbidden(what, state);
      if (state.state !== "synced") return;
      if (intake.definition === "optional" && this.cluster.referenceGrants === "notInstalled") {
        this.cluster.referenceGrants = new Map();
        this.#wake("now");
      }
    }
    this.#synced(what);
  }

  /** What we may not read is for a route as if it were not there; it must not hold up all the others. */
  #noteForbidden(what: string, state: ListWatchState): void {
    const forbidden = state.state === "failed" && isForbidden(state.error);
    if (!forbidden && state.state !== "synced") return;
    const before = this.cluster.forbidden.has(what);
    if (forbidden) this.cluster.forbidden.add(what);
    else this.cluster.forbidden.delete(what);
    if (before !== forbidden) this.#wake("now");
    if (forbidden) this.#synced(what);
  }

  #synced(what: string): void {
    if (this.#unsynced.delete(what)) this.#wake("now");
  }

  #watchParts(): Promise<void> {
    const { resource, labelSelector } = this.#partIntake;
    const what = `${resource.plural} ${labelSelector}`;
    return this.#run(what, this.#partIntake, { resource, labelSelector }, this.#options.signal);
  }
}

/** Parts are followed by name only: what they hold is what we put there. */
function partIntake(parts: Map<string, KubernetesObject>): Intake {
  return {
    resource: RESOURCES.configMaps,
    labelSelector: `${SNAPSHOT_OBJECTS.roleLabel}=${SNAPSHOT_OBJECTS.roles.part}`,
    definition: "required",
    trim: withoutContent,
    put: (_context, object) => {
      parts.set(namespacedName(object), object);
      return "no";
    },
    remove: (_context, object) => (parts.delete(namespacedName(object)) ? "now" : "no"),
  };
}

function withoutContent({ data: _data, binaryData: _binaryData, ...object }: ConfigMap): KubernetesObject {
  return object;
}
