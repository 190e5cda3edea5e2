/** Golden pairs of `holdfast check`: manifests, and the report on them as text. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { checkText } from "../../../cli/report.ts";
import { type CheckReport, check } from "../../../operator/check.ts";
import { loadFiles } from "../../../operator/files.ts";

const FOLDER = import.meta.dirname;
const INPUT = ".in.yaml";

export function checkNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(INPUT))
    .map((file) => basename(file, INPUT))
    .sort();
}

export const checkOutputFile = (name: string): string => join(FOLDER, `${name}.out.txt`);

export const expectedCheck = (name: string): string => readFileSync(checkOutputFile(name), "utf8");

export async function checkReport(name: string): Promise<CheckReport> {
  return check(await loadFiles([join(FOLDER, name + INPUT)]), { externalNames: "Refuse", now: 0 });
}

/** With the folder left out, which is another one on each machine. */
export async function checkOutput(name: string): Promise<string> {
  return checkText(await checkReport(name)).replaceAll(join(FOLDER, "/"), "");
}
