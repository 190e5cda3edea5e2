/**
 * Writes what of the chart is made from something else: `node charts/generate.ts`. With `--check` it writes nothing and fails when
 * a file is not what it would write.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DEFINITIONS, editorSchema } from "../crds/definitions.ts";
import type { JsonSchema } from "../crds/structural.ts";
import { dashboard } from "./dashboard.ts";
import { valuesSchema } from "./values-schema.ts";
import { type ChartValue, readValues, valuesTable } from "./values-table.ts";

const CHART = join(import.meta.dirname, "holdfast");
const [TABLE_BEGINS, TABLE_ENDS] = ["<!-- values -->", "<!-- /values -->"];

type Properties = Record<string, JsonSchema>;

/** Path (in the chart) and content of each generated file. */
export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const values = readValues(await readFile(join(CHART, "values.yaml"), "utf8"));
  const readme = await readFile(join(CHART, "README.md"), "utf8");
  const files = new Map<string, string>();
  files.set("files/dashboard.json", json(dashboard()));
  files.set("values.schema.json", json(describe(valuesSchema(gatewayFields()), values)));
  files.set("README.md", withTable(readme, valuesTable(values)));
  return files;
}

function gatewayFields(): Properties {
  const definition = DEFINITIONS.find(({ kind }) => kind === "WebSocketGateway");
  if (definition === undefined) throw new Error("there is no WebSocketGateway");
  const { spec } = editorSchema(definition).properties as Properties;
  return spec?.properties as Properties;
}

/** Gives each value's schema the comment that values.yaml has for it. @throws Error for a value that the schema does not know. */
function describe(schema: JsonSchema, values: readonly ChartValue[]): JsonSchema {
  return values.reduce((described, { path, description }) => setAt(described, path.split("."), description), schema);
}

function setAt(schema: JsonSchema, [name, ...rest]: readonly string[], description: string): JsonSchema {
  if (name === undefined) return { ...schema, description };
  const properties = schema.properties as Properties | undefined;
  const child = properties?.[name];
  if (child === undefined) throw new Error(`values-schema.ts does not know ${name}`);
  return { ...schema, properties: { ...properties, [name]: setAt(child, rest, description) } };
}

function withTable(readme: string, table: string): string {
  const [before, , after] = splitAt(readme);
  return `${before}${TABLE_BEGINS}\n${table}\n${TABLE_ENDS}${after}`;
}

function splitAt(readme: string): [string, string, string] {
  const [begins, ends] = [readme.indexOf(TABLE_BEGINS), readme.indexOf(TABLE_ENDS)];
  if (begins < 0 || ends < begins) throw new Error(`README.md must have ${TABLE_BEGINS} and ${TABLE_ENDS}`);
  return [readme.slice(0, begins), readme.slice(begins, ends), readme.slice(ends + TABLE_ENDS.length)];
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

async function write(): Promise<void> {
  for (const [path, content] of await generatedFiles()) {
    await mkdir(dirname(join(CHART, path)), { recursive: true });
    await writeFile(join(CHART, path), content);
  }
}

/** Paths of files that are missing or differ. */
async function staleFiles(): Promise<string[]> {
  const stale: string[] = [];
  for (const [path, content] of await generatedFiles()) {
    const found = await readFile(join(CHART, path), "utf8").catch(() => undefined);
    if (found !== content) stale.push(`charts/holdfast/${path}`);
  }
  return stale;
}

if (import.meta.main) {
  if (process.argv.includes("--check")) {
    const stale = await staleFiles();
    for (const path of stale) console.error(`${path} is stale: run make generate`);
    process.exitCode = stale.length === 0 ? 0 : 1;
  } else {
    await write();
  }
}
