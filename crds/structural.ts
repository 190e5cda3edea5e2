/**
 * From the JSON Schema that zod writes to the two dialects that are wanted: Kubernetes' structural schemas
 * (OpenAPI v3 without unions and without `additionalProperties: false`), and plain JSON Schema for editors.
 */
import { EDITOR_PATTERN } from "./rules.ts";

export interface JsonSchema {
  [keyword: string]: unknown;
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  additionalProperties?: JsonSchema | false;
  anyOf?: JsonSchema[];
}

const INT_OR_STRING = "x-kubernetes-int-or-string";

/** Keywords that mean the same in a structural schema. */
const KEPT = new Set([
  "type",
  "description",
  "default",
  "enum",
  "format",
  "pattern",
  "minimum",
  "maximum",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "required",
  "x-kubernetes-validations",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-preserve-unknown-fields",
]);

/** Keywords that a structural schema has no place for; pruning of unknown fields stands in for the last two. */
const DROPPED = new Set(["$schema", EDITOR_PATTERN, "propertyNames", "additionalProperties", "properties", "items"]);

/**
 * A structural schema (Kubernetes' `JSONSchemaProps`). Throws on a keyword that it does not know, so that nothing which
 * the zod schema says is lost unseen.
 */
export function toStructural(schema: JsonSchema, path = "$"): JsonSchema {
  if (schema[INT_OR_STRING] === true) return intOrString(schema);
  if (Array.isArray(schema.type)) throw new Error(`${path}: a structural schema cannot say type ${schema.type}`);
  const result: JsonSchema = {};
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === "const") result.enum = [value];
    else if (KEPT.has(keyword)) result[keyword] = value;
    else if (!DROPPED.has(keyword)) throw new Error(`${path}: a structural schema cannot say ${keyword}`);
  }
  if (result.type === "integer") Object.assign(result, integerFormat(result));
  return withoutUnsafeBounds({ ...result, ...children(schema, (child, step) => toStructural(child, path + step)) });
}

/** JSON Schema for editors: strict about unknown fields, with the patterns, without Kubernetes' own keywords. */
export function toEditor(schema: JsonSchema): JsonSchema {
  const result: JsonSchema = {};
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === EDITOR_PATTERN) result.pattern = value;
    else if (!keyword.startsWith("x-kubernetes-")) result[keyword] = value;
  }
  if (schema["x-kubernetes-list-type"] === "set") result.uniqueItems = true;
  return withoutUnsafeBounds({ ...result, ...children(schema, (child) => toEditor(child)) });
}

function children(schema: JsonSchema, map: (child: JsonSchema, step: string) => JsonSchema): JsonSchema {
  const result: JsonSchema = {};
  if (schema.properties !== undefined && Object.keys(schema.properties).length > 0) {
    const entries = Object.entries(schema.properties).map(([name, child]) => [name, map(child, `.${name}`)]);
    result.properties = Object.fromEntries(entries);
  }
  if (schema.items !== undefined) result.items = map(schema.items, "[]");
  const rest = schema.additionalProperties;
  if (rest !== undefined && rest !== false && Object.keys(rest).length > 0) {
    result.additionalProperties = map(rest, "{}");
  }
  return result;
}

/** The one union that Kubernetes knows. */
function intOrString(schema: JsonSchema): JsonSchema {
  const text = schema.anyOf?.find((branch) => branch.type === "string");
  const validations = schema["x-kubernetes-validations"];
  return {
    description: schema.description,
    [INT_OR_STRING]: true,
    anyOf: [{ type: "integer" }, { type: "string" }],
    ...(text?.maxLength === undefined ? {} : { maxLength: text.maxLength }),
    ...(text?.pattern === undefined ? {} : { pattern: text.pattern }),
    ...(validations === undefined ? {} : { "x-kubernetes-validations": validations }),
  };
}

function integerFormat(schema: JsonSchema): JsonSchema {
  return { format: typeof schema.maximum === "number" && schema.maximum < 2 ** 31 ? "int32" : "int64" };
}

/** zod bounds every integer to what a double can hold exactly, which says nothing to a reader. */
function withoutUnsafeBounds(schema: JsonSchema): JsonSchema {
  const { minimum, maximum, ...rest } = schema;
  return {
    ...rest,
    ...(minimum === undefined || minimum === Number.MIN_SAFE_INTEGER ? {} : { minimum }),
    ...(maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? {} : { maximum }),
  };
}
