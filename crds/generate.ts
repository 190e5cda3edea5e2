/**
 * Writes everything that is made from the schemas: `node crds/generate.ts`. With `--check` it writes nothing and fails
 * when a file is not what it would write.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { customResourceDefinition, DEFINITIONS, editorSchema } from "./definitions.ts";
import { KINDS } from "./kinds.ts";
import { referencePage } from "./reference.ts";

const HEADER = "# Generated from the schemas in crds/ by `make generate`; edit those.\n";

/** Path (from the repository's root) and content of each generated file. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const definition of DEFINITIONS) {
    const { plural, singular } = KINDS[definition.kind];
    const yaml = stringify(customResourceDefinition(definition), { lineWidth: 120, aliasDuplicateObjects: false });
    // The chart has copies, because Helm reads nothing outside of a chart.
    for (const folder of ["crds", "charts/holdfast/files/crds"]) files.set(`${folder}/${plural}.yaml`, HEADER + yaml);
    files.set(`crds/schemas/${singular}.schema.json`, `${JSON.stringify(editorSchema(definition), null, 2)}\n`);
  }
  files.set("docs/reference/api.md", referencePage());
  return files;
}

async function write(root: string): Promise<void> {
  for (const [path, content] of generatedFiles()) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
}

/** Paths of files that are missing or differ. */
export async function staleFiles(root: string): Promise<string[]> {
  const stale: string[] = [];
  for (const [path, content] of generatedFiles()) {
    const found = await readFile(join(root, path), "utf8").catch(() => undefined);
    if (found !== content) stale.push(path);
  }
  return stale;
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  if (process.argv.includes("--check")) {
    const stale = await staleFiles(root);
    for (const path of stale) console.error(`${path} is stale: run make generate`);
    process.exitCode = stale.length === 0 ? 0 : 1;
  } else {
    await write(root);
  }
}
