import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { CONDITIONS, REASONS } from "./conditions.ts";
import { DEFINITIONS, objectSchema } from "./definitions.ts";
import { generatedFiles, staleFiles } from "./generate.ts";
import type { JsonSchema } from "./structural.ts";

const ROOT = join(import.meta.dirname, "..");

/** Every schema under spec and status, with its path. */
function fields(schema: JsonSchema, path: string): [string, JsonSchema][] {
  const inner = Object.entries(schema.properties ?? {}).flatMap(([name, child]) => fields(child, `${path}.${name}`));
  const items = schema.items === undefined ? [] : fields(schema.items, `${path}[]`);
  const values = schema.additionalProperties ? fields(schema.additionalProperties, `${path}{}`) : [];
  return [[path, schema], ...inner, ...items, ...values];
}

describe.each(DEFINITIONS)("the schema of $kind", (definition) => {
  const { spec, status } = objectSchema(definition).properties as { spec: JsonSchema; status: JsonSchema };
  const all = [...fields(spec, "spec"), ...fields(status, "status")];
  const paths = (test: (schema: JsonSchema) => boolean) =>
    all.filter(([, schema]) => test(schema)).map(([path]) => path);

  it("describes every field", () => {
    const named = all.filter(([path]) => !path.endsWith("]") && !path.endsWith("}"));
    expect(named.length).toBeGreaterThan(20);
    expect(
      named.filter(([, schema]) => !/\S.*\.$/.test(String(schema.description ?? ""))).map(([path]) => path),
    ).toEqual([]);
  });

  it("bounds every list and every text", () => {
    expect(paths((schema) => schema.type === "array" && schema.maxItems === undefined)).toEqual([]);
    const bounded = (schema: JsonSchema) =>
      schema.maxLength !== undefined || schema.enum !== undefined || schema.format === "date-time";
    expect(paths((schema) => schema.type === "string" && !bounded(schema))).toEqual([]);
  });

  it("has no union but int-or-string", () => {
    const union = (schema: JsonSchema) => ["anyOf", "oneOf", "allOf", "not"].some((word) => word in schema);
    expect(paths((schema) => union(schema) && schema["x-kubernetes-int-or-string"] !== true)).toEqual([]);
  });

  it("gives every printer column a path that exists in the schema", () => {
    const known = new Set(all.map(([path]) => `.${path}`));
    for (const { jsonPath } of definition.columns) {
      const path = jsonPath.replace(/\[\?\(.*\)\]\.\w+$/, "");
      expect(path === ".metadata.creationTimestamp" || known.has(path)).toBe(true);
    }
  });
});

describe("generated files", () => {
  it("are what the schemas say (else: make generate)", async () => {
    expect(await staleFiles(ROOT)).toEqual([]);
  });

  it("are reported when they are missing", async () => {
    expect(await staleFiles(join(ROOT, "no-such-folder"))).toEqual([...generatedFiles().keys()]);
  });

  it("explain every condition and reason", () => {
    const page = generatedFiles().get("docs/reference/api.md");
    for (const word of [...Object.keys(CONDITIONS), ...Object.keys(REASONS)]) expect(page).toContain(`| ${word} |`);
  });

  it("stay small enough for kubectl's last-applied annotation", () => {
    for (const [path, content] of generatedFiles()) {
      if (path.endsWith(".yaml")) expect(content.length).toBeLessThan(200_000);
    }
  });
});
