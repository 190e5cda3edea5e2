/**
 * JSON Schemas (2020-12) for messages. Before one is compiled it is measured with all its references followed, and refused where
 * that is large or never ends; what is left spends from the message's budget at each of its steps.
 */
import type { Budget } from "../budget.ts";
import { measureJson } from "../json.ts";
import type { Patterns } from "../pattern.ts";
import type { Steps } from "../steps.ts";
import type { Check, Failure } from "./check.ts";
import { SchemaCompiler } from "./compile.ts";
import { isObject, type Keywords } from "./keywords.ts";
import { checkSize } from "./measure.ts";

export type { Failure } from "./check.ts";

const DIALECT = "https://json-schema.org/draft/2020-12/schema";
const MAX_TEXT = 131_072;
/** Of the text as JSON, whose constants nothing else bounds. */
const MAX_JSON_DEPTH = 128;

export interface SchemaOptions {
  /** JSON. */
  readonly text: string;
  readonly budget: Budget;
  readonly patterns: Patterns;
}

export class Schema {
  readonly #check: Check;

  constructor(check: Check) {
    this.#check = check;
  }

  /**
   * What is wrong with the value; undefined when it is good.
   *
   * @throws TooCostly
   */
  check(value: unknown): Failure | undefined {
    return this.#check(value, undefined);
  }
}

/** @throws Error that says what is wrong with the schema, for people */
export function* compileSchema({ text, budget, patterns }: SchemaOptions): Steps<Schema> {
  const root = parse(text);
  yield;
  checkSize(root);
  yield;
  const check = yield* new SchemaCompiler(root, { budget, patterns }).compile();
  yield* patterns.compile();
  return new Schema(check);
}

function parse(text: string): Keywords {
  if (text.length > MAX_TEXT) throw new Error(`is too large: it has more than ${MAX_TEXT} characters`);
  if (measureJson(text).depth > MAX_JSON_DEPTH) throw new Error(`is nested deeper than ${MAX_JSON_DEPTH} levels`);
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
