/**
 * A schema as closures, one for each group of keywords. No code is generated: a library that does so makes V8 compile hundreds of
 * kilobytes, when the schema is compiled and again at the first message, and holds up everybody else for as long.
 */
import type { Budget } from "../budget.ts";
import type { Patterns } from "../pattern.ts";
import type { Steps } from "../steps.ts";
import { ASSERTIONS } from "./assertions.ts";
import { type Check, failure, type KeywordGroup, type Making } from "./check.ts";
import { COMBINATIONS } from "./combinations.ts";
import { isObject, KeywordReader, type Keywords, pointerStep } from "./keywords.ts";
import { LISTS, unevaluatedItems } from "./lists.ts";
import { Marks } from "./marks.ts";
import { OBJECTS, unevaluatedProperties } from "./objects.ts";
import { pointed, pointerOf } from "./pointer.ts";

/** In the order in which they are asked. */
const GROUPS: readonly KeywordGroup[] = [...ASSERTIONS, ...OBJECTS, ...LISTS, ...COMBINATIONS];
/** They read what the others have noted. */
const LAST: readonly KeywordGroup[] = [unevaluatedProperties, unevaluatedItems];
const ORDER = [...GROUPS, ...LAST];
const GROUP_OF: ReadonlyMap<string, KeywordGroup> = new Map(
  ORDER.flatMap((group) => group.keywords.map((keyword) => [keyword, group])),
);

type Shape = "string" | "boolean" | "array" | "object";

/** Keywords that say nothing about a value, each with the shape that the dialect gives it. */
const ANNOTATIONS: ReadonlyMap<string, Shape | "any"> = new Map([
  ...named("title description $comment format contentEncoding contentMediaType", "string"),
  ...named("deprecated readOnly writeOnly", "boolean"),
  ...named("examples", "array"),
  ...named("$defs definitions", "object"),
  ...named("default contentSchema", "any"),
]);

function named(names: string, shape: Shape | "any"): (readonly [string, Shape | "any"])[] {
  return names.split(" ").map((name) => [name, shape]);
}

const GOOD: Check = () => undefined;
const NEVER: Check = () => NOTHING_IS_GOOD;
const NOTHING_IS_GOOD = failure("boolean schema is false");

const NOT_COMPILED: Check = () => {
  throw new Error("the schema was not compiled");
};
/** What looking at a value costs beside what the keywords spend themselves. */
const UNITS_A_SUBSCHEMA = 2;
/** Subschemas that are compiled in one step. */
const A_STEP = 50;

/** A subschema whose turn is still to come, and where its check is put. */
interface Pending {
  readonly schema: unknown;
  /** JSON pointer to it. */
  readonly at: string;
  check: Check;
}

export class SchemaCompiler {
  readonly #root: Keywords;
  readonly #budget: Budget;
  readonly #patterns: Patterns;
  readonly #referred = new Map<string, Check>();
  #pending: Pending[] = [];

  /** @param root - no reference of it leads back to itself */
  constructor(root: Keywords, { budget, patterns }: { readonly budget: Budget; readonly patterns: Patterns }) {
    this.#root = root;
    this.#budget = budget;
    this.#patterns = patterns;
  }

  /**
   * The check of the whole; the patterns that it asks for are still to be compiled.
   *
   * @throws Error that says what is wrong and where, for people
   */
  *compile(): Steps<Check> {
    const root = this.#later(this.#root, "");
    for (let done = 0; done < this.#pending.length; done += 1) {
      if (done % A_STEP === A_STEP - 1) yield;
      const pending = this.#pending[done] as Pending;
      pending.check = this.#compile(pending);
    }
    this.#pending = [];
    return root;
  }

  #later(schema: unknown, at: string): Check {
    if (schema === true) return GOOD;
    if (schema === false) return NEVER;
    const pending: Pending = { schema, at, check: NOT_COMPILED };
    this.#pending.push(pending);
    return (value, marks) => pending.check(value, marks);
  }

  #compile({ schema, at }: Pending): Check {
    const keywords = new KeywordReader(isObject(schema) ? schema : {}, at);
    if (!isObject(schema)) return keywords.fail("a schema is an object, true or false");
    const groups = groupsOf(keywords);
    this.#findDefinitions(keywords);
    const making: Making = {
      keywords,
      budget: this.#budget,
      subschema: (inner, path) => this.#later(inner, at + path),
      reference: (reference) => this.#at(pointerOf(reference)),
      pattern: (source) => this.#patterns.of(source),
    };
    const check = this.#all(groups.flatMap((group) => group.make(making) ?? []));
    return groups.some((group) => LAST.includes(group)) ? noting(check, this.#budget) : check;
  }

  /** So that a mistake in what nothing refers to is told too. */
  #findDefinitions({ schema, at }: KeywordReader): void {
    for (const keyword of ["$defs", "definitions"]) {
      const definitions = schema[keyword];
      if (!isObject(definitions)) continue;
      for (const name of Object.keys(definitions)) this.#at(`${at}/${keyword}${pointerStep(name)}`);
    }
  }

  /** What stands at a pointer, compiled once. */
  #at(pointer: string): Check {
    let check = this.#referred.get(pointer);
    if (check === undefined) {
      check = this.#later(pointed(this.#root, pointer), pointer);
      this.#referred.set(pointer, check);
    }
    return check;
  }

  #all(checks: readonly Check[]): Check {
    const budget = this.#budget;
    return (value, marks) => {
      budget.spend(UNITS_A_SUBSCHEMA);
      for (const check of checks) {
        const wrong = check(value, marks);
        if (wrong !== undefined) return wrong;
      }
      return undefined;
    };
  }
}

/** The groups that a subschema's keywords belong to, in their order. */
function groupsOf(keywords: KeywordReader): readonly KeywordGroup[] {
  const groups = new Set<KeywordGroup>();
  for (const keyword of Object.keys(keywords.schema)) {
    const group = GROUP_OF.get(keyword);
    const shape = ANNOTATIONS.get(keyword);
    if (group !== undefined) groups.add(group);
    else if (shape === undefined) keywords.fail(`unknown keyword: ${JSON.stringify(keyword)}`);
    else if (shape !== "any") keywords[shape](keyword);
  }
  return [...groups].sort((one, other) => ORDER.indexOf(one) - ORDER.indexOf(other));
}

/** Notes what is looked at, for the check's own use, and for whoever else asks. */
function noting(check: Check, budget: Budget): Check {
  return (value, marks) => {
    const own = new Marks(budget);
    const wrong = check(value, own);
    if (wrong === undefined) marks?.add(own);
    return wrong;
  };
}
