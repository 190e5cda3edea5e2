/** Which changes of a status are worth a Kubernetes Event. */
import type { Reason } from "../crds/conditions.ts";
import type { Condition } from "../crds/status.ts";

/** A condition that flipped, in the words of a Kubernetes Event. */
export interface Flip {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

interface WithConditions {
  readonly conditions?: readonly Condition[] | undefined;
}

/**
 * Conditions whose status is another than before; of a new object only what does not hold, and that it is ready. That every change
 * is on its way to the pods for a moment is no event: Programmed tells that.
 */
export function flips(before: unknown, after: WithConditions): Flip[] {
  const old = conditionsOf(before);
  const now = conditionsOf(after);
  return [...now.values()].flatMap((condition) => {
    const was = statusToldOf(old.get(condition.type));
    if (was === condition.status || condition.status === "Unknown" || isPassing(condition.type, now, old)) return [];
    const isGood = condition.status === "True";
    // That pods come and go is part of any rollout.
    if (condition.type === "Draining")
      return [{ type: "Normal", reason: condition.reason, message: condition.message }];
    if (was === undefined && isGood && condition.type !== "Ready") return [];
    // Ready repeats the words of the condition that it sums up, and that one has its own Event.
    if (condition.type === "Ready" && !isGood && condition.reason !== "PodsUnavailable") return [];
    return [{ type: isGood ? "Normal" : "Warning", reason: condition.reason, message: condition.message }];
  });
}

/** Of Programmed: what other conditions tell, or what is over in a moment. */
const QUIET: ReadonlySet<string> = new Set(["Programmed", "Pending", "NotAccepted"] satisfies Reason[]);

/** What people were told last: of a Programmed that was only on its way they were told nothing. */
function statusToldOf(condition: Condition | undefined): Condition["status"] | undefined {
  return condition?.type === "Programmed" && QUIET.has(condition.reason) ? undefined : condition?.status;
}

function isPassing(type: string, now: ReadonlyMap<string, Condition>, old: ReadonlyMap<string, Condition>): boolean {
  if (type === "Programmed") return QUIET.has(now.get(type)?.reason ?? "");
  const wasPending = old.get("Programmed")?.reason === "Pending" && (now.get("Ready")?.observedGeneration ?? 1) > 1;
  return type === "Ready" && wasPending;
}

function conditionsOf(status: unknown): ReadonlyMap<string, Condition> {
  const { conditions } = Object(status) as WithConditions;
  return new Map((Array.isArray(conditions) ? conditions : []).map((condition) => [condition?.type, condition]));
}
