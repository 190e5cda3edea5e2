/** The API's reference page, from the schemas and the table of conditions. */
import { CONDITIONS, REASONS } from "./conditions.ts";
import { DEFINITIONS, objectSchema } from "./definitions.ts";
import { API_VERSION, KINDS } from "./kinds.ts";
import { VALIDATIONS } from "./rules.ts";
import type { JsonSchema } from "./structural.ts";

interface Row {
  readonly path: string;
  readonly schema: JsonSchema;
  readonly required: boolean;
}

/** The page as Markdown. */
export function referencePage(): string {
  const kinds = DEFINITIONS.flatMap((definition) => {
    const { spec, status } = objectSchema(definition).properties ?? {};
    const { plural, shortName } = KINDS[definition.kind];
    return [
      `## ${definition.kind}`,
      `${definition.description} \`kubectl get ${plural}\`, or \`${shortName}\` for short.`,
      ...section(`${definition.kind} spec`, "spec", spec ?? {}),
      ...section(`${definition.kind} status`, "status", status ?? {}),
    ];
  });
  const page = [
    "# API reference",
    `The kinds of \`${API_VERSION}\`. This page is generated from the schemas in \`crds/\`; \`kubectl explain\` shows the same.`,
    "Durations are texts such as `500ms`, `30s` or `1h30m`. Sizes are Kubernetes quantities such as `64Ki`, or numbers of bytes. Fields without a mark in *Req* may be left out.",
    ...kinds,
    "## Conditions",
    table(["Type", "Meaning"], Object.entries(CONDITIONS)),
    "## Reasons",
    table(["Reason", "Meaning"], Object.entries(REASONS)),
  ];
  return `${page.join("\n\n")}\n`;
}

/** One table for the scalars at the top, and one for each block below. */
function section(title: string, path: string, schema: JsonSchema): string[] {
  const required = (schema.required ?? []) as string[];
  const fields = Object.entries(schema.properties ?? {}).map(([name, child]) => ({
    path: `${path}.${name}`,
    schema: child,
    required: required.includes(name),
  }));
  const overview = fieldTable(fields);
  const rules = ruleList(fields.length === 0 ? [] : [{ path, schema, required: true }]);
  const blocks = fields.filter((field) => below(field).length > 0);
  return [
    `### ${title}`,
    overview,
    ...rules,
    ...blocks.flatMap((block) => {
      const rows = below(block);
      return [`#### ${block.path}`, String(block.schema.description), fieldTable(rows), ...ruleList([block, ...rows])];
    }),
  ];
}

/** A block that another place of the page explains already. */
const EXPLAINED_ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["spec.defaults", "Each field is as in the spec of WebSocketRoute."],
]);

/** Every field under a field, in the order of the schema. */
function below(row: Row): Row[] {
  const { schema, path } = row;
  if (EXPLAINED_ELSEWHERE.has(path)) return [];
  if (schema.items !== undefined) return below({ ...row, schema: schema.items, path: `${path}[]` });
  const required = (schema.required ?? []) as string[];
  return Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    const field = { path: `${path}.${name}`, schema: child, required: required.includes(name) };
    return [field, ...below(field)];
  });
}

function fieldTable(rows: readonly Row[]): string {
  return table(
    ["Field", "Type", "Req", "Default", "Meaning"],
    rows.map(({ path, schema, required }) => [
      `\`${path}\``,
      typeName(schema),
      required ? "yes" : "",
      schema.default === undefined ? "" : `\`${JSON.stringify(schema.default)}\``,
      [schema.description ?? schema.items?.description ?? "", EXPLAINED_ELSEWHERE.get(path) ?? "", bounds(schema)]
        .filter(Boolean)
        .join(" "),
    ]),
  );
}

function typeName(schema: JsonSchema): string {
  if (schema["x-kubernetes-int-or-string"] === true) return "size";
  if (schema.enum !== undefined) return (schema.enum as unknown[]).map((value) => `\`${value}\``).join(", ");
  if (schema.type === "array") return `list of ${typeName(schema.items ?? {})}`;
  if (schema.additionalProperties) return `map to ${typeName(schema.additionalProperties)}`;
  return String(schema.type);
}

function bounds(schema: JsonSchema): string {
  const { minimum, maximum, minItems, maxItems, maxLength } = schema;
  if (maxItems !== undefined) return `(${minItems ?? 0} to ${maxItems} entries)`;
  if (minimum !== undefined && maximum !== undefined) return `(${minimum} to ${maximum})`;
  if (schema.type === "string" && maxLength !== undefined && schema.enum === undefined) {
    return `(at most ${maxLength} characters)`;
  }
  return "";
}

function ruleList(rows: readonly Row[]): string[] {
  const stated = rows.flatMap(({ path, schema }) => [
    ...rulesOf(schema).map((message) => `- \`${path}\`: ${message}`),
    ...rulesOf(schema.items ?? {}).map((message) => `- \`${path}[]\`: ${message}`),
  ]);
  return stated.length === 0 ? [] : [`Rules:\n\n${[...new Set(stated)].join("\n")}`];
}

function rulesOf(schema: JsonSchema): string[] {
  const rules = (schema[VALIDATIONS] ?? []) as { message: string; fieldPath?: string }[];
  return rules.map(({ message, fieldPath }) =>
    fieldPath === undefined ? message : `${fieldPath.slice(1)} ${message}`,
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeCell).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

function escapeCell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}
