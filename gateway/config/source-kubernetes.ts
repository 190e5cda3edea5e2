/**
 * A gateway's snapshots from the Kubernetes API: two watches (the ConfigMaps of this gateway by label, its Secret by name)
 * feed one assembly, and what assembles is offered to the holder. While the API server is away, what was last good serves.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { KubeClient } from "../../kube/client.ts";
import type { Clock } from "../../kube/clock.ts";
import { type ListWatchState, listWatch } from "../../kube/listwatch.ts";
import type { KubeObject } from "../../kube/objects.ts";
import { RESOURCES } from "../../kube/resources.ts";
import type { Log } from "../observe/log.ts";
import { SNAPSHOT_OBJECTS } from "../snapshot.ts";
import { Assembler, type CarrierObject, type Carriers } from "./assemble.ts";
import type { LastGood } from "./last-good.ts";
import type { SnapshotHolder } from "./source.ts";

export interface KubernetesSourceOptions {
  readonly client: Pick<KubeClient, "list" | "watch">;
  /** The WebSocketGateway that this process serves. */
  readonly gateway: { readonly namespace: string; readonly name: string };
  readonly holder: SnapshotHolder;
  readonly lastGood: LastGood | undefined;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

type Carrier = KubeObject & CarrierObject;

/** Parts have 128 KiB as a rule: as many as are parsed in a few milliseconds, when connections are open and the watch begins anew. */
const LISTED_AT_ONCE = 10;

/** Runs until the signal aborts, then resolves; it never rejects. */
export async function followKubernetes(options: KubernetesSourceOptions): Promise<void> {
  const source = new KubernetesSource(options);
  await source.startFromDisk();
  await source.follow();
}

class KubernetesSource {
  readonly #options: KubernetesSourceOptions;
  readonly #assembler = new Assembler();
  readonly #configMaps = new Map<string, Carrier>();
  #secret: Carrier | undefined;
  /** What has been listed at least once; before both are, an absent object only means that it is not known yet. */
  readonly #synced = { configMaps: false, secret: false };
  #assemblyDue = false;

  constructor(options: KubernetesSourceOptions) {
    this.#options = options;
  }

  /** Serves the stored snapshot until the API server has something to say. */
  async startFromDisk(): Promise<void> {
    const { lastGood, holder, log } = this.#options;
    const carriers = await lastGood?.load();
    if (carriers === undefined) return;
    const assembled = this.#assembler.assemble(carriers);
    if (assembled.kind !== "candidate")
      return log.warn({ event: "snapshot", ...assembled }, "stored snapshot unusable");
    await holder.offer(assembled.candidate);
    const { revision, sequence } = assembled.candidate.snapshot;
    log.info({ event: "snapshot", revision, sequence }, "serving the stored snapshot");
  }

  async follow(): Promise<void> {
    const { gateway } = this.#options;
    await Promise.all([
      this.#watch("configMaps", `${SNAPSHOT_OBJECTS.gatewayLabel}=${gateway.name}`),
      this.#watch("secret", `metadata.name=${SNAPSHOT_OBJECTS.secretName(gateway.name)}`),
    ]);
  }

  #watch(what: "configMaps" | "secret", selector: string): Promise<void> {
    const { client, gateway, clock, random, signal } = this.#options;
    const set = (object: Carrier, change: "present" | "deleted") => {
      if (what === "configMaps" && change === "present") this.#configMaps.set(object.metadata.name, object);
      else if (what === "configMaps") this.#configMaps.delete(object.metadata.name);
      else this.#secret = change === "present" ? object : undefined;
    };
    return listWatch<Carrier>({
      client,
      resource: what === "configMaps" ? RESOURCES.configMaps : RESOURCES.secrets,
      namespace: gateway.namespace,
      ...(what === "configMaps" ? { labelSelector: selector } : { fieldSelector: selector }),
      pageSize: LISTED_AT_ONCE,
      onSync: (objects) => {
        for (const object of objects) set(object, "present");
        this.#synced[what] = true;
        this.#scheduleAssembly();
      },
      onEvent: ({ type, object }) => {
        set(object, type === "DELETED" ? "deleted" : "present");
        this.#scheduleAssembly();
      },
      onState: (state) => this.#tell(what, state),
      clock,
      random,
      signal,
    });
  }

  #tell(what: string, state: ListWatchState): void {
    const { log } = this.#options;
    if (state.state === "synced") {
      log.debug({ event: "watch", what }, "listed");
      return;
    }
    const { error, failures, retryInMs } = state;
    log.warn({ event: "watch", what, error: String(error), failures, retryInMs }, "watch interrupted");
  }

  /** Events of one write arrive together: they make one assembly. */
  #scheduleAssembly(): void {
    if (this.#assemblyDue || !this.#synced.configMaps || !this.#synced.secret) return;
    this.#assemblyDue = true;
    setImmediate(() => void this.#prepareAndAssemble());
  }

  async #prepareAndAssemble(): Promise<void> {
    await this.#assembler.prepare(() => this.#carriers(), nextTurn);
    this.#assemblyDue = false;
    await this.#assemble();
  }

  #carriers(): Carriers {
    const index = this.#configMaps.get(SNAPSHOT_OBJECTS.indexName(this.#options.gateway.name));
    return { index, parts: this.#configMaps, secret: this.#secret };
  }

  async #assemble(): Promise<void> {
    const { holder, lastGood, log } = this.#options;
    const carriers = this.#carriers();
    const { index } = carriers;
    const assembled = this.#assembler.assemble(carriers);
    if (assembled.kind === "waiting") return log.debug({ event: "snapshot", for: assembled.for }, "waiting");
    if (assembled.kind === "refused") return holder.refuse(assembled.reason);
    const { candidate } = assembled;
    if (candidate.snapshot.revision === holder.current?.snapshot.revision && holder.refused === undefined) return;
    await holder.offer(candidate);
    if (holder.current?.snapshot !== candidate.snapshot) return;
    await lastGood?.save(this.#carriersOf(index)).catch((error: unknown) => {
      log.warn({ event: "snapshot", error: String(error) }, "the snapshot could not be stored on disk");
    });
  }

  /** The carriers as they are now, without parts that only an older index names. */
  #carriersOf(index: CarrierObject | undefined): Carriers {
    const parts = new Map<string, CarrierObject>();
    for (const name of this.#assembler.partNames(index)) {
      const part = this.#configMaps.get(name);
      if (part !== undefined) parts.set(name, part);
    }
    return { index, parts, secret: this.#secret };
  }
}
