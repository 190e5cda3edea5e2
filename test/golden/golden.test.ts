import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { REASONS } from "../../crds/conditions.ts";
import { expectedOutput, goldenNames, goldenOutput, outputFile } from "./run.ts";

/** Reasons that a pass cannot give by itself: they need an older snapshot, another owner, or a size that is no example. */
const TESTED_ELSEWHERE = ["ConfigMapNotFound", "ConfigTooLarge", "ObjectNotOwned", "FleetRefused"];

describe("golden pairs (node test/golden/update.ts writes the outputs anew)", () => {
  it.each(goldenNames())("%s", async (name) => {
    expect(await goldenOutput(name)).toBe(expectedOutput(name));
  });

  it("has an input for every output", () => {
    const outputs = readdirSync(dirname(outputFile("x"))).filter((file) => file.endsWith(".out.yaml"));
    expect(outputs.sort()).toEqual(goldenNames().map((name) => `${name}.out.yaml`).sort());
  });

  it("shows every reason that a pass can give", () => {
    const all = goldenNames().map(expectedOutput).join("\n");
    const missing = Object.keys(REASONS).filter((reason) => !new RegExp(`=(True|False|Unknown) ${reason}: `).test(all));
    expect(missing).toEqual(TESTED_ELSEWHERE);
  });
});
