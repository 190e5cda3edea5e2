/**
 * The gateway's word to the operator: one Lease, renewed every two seconds and at once after a swap or a refusal, that carries
 * what this process serves. While it drains the Lease says so, with how many connections are left; it is deleted at the end, so
 * that a pod that left is not mistaken for one that was lost.
 */
import type { KubeClient } from "../../kube/client.ts";
import type { Clock } from "../../kube/clock.ts";
import { deleteLease, renewLease } from "../../kube/lease.ts";
import type { Log } from "../observe/log.ts";
import { SNAPSHOT_OBJECTS } from "../snapshot.ts";
import type { SnapshotSource } from "./source.ts";

/** Milliseconds between renewals, and how many seconds a Lease lives without one. */
const RENEWAL = { everyMs: 2_000, durationSeconds: 6 };
/** Longest reason that is written; an annotation is no place for a book. */
const MAX_REASON = 1_024;

export interface AcknowledgeOptions {
  readonly client: Pick<KubeClient, "apply" | "delete">;
  readonly gateway: { readonly namespace: string; readonly name: string };
  /** This process's name among the gateway's pods. */
  readonly pod: string;
  /** Where the process runs in a pod: the Lease goes with it, also when nobody is left who could delete it. */
  readonly podUid?: string | undefined;
  readonly source: SnapshotSource;
  /** What the process can say of itself at this moment. */
  readonly state: () => { readonly ready: boolean; readonly connections: number };
  /** Aborts when the process begins to send its clients away. */
  readonly leaving: AbortSignal;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the last connection has gone. */
  readonly signal: AbortSignal;
}

/** Runs until the signal aborts, then deletes the Lease and resolves; it never rejects. */
export async function acknowledge(options: AcknowledgeOptions): Promise<void> {
  const { client, gateway, pod, source, log, signal } = options;
  const name = `${SNAPSHOT_OBJECTS.indexName(gateway.name)}-${pod}`;
  const bell = new Bell(options.clock, signal);
  source.onChange(() => bell.ring());
  options.leaving.addEventListener("abort", () => bell.ring());
  let failing = false;
  while (!signal.aborted) {
    bell.reset();
    try {
      await renewLease(client, renewal(options, name), { signal });
      if (failing) log.info({ event: "acknowledge" }, "the Lease is renewed again");
      failing = false;
    } catch (error) {
      if (!failing && !signal.aborted)
        log.warn({ event: "acknowledge", error: String(error) }, "the Lease cannot be renewed");
      failing = true;
    }
    await bell.rungWithin(RENEWAL.everyMs);
  }
  await deleteLease(client, { namespace: gateway.namespace, name }).catch((error: unknown) => {
    log.warn({ event: "acknowledge", error: String(error) }, "the Lease could not be deleted; it will expire");
  });
}

function renewal({ gateway, pod, podUid, source, state, leaving }: AcknowledgeOptions, name: string) {
  const { gatewayLabel, roleLabel, roles, acknowledgement: keys } = SNAPSHOT_OBJECTS;
  const { ready, connections } = state();
  const snapshot = source.current?.snapshot;
  return {
    namespace: gateway.namespace,
    name,
    labels: { [gatewayLabel]: gateway.name, [roleLabel]: roles.pod },
    annotations: {
      [keys.revision]: snapshot?.revision ?? "",
      [keys.sequence]: String(snapshot?.sequence ?? 0),
      [keys.connections]: String(connections),
      [keys.ready]: String(ready),
      [keys.draining]: leaving.aborted ? String(connections) : "",
      [keys.refused]: (source.refused ?? "").slice(0, MAX_REASON),
    },
    owner: podUid === undefined ? undefined : { apiVersion: "v1", kind: "Pod", name: pod, uid: podUid },
    holder: pod,
    durationSeconds: RENEWAL.durationSeconds,
    now: Date.now(),
    fieldManager: "holdfast-gateway",
  };
}

/** Waits for a time or for a ring, whichever comes first; a ring before the wait counts too. */
class Bell {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #rung = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.ring());
  }

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  reset(): void {
    this.#rung = this.#signal.aborted;
  }

  rungWithin(ms: number): Promise<void> {
    if (this.#rung) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, done);
      this.#wake = done;
      function done() {
        cancel();
        resolve();
      }
    });
  }
}
