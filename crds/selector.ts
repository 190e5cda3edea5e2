/** Kubernetes' label selector. */
import { z } from "zod";
import { type Rule, withRules } from "./rules.ts";

const labelKey = (): z.ZodString => z.string().min(1).max(317);
const labelValue = (): z.ZodString => z.string().max(63);

interface RequirementValue {
  readonly operator: string;
  readonly values?: readonly string[] | undefined;
}
const valuesFitOperator: Rule<RequirementValue> = {
  cel: "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
  message: "values are needed for In and NotIn, and for nothing else",
  holds: ({ operator, values }) => ["In", "NotIn"].includes(operator) === (values !== undefined && values.length > 0),
};

const Requirement = withRules(
  z.strictObject({
    key: labelKey().describe("Key of the label."),
    operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]).describe("How the label's value is compared."),
    values: z.array(labelValue()).max(32).describe("Values for In and NotIn.").optional(),
  }),
  valuesFitOperator,
);

export const LabelSelector = z.strictObject({
  matchLabels: z.record(labelKey(), labelValue()).describe("Labels that must have these values.").optional(),
  matchExpressions: z.array(Requirement).max(16).describe("Conditions that must all hold.").optional(),
});
export type LabelSelector = z.output<typeof LabelSelector>;
