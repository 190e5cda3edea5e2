/** Which pods a scale-down should take first: those with the fewest connections. Pure but for its memory. */
import { SNAPSHOT_OBJECTS } from "../../gateway/snapshot.ts";
import type { LeaseEntry } from "../cluster.ts";
import { readAcknowledgement } from "../cluster.ts";
import { DELETION_COST_ANNOTATION, type FleetPod } from "./objects.ts";

/** The ReplicaSet controller asks for restraint with updates of this annotation: a pod's is written at most this often, */
export const COST_EVERY_MS = 30_000;
/** and only when the number of connections has changed by more than this part of what stands there. */
export const COST_TOLERANCE = 0.1;
/** A deletion cost is an int32. */
const MAX_COST = 2_147_483_647;

export interface CostChange {
  readonly pod: FleetPod;
  readonly cost: number;
}

export interface CostChanges {
  readonly changes: readonly CostChange[];
  /** When a change that has to wait is due, ms since the epoch. */
  readonly nextAt: number | undefined;
}

export class DeletionCosts {
  /** When each pod's was written, by uid. */
  readonly #writtenAt = new Map<string, number>();

  /** What to write now. Each change that is returned counts as written. */
  due(pods: Iterable<FleetPod>, leases: ReadonlyMap<string, LeaseEntry>, now: number): CostChanges {
    const changes: CostChange[] = [];
    const seen = new Set<string>();
    let nextAt = Number.POSITIVE_INFINITY;
    for (const pod of pods) {
      const { uid = "", deletionTimestamp } = pod.metadata;
      seen.add(uid);
      const cost = deletionTimestamp === undefined ? newCost(pod, leases) : undefined;
      if (cost === undefined) continue;
      const notBefore = (this.#writtenAt.get(uid) ?? Number.NEGATIVE_INFINITY) + COST_EVERY_MS;
      if (notBefore > now) {
        nextAt = Math.min(nextAt, notBefore);
        continue;
      }
      this.#writtenAt.set(uid, now);
      changes.push({ pod, cost });
    }
    for (const uid of this.#writtenAt.keys()) if (!seen.has(uid)) this.#writtenAt.delete(uid);
    return { changes, nextAt: nextAt === Number.POSITIVE_INFINITY ? undefined : nextAt };
  }
}

/** Undefined when what stands there is near enough, or nobody has told. */
function newCost({ metadata }: FleetPod, leases: ReadonlyMap<string, LeaseEntry>): number | undefined {
  const gateway = metadata.labels?.[SNAPSHOT_OBJECTS.gatewayLabel] ?? "";
  const entry = leases.get(`${metadata.namespace}/${SNAPSHOT_OBJECTS.indexName(gateway)}-${metadata.name}`);
  const said = entry && readAcknowledgement(entry);
  if (said === undefined) return undefined;
  const cost = Math.min(said.connections, MAX_COST);
  // Kubernetes takes an absent annotation for 0.
  const before = Number(metadata.annotations?.[DELETION_COST_ANNOTATION] ?? 0) || 0;
  return Math.abs(cost - before) > COST_TOLERANCE * before ? cost : undefined;
}
