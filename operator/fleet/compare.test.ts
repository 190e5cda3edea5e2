import { describe, expect, it } from "@jest/globals";
import type { FleetObject } from "../render/fleet/identity.ts";
import { APPLIED_ANNOTATION, covers, withHash } from "./compare.ts";

const pod = (container: object) => ({ spec: { containers: [{ name: "gateway", image: "a", ...container }] } });

describe("a live object covers the desired one", () => {
  it.each([
    ["defaults were filled in", { a: 1, b: { c: 2 } }, { b: { c: 2 } }],
    ["somebody added a container", { containers: [{ name: "x" }, { name: "a" }] }, { containers: [{ name: "a" }] }],
    [
      "somebody added an environment variable",
      pod({ env: [{ name: "B" }, { name: "A" }] }),
      pod({ env: [{ name: "A" }] }),
    ],
    [
      "a quantity was written anew",
      pod({ resources: { limits: { cpu: "1" } } }),
      pod({ resources: { limits: { cpu: "1000m" } } }),
    ],
    ["a number became a quantity", { target: { averageValue: "15k" } }, { target: { averageValue: "15000" } }],
    ["a fraction became thousandths", { requests: { cpu: "100m" } }, { requests: { cpu: 0.1 } }],
    ["a size was rounded to its unit", { sizeLimit: "1Gi" }, { sizeLimit: "1024Mi" }],
    ["an empty map was left out", { metadata: {} }, { metadata: { annotations: {} } }],
    ["another owner was added", { ownerReferences: [{ uid: "b" }, { uid: "a" }] }, { ownerReferences: [{ uid: "a" }] }],
  ])("when %s", (_what, live, desired) => {
    expect(covers(live, desired)).toBe(true);
  });

  it.each([
    ["a field differs", { a: 2 }, { a: 1 }],
    ["a field is gone", { a: {} }, { a: { b: 1 } }],
    ["a container's field differs", pod({ image: "b" }), pod({ image: "a" })],
    ["a container is gone", { containers: [{ name: "x" }] }, { containers: [{ name: "a" }] }],
    [
      "a rule was added to a list that is one value",
      { rules: [{ verbs: ["get"] }, {}] },
      { rules: [{ verbs: ["get"] }] },
    ],
    ["a verb was added", { rules: [{ verbs: ["get", "list"] }] }, { rules: [{ verbs: ["get"] }] }],
    ["a port of a NetworkPolicy differs", { ports: [{ port: 1 }] }, { ports: [{ port: 2 }] }],
    ["a Service's port differs", { ports: [{ name: "ws", port: 1 }] }, { ports: [{ name: "ws", port: 2 }] }],
    ["the quantity differs", { requests: { cpu: "2" } }, { requests: { cpu: "200m" } }],
    ["texts only look like the same quantity", { labels: { size: "1k" } }, { labels: { size: "1000" } }],
  ])("and not when %s", (_what, live, desired) => {
    expect(covers(live, desired)).toBe(false);
  });
});

it("marks an object with a hash of itself, so that what is not wanted any more is noticed", () => {
  const object = (data: object): FleetObject => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "a", namespace: "b", annotations: { kept: "yes" } },
    ...data,
  });
  const [before, same, after] = [{ spec: { a: 1, b: 2 } }, { spec: { a: 1, b: 2 } }, { spec: { a: 1 } }].map((data) =>
    withHash(object(data)),
  );
  expect(before?.metadata.annotations).toEqual({
    kept: "yes",
    [APPLIED_ANNOTATION]: expect.stringMatching(/^[0-9a-f]{16}$/),
  });
  expect(same).toEqual(before);
  expect(covers(before, after)).toBe(false);
});
