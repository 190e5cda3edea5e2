import { describe, expect, it } from "@jest/globals";
import { expectedFleet, fleetNames, fleetOf, fleetOutput } from "./run.ts";
import { parseAllDocuments } from "yaml";

describe("golden fleets (node test/golden/update.ts writes the outputs anew)", () => {
  it.each(fleetNames())("%s", (name) => {
    expect(parseAllDocuments(fleetOutput(name)).map((document) => document.toJS())).toEqual(expectedFleet(name));
  });

  it("are the same bytes each time", () => {
    expect(JSON.stringify(fleetOf("everything"))).toBe(JSON.stringify(fleetOf("everything")));
  });
});

type Rendered = { kind: string; spec: { template: object } };
const podTemplates = (names: readonly string[]) =>
  names.map((name) => (fleetOf(name) as unknown as Rendered[]).find(({ kind }) => kind === "Deployment")?.spec.template);

it("a change of listeners, of the Service or of the number of pods replaces no pod", () => {
  const [minimal, autoscaled] = podTemplates(["minimal", "autoscaled"]);
  expect(autoscaled).toEqual(minimal);
});
