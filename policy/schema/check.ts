/** What a schema becomes: checks, one for each group of keywords, that say of a value why it is not good. */
import type { Budget } from "../budget.ts";
import type { Pattern } from "../pattern.ts";
import type { KeywordReader } from "./keywords.ts";
import type { Marks } from "./marks.ts";

/** Why a value does not satisfy a schema. */
export interface Failure {
  /** JSON pointer (RFC 6901) to what is wrong, from the value that was looked at. */
  readonly path: string;
  readonly message: string;
}

/**
 * Undefined when the value is good. What it has looked at of a good value is noted in `marks`, where somebody asks for it.
 *
 * @throws TooCostly
 */
export type Check = (value: unknown, marks: Marks | undefined) => Failure | undefined;

/** What a group of keywords needs to become a check. */
export interface Making {
  readonly keywords: KeywordReader;
  readonly budget: Budget;
  /** The check of a subschema; `path` leads to it from the schema that has the keyword. */
  subschema(schema: unknown, path: string): Check;
  /** The check of what a `$ref` points to. */
  reference(reference: string): Check;
  pattern(source: string): Pattern;
}

/** Keywords that are read together, and the check that they become; none where they say nothing. */
export interface KeywordGroup {
  readonly keywords: readonly string[];
  make(making: Making): Check | undefined;
}

/** Of the value itself. */
export function failure(message: string): Failure {
  return { path: "", message };
}
