/** What may be said about the gateway's pods. */
import { z } from "zod";
import { LabelSelector } from "./selector.ts";

const stringMap = () => z.record(z.string().max(317), z.string().max(4096));
/** As Kubernetes reads it for CPU and memory (apimachinery's resource.Quantity), without signs. */
const AMOUNT = /^[0-9]+(\.[0-9]*)?([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?$/;
const quantities = () =>
  z.record(
    z.string().max(253),
    z
      .union([z.int().min(0), z.string().max(32).regex(AMOUNT, "must be a quantity such as 500m or 256Mi")])
      .meta({ "x-kubernetes-int-or-string": true })
      .describe("A quantity."),
  );

const Toleration = z
  .strictObject({
    key: z.string().max(317).describe("Key of the taint; all where omitted.").optional(),
    operator: z.enum(["Exists", "Equal"]).describe("How the value is compared.").optional(),
    value: z.string().max(63).describe("Value of the taint.").optional(),
    effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]).describe("Effect of the taint.").optional(),
    tolerationSeconds: z.int().min(0).describe("For how long a NoExecute taint is tolerated.").optional(),
  })
  .describe("A taint that the pods tolerate.");

const SpreadConstraint = z
  .strictObject({
    maxSkew: z.int().min(1).describe("Largest difference in the number of pods."),
    topologyKey: z.string().min(1).max(317).describe("Label of nodes whose values are the domains."),
    whenUnsatisfiable: z.enum(["DoNotSchedule", "ScheduleAnyway"]).describe("What the scheduler does then."),
    labelSelector: LabelSelector.describe("Pods that are counted; the gateway's own where omitted.").optional(),
    minDomains: z.int().min(1).describe("Fewest domains.").optional(),
  })
  .describe("How pods are spread over nodes or zones.");

export const PodTemplate = z
  .strictObject({
    labels: z.record(z.string().max(317), z.string().max(63)).describe("Labels of the pods.").optional(),
    annotations: stringMap().describe("Annotations of the pods.").optional(),
    resources: z
      .strictObject({
        requests: quantities().describe("What a pod is guaranteed.").optional(),
        limits: quantities().describe("What a pod may use at most.").optional(),
      })
      .describe("CPU and memory of the gateway container.")
      .optional(),
    nodeSelector: z.record(z.string().max(317), z.string().max(63)).describe("Labels that nodes must have.").optional(),
    tolerations: z.array(Toleration).max(16).describe("Taints that the pods tolerate.").optional(),
    affinity: z
      .looseObject({})
      .meta({ "x-kubernetes-preserve-unknown-fields": true })
      .describe("Affinity of the pods, as in a Pod's spec.")
      .optional(),
    topologySpreadConstraints: z
      .array(SpreadConstraint)
      .max(8)
      .describe("How pods are spread over nodes or zones.")
      .optional(),
  })
  .describe("What is set on the gateway's pods.");
