import type { ConditionType, Reason } from "../../crds/conditions.ts";

/** A condition before it is merged into a status: no time and no generation yet. */
export interface ConditionValue {
  readonly type: ConditionType;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: Reason;
  readonly message: string;
}

/** Why something does not hold: a reason of the table and words for people. */
export interface Objection {
  readonly reason: Reason;
  readonly message: string;
}

/** The good state of a condition. Its reason is its type. */
export function holds(type: ConditionType, message: string): ConditionValue {
  return { type, status: "True", reason: type, message };
}

export function fails(type: ConditionType, { reason, message }: Objection): ConditionValue {
  return { type, status: "False", reason, message };
}

/** Several objections as one: the first one's reason, everybody's words. */
export function joined(objections: readonly Objection[]): Objection | undefined {
  const [first] = objections;
  if (first === undefined) return undefined;
  return { reason: first.reason, message: [...new Set(objections.map(({ message }) => message))].join("; ") };
}
