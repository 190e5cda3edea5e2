/** Label selectors of namespaces (metav1.LabelSelector). */
import type { LabelSelector } from "../../crds/selector.ts";
import type { Namespace } from "../objects.ts";

/** Every namespace has it, from the API server; a namespace known by name only (in files) has it too. */
const NAME_LABEL = "kubernetes.io/metadata.name";

/** Whether the namespace's labels satisfy the selector: all of `matchLabels` and all of `matchExpressions`. */
export function selectsNamespace(selector: LabelSelector, name: string, namespace: Namespace | undefined): boolean {
  const labels: Readonly<Record<string, string>> = { [NAME_LABEL]: name, ...namespace?.metadata.labels };
  const equal = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return equal && (selector.matchExpressions ?? []).every((expression) => satisfies(labels, expression));
}

type Expression = NonNullable<LabelSelector["matchExpressions"]>[number];

function satisfies(labels: Readonly<Record<string, string>>, { key, operator, values = [] }: Expression): boolean {
  const value = labels[key];
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}
