/** Keeps what is known of all fleets like the cluster: a list-watch loop for each kind, by the labels that the operator gives. */
import { SNAPSHOT_OBJECTS } from "../../gateway/snapshot.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Clock } from "../../kube/clock.ts";
import { KubeError } from "../../kube/error.ts";
import { type ListWatchState, leanObject, listWatch } from "../../kube/listwatch.ts";
import type { KubeObject } from "../../kube/objects.ts";
import { RESOURCES, type Resource } from "../../kube/resources.ts";
import { isNewer } from "../intake.ts";
import { type KubernetesObject, namespacedName } from "../objects.ts";
import { FLEET_ROLE } from "../render/fleet/identity.ts";
import { FLEET_RESOURCES, type FleetPod, kindAndName, type LivePod, leanPod } from "./objects.ts";

export interface FleetWatchOptions {
  readonly client: Pick<KubeClient, "list" | "watch">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Something is different that a pass would read. */
  readonly onChange: () => void;
  readonly onState: (what: string, state: ListWatchState) => void;
}

export class FleetWatch {
  /** By `kindAndName`. */
  readonly objects = new Map<string, KubernetesObject>();
  /** By `namespace/name`. */
  readonly pods = new Map<string, FleetPod>();
  readonly ended: Promise<unknown>;
  readonly #options: FleetWatchOptions;
  readonly #unsynced = new Set<string>();
  readonly #refused = new Map<string, string>();

  constructor(options: FleetWatchOptions) {
    this.#options = options;
    const { role, pod } = { role: FLEET_ROLE, pod: SNAPSHOT_OBJECTS.roles.pod };
    this.ended = Promise.all([
      ...FLEET_RESOURCES.map((resource) =>
        this.#watch(resource, role, {
          put: (object) => this.#put(object),
          remove: (object) => this.objects.delete(kindAndName(object)),
        }),
      ),
      this.#watch(RESOURCES.pods, pod, {
        put: (object) => this.#putPod(object),
        remove: (object) => this.pods.delete(namespacedName(object)),
      }),
    ]);
  }

  /** What has not been read for the first time yet. */
  unsynced(): string[] {
    return [...this.#unsynced];
  }

  /** Kinds that may not be read, with the server's words: fleets are left alone while there is one. */
  refused(): string[] {
    return [...this.#refused.values()];
  }

  /** Takes in what the operator has just written, before the watch brings it. */
  took(resource: Resource, object: KubernetesObject): void {
    const lean = leanObject(resource, object);
    if (resource === RESOURCES.pods) this.#putPod(leanPod(lean as LivePod));
    else this.#put(lean);
  }

  #put(object: KubernetesObject): boolean {
    const key = kindAndName(object);
    const before = this.objects.get(key);
    if (before !== undefined && !isNewer(object, before)) return false;
    this.objects.set(key, object);
    return before === undefined || said(before) !== said(object);
  }

  #putPod(object: KubernetesObject): boolean {
    const pod = object as FleetPod;
    const key = namespacedName(pod);
    const before = this.pods.get(key);
    if (before !== undefined && !isNewer(pod, before)) return false;
    this.pods.set(key, pod);
    return (
      before?.trouble !== pod.trouble ||
      before?.isUnready !== pod.isUnready ||
      before?.metadata.uid !== pod.metadata.uid
    );
  }

  #watch(
    resource: Resource,
    role: string,
    into: { put: (object: KubernetesObject) => boolean; remove: (object: KubernetesObject) => boolean },
  ): Promise<void> {
    const { client, clock, random, signal, onChange } = this.#options;
    const what = `${resource.plural} of fleets`;
    this.#unsynced.add(what);
    return listWatch<KubeObject>({
      client,
      resource,
      labelSelector: `${SNAPSHOT_OBJECTS.roleLabel}=${role}`,
      trim: (object) => (resource === RESOURCES.pods ? leanPod(object as LivePod) : object),
      onSync: (objects) => {
        for (const object of objects) into.put(object);
      },
      onEvent: ({ type, object }) => {
        if (type === "DELETED" ? into.remove(object) : into.put(object)) onChange();
      },
      onState: (state) => this.#note(what, state),
      clock,
      random,
      signal,
    });
  }

  #note(what: string, state: ListWatchState): void {
    this.#options.onState(what, state);
    const { error } = state.state === "failed" ? state : {};
    // Routes must not have to wait until somebody grants what only fleets need.
    if (error instanceof KubeError && error.status === 403) this.#refused.set(what, error.message);
    else if (state.state === "synced") this.#refused.delete(what);
    else return;
    this.#unsynced.delete(what);
    this.#options.onChange();
  }
}

/** What an object says: an autoscaler's status, and everybody's version, change without telling us anything. */
function said(object: KubernetesObject): string {
  const { resourceVersion: _resourceVersion, ...metadata } = object.metadata;
  const { status, ...rest } = object as KubernetesObject & { readonly status?: unknown };
  return JSON.stringify([rest, metadata, object.kind === RESOURCES.horizontalPodAutoscalers.kind ? null : status]);
}
