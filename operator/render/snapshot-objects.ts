/** From a plan to the Kubernetes objects that carry it: immutable parts named by their content, an index, and one Secret. */
import type { SnapshotIndex } from "../../gateway/snapshot.ts";
import type { ConfigMap, Secret } from "../objects.ts";
import type { GatewayPlan } from "../translate/plan.ts";

export interface RenderInput {
  readonly plan: GatewayPlan;
  /** The index that stands in the API now (`readIndex`), which the sequence goes on from; undefined for a new gateway. */
  readonly previous: { readonly revision: string; readonly sequence: number } | undefined;
  /** The gateway's own Secret as it stands in the API: its connection-ID key and API token are kept. */
  readonly secret: Secret | undefined;
  /** Random bytes for the keys of a new Secret. */
  readonly random: (bytes: number) => Buffer;
}

export interface SnapshotObjects {
  readonly parts: readonly ConfigMap[];
  readonly index: ConfigMap;
  /** Complete: to be written as it is, before the index. Has `metadata.resourceVersion` when it existed before. */
  readonly secret: Secret;
}

export type RenderedSnapshot =
  | {
      readonly ok: true;
      readonly index: SnapshotIndex;
      readonly objects: SnapshotObjects;
      readonly secretValues: ReadonlyMap<string, string>;
    }
  | { readonly ok: false; readonly message: string };

/** Same input, same bytes. A plan that cannot fit gives `ok: false` and a message for people; the old snapshot stays then. */
export function renderSnapshot(_input: RenderInput): RenderedSnapshot {
  return { ok: false, message: "not written yet" };
}

/** Revision and sequence of an index ConfigMap; undefined when it holds none that can be read. */
export function readIndex(_object: ConfigMap | undefined): RenderInput["previous"] {
  return undefined;
}
