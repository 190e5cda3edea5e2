/**
 * JSON Schemas (2020-12) for messages. Before one is compiled it is measured with all its references followed, and refused where
 * that is large or never ends; what is left costs at most `weight` steps for each value of a message.
 */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { Budget } from "./budget.ts";
import { Pattern } from "./pattern.ts";

const DIALECT = "https://json-schema.org/draft/2020-12/schema";
/** Subschemas and enum values, with every `$ref` replaced by what it points to. */
const MAX_UNROLLED = 500;
const MAX_DEPTH = 32;
const MAX_UNIQUE_ITEMS = 64;
/** Steps of a compiled schema that take as long as one unit. */
const STEPS_A_UNIT = 4;
const CHARACTERS_A_STEP = 64;

const LISTS = ["allOf", "anyOf", "oneOf", "prefixItems"] as const;
const MAPS = ["properties", "patternProperties", "dependentSchemas"] as const;
const SINGLES = [
  ..."not if then else items contains additionalProperties propertyNames unevaluatedItems unevaluatedProperties".split(
    " ",
  ),
];
const REFUSED = ["$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$vocabulary"];

/** Why a value does not satisfy a schema. */
export interface SchemaError {
  /** JSON pointer (RFC 6901) into the message; empty for all of it. */
  readonly path: string;
  readonly message: string;
}

export interface SchemaOptions {
  /** JSON. */
  readonly text: string;
  /** What comes from a snapshot was held against the dialect's own schema before; doing so takes longer than all the rest. */
  readonly origin: "manifest" | "snapshot";
  readonly budget: Budget;
}

export class Schema {
  readonly #validate: ValidateFunction;
  readonly #budget: Budget;
  readonly #weight: number;

  /**
   * @throws Error that says what is wrong with it, for people
   */
  constructor({ text, origin, budget }: SchemaOptions) {
    const root = parse(text);
    this.#weight = new Measure(root).size;
    this.#budget = budget;
    const regExp = Object.assign(
      (source: string) => {
        const pattern = new Pattern(source);
        return { test: (value: string) => pattern.test(value, budget), toString: () => source };
      },
      { code: "" },
    );
    // Formats are annotations (2020-12 §7.2.1); unknown keywords are mistakes.
    const ajv = new Ajv2020({
      strict: true,
      strictTypes: false,
      strictTuples: false,
      strictRequired: false,
      validateFormats: false,
      inlineRefs: false,
      logger: false,
      ...(origin === "manifest" ? {} : { meta: false, validateSchema: false }),
      code: { regExp, optimize: false },
    });
    this.#validate = ajv.compile(root as object);
  }

  /**
   * What is wrong with the value; undefined when it is good.
   * @param size - how many values it consists of, and characters of its text
   * @throws TooCostly
   */
  check(value: unknown, size: { readonly values: number; readonly characters: number }): SchemaError | undefined {
    const steps = (size.values + size.characters / CHARACTERS_A_STEP) * this.#weight;
    this.#budget.spend(steps / STEPS_A_UNIT);
    if (this.#validate(value)) return undefined;
    const [error] = this.#validate.errors ?? [];
    return { path: error?.instancePath ?? "", message: error?.message ?? "does not satisfy the schema" };
  }
}

function parse(text: string): unknown {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    throw new Error("is not JSON");
  }
  if (!isObject(root)) throw new Error("must be a JSON object");
  const { $schema = DIALECT, ...schema } = root;
  if ($schema !== DIALECT) throw new Error(`$schema must be ${DIALECT}`);
  return schema;
}

type Keywords = Record<string, unknown>;

function isObject(value: unknown): value is Keywords {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** How much a schema is with its references followed. */
class Measure {
  readonly size: number;
  readonly #root: unknown;
  readonly #sizes = new Map<string, number>();
  readonly #following: string[] = [];

  constructor(root: unknown) {
    this.#root = root;
    this.size = this.#sizeOf(root, 0);
  }

  #sizeOf(schema: unknown, depth: number): number {
    if (depth > MAX_DEPTH) throw new Error(`is nested deeper than ${MAX_DEPTH} levels`);
    if (!isObject(schema)) return 1;
    const refused = REFUSED.find((keyword) => keyword in schema);
    if (refused !== undefined) throw new Error(`${refused} is not supported; use $defs and $ref`);
    checkUniqueItems(schema);
    let size = 1 + (Array.isArray(schema.enum) ? schema.enum.length : 0);
    if (schema.$ref !== undefined) size += this.#sizeOfReference(schema.$ref, depth);
    for (const child of subschemas(schema)) {
      size += this.#sizeOf(child, depth + 1);
    }
    if (size > MAX_UNROLLED) throw tooLarge();
    if (isObject(schema.$defs)) for (const child of Object.values(schema.$defs)) this.#sizeOf(child, depth + 1);
    return size;
  }

  #sizeOfReference(reference: unknown, depth: number): number {
    if (typeof reference !== "string" || !/^#(\/|$)/.test(reference))
      throw new Error("$ref must point into the schema itself, as #/$defs/name does");
    const known = this.#sizes.get(reference);
    if (known !== undefined) return known;
    if (this.#following.includes(reference))
      throw new Error(`$ref ${reference} leads back to itself: recursive schemas are not supported`);
    this.#following.push(reference);
    const size = this.#sizeOf(pointed(this.#root, reference), depth + 1);
    this.#following.pop();
    this.#sizes.set(reference, size);
    return size;
  }
}

function tooLarge(): Error {
  return new Error(
    `is too large: with every $ref followed it has more than ${MAX_UNROLLED} subschemas and enum values`,
  );
}

/** Items are compared each with each. */
function checkUniqueItems({ uniqueItems, maxItems }: Keywords): void {
  if (uniqueItems === true && !(typeof maxItems === "number" && maxItems <= MAX_UNIQUE_ITEMS))
    throw new Error(`uniqueItems needs maxItems of at most ${MAX_UNIQUE_ITEMS} beside it`);
}

function subschemas(schema: Keywords): unknown[] {
  const lists = LISTS.map((keyword) => schema[keyword]).filter(Array.isArray);
  const maps = MAPS.map((keyword) => schema[keyword]).filter(isObject);
  const singles = SINGLES.map((keyword) => schema[keyword]).filter((value) => value !== undefined);
  return [...lists.flat(), ...maps.flatMap((map) => Object.values(map)), ...singles];
}

function pointed(root: unknown, reference: string): unknown {
  let at = root;
  for (const part of reference.split("/").slice(1)) {
    const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    const next: unknown = Array.isArray(at)
      ? at[Number(key)]
      : isObject(at) && Object.hasOwn(at, key)
        ? at[key]
        : undefined;
    if (next === undefined) throw new Error(`$ref ${reference} points to nothing`);
    at = next;
  }
  return at;
}
