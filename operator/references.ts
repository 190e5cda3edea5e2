/** Which Secrets, ConfigMaps and Services anything refers to: the operator reads these by name and no others. */
import type { Cluster } from "./cluster.ts";

/** Sorted `namespace/name`s. A reference that no grant allows is not among them, so that nothing is read from there. */
export interface ReferencedNames {
  readonly secrets: readonly string[];
  readonly configMaps: readonly string[];
  readonly services: readonly string[];
}

export function referencedNames(_cluster: Cluster): ReferencedNames {
  return { secrets: [], configMaps: [], services: [] };
}
