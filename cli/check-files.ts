/** Checks manifests: what `holdfast check` does. Apart from its options, so that `--help` loads nothing else. */
import { check } from "../operator/check.ts";
import { loadFiles } from "../operator/files.ts";
import type { CheckCommandOptions } from "./check.ts";
import { checkText } from "./report.ts";

export async function checkFiles({ filename, output, refuseExternalName }: CheckCommandOptions): Promise<void> {
  const loaded = await loadFiles(filename);
  const report = check(loaded, { externalNames: refuseExternalName ? "Refuse" : "Allow", now: Date.now() });
  process.stdout.write(output === "json" ? `${JSON.stringify(report, undefined, 2)}\n` : checkText(report));
  if (!report.ok) process.exitCode = 1;
}
