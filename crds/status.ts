/** Status fields that both kinds share. */
import { z } from "zod";
import { mapList } from "./rules.ts";

/** Kubernetes' metav1.Condition, with its own bounds. */
export const Condition = z
  .object({
    type: z.string().min(1).max(316).describe("What the condition is about."),
    status: z.enum(["True", "False", "Unknown"]).describe("Whether it holds."),
    reason: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
      .describe("Why, in one word."),
    message: z.string().max(32768).describe("Why, for people."),
    observedGeneration: z.int().min(0).describe("The metadata.generation that this is about.").optional(),
    lastTransitionTime: z.string().meta({ format: "date-time" }).describe("When status changed last."),
  })
  .describe("One aspect of the object's state.");
export type Condition = z.output<typeof Condition>;

export const conditions = (max: number) => mapList(z.array(Condition).max(max), "type");

export const pods = z
  .string()
  .max(32)
  .describe("Gateway pods that serve this generation, of those that are known: 2/3.");
