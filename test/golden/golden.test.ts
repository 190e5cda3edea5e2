import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { REASONS, type Reason } from "../../crds/conditions.ts";
import { expectedOutput, goldenNames, goldenOutput, outputFile } from "./run.ts";

/** Reasons that manifests alone cannot bring about: they need an older snapshot, a size that is no example, or what the API server says. */
const TESTED_ELSEWHERE: ReadonlySet<string> = new Set<Reason>([
  "ConfigMapNotFound",
  "ConfigTooLarge",
  "FleetRefused",
  "ObjectNotOwned",
  "SecretForbidden",
  "WriteForbidden",
]);

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
    const shown = (reason: string) => new RegExp(`=(True|False|Unknown) ${reason}: `).test(all);
    expect(Object.keys(REASONS).filter((reason) => !shown(reason) && !TESTED_ELSEWHERE.has(reason))).toEqual([]);
  });
});
