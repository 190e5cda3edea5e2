import { describe, expect, it } from "@jest/globals";
import { selectsNamespace } from "./selector.ts";

const apps = { metadata: { name: "apps", labels: { team: "a", stage: "prod" } } };

describe("selectsNamespace", () => {
  it.each([
    ["an empty selector takes all", {}, true],
    ["labels that are equal", { matchLabels: { team: "a", stage: "prod" } }, true],
    ["a label that is another", { matchLabels: { team: "a", stage: "test" } }, false],
    ["a label that is not there", { matchLabels: { owner: "x" } }, false],
    ["the name, as the API server labels it", { matchLabels: { "kubernetes.io/metadata.name": "apps" } }, true],
    ["In", { matchExpressions: [{ key: "team", operator: "In" as const, values: ["a", "b"] }] }, true],
    ["In, not there", { matchExpressions: [{ key: "owner", operator: "In" as const, values: ["a"] }] }, false],
    ["NotIn", { matchExpressions: [{ key: "team", operator: "NotIn" as const, values: ["a"] }] }, false],
    ["NotIn, not there", { matchExpressions: [{ key: "owner", operator: "NotIn" as const, values: ["a"] }] }, true],
    ["Exists", { matchExpressions: [{ key: "team", operator: "Exists" as const }] }, true],
    ["DoesNotExist", { matchExpressions: [{ key: "team", operator: "DoesNotExist" as const }] }, false],
    [
      "all of them",
      { matchLabels: { team: "a" }, matchExpressions: [{ key: "stage", operator: "In" as const, values: ["test"] }] },
      false,
    ],
  ])("%s", (_what, selector, expected) => {
    expect(selectsNamespace(selector, "apps", apps)).toBe(expected);
  });

  it("knows the name of a namespace of which there is no object", () => {
    const selector = { matchLabels: { "kubernetes.io/metadata.name": "apps" } };
    expect(selectsNamespace(selector, "apps", undefined)).toBe(true);
  });
});
