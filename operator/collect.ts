/** What is left behind and may go: parts that no index names any more, and Leases of pods that are long gone. Pure but for its memory. */
import { SNAPSHOT_OBJECTS, SnapshotIndex } from "../gateway/snapshot.ts";
import { type Cluster, readAcknowledgement } from "./cluster.ts";
import type { ConfigMap, KubernetesObject } from "./objects.ts";

/** A gateway that reads an older index must still find its parts for a while. */
export const PART_GRACE_MS = 60_000;
export const LEASE_GRACE_MS = 600_000;

export interface Leftovers {
  readonly parts: readonly KubernetesObject[];
  readonly leases: readonly KubernetesObject[];
  /** When there is going to be more, ms since the epoch. */
  readonly nextAt: number | undefined;
}

/** Remembers since when each part has been out of use. After a restart the grace begins anew. */
export class Collector {
  readonly #unusedSince = new Map<string, number>();

  leftovers(cluster: Cluster, parts: ReadonlyMap<string, KubernetesObject>, now: number): Leftovers {
    const used = usedParts(cluster);
    for (const key of this.#unusedSince.keys()) {
      if (used.has(key) || !parts.has(key)) this.#unusedSince.delete(key);
    }
    const due: KubernetesObject[] = [];
    let nextAt = Number.POSITIVE_INFINITY;
    for (const [key, part] of parts) {
      if (used.has(key)) continue;
      const since = this.#unusedSince.get(key) ?? now;
      this.#unusedSince.set(key, since);
      if (since + PART_GRACE_MS <= now) due.push(part);
      else nextAt = Math.min(nextAt, since + PART_GRACE_MS);
    }
    const leases = [...cluster.leases.values()].filter((entry) => {
      const expiresAt = readAcknowledgement(entry)?.expiresAt;
      return expiresAt !== undefined && expiresAt + LEASE_GRACE_MS <= now;
    });
    return {
      parts: due,
      leases: leases.map(({ lease }) => lease),
      nextAt: nextAt === Number.POSITIVE_INFINITY ? undefined : nextAt,
    };
  }
}

const partsOfIndex = new WeakMap<ConfigMap, readonly string[]>();

function usedParts(cluster: Cluster): Set<string> {
  const used = new Set<string>();
  for (const index of cluster.indexes.values()) {
    let keys = partsOfIndex.get(index);
    if (keys === undefined) {
      keys = readParts(index);
      partsOfIndex.set(index, keys);
    }
    for (const key of keys) used.add(key);
  }
  return used;
}

function readParts(index: ConfigMap): string[] {
  try {
    const text = index.data?.[SNAPSHOT_OBJECTS.indexKey] ?? "";
    const { parts } = SnapshotIndex.pick({ parts: true }).loose().parse(JSON.parse(text));
    return parts.map(({ object }) => `${index.metadata.namespace}/${object}`);
  } catch {
    return []; // an index that cannot be read names no part; it is about to be written again
  }
}
