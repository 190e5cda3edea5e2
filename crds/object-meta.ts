/** The part of an object's metadata that Holdfast reads. */
import { z } from "zod";
import { label, objectName } from "./fields.ts";

/** Loose, because the API server sends more than this and none of it is ours to judge. */
export const ObjectMeta = z.object({
  name: objectName(),
  /** Files may leave it out; the API server never does. */
  namespace: label().default("default"),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  generation: z.int().default(1),
  creationTimestamp: z.string().optional(),
  deletionTimestamp: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
export type ObjectMeta = z.output<typeof ObjectMeta>;
