/** How large a schema is, asked before anything is made of it: what is large, deep or never ends is refused. */
import { isObject, type Keywords } from "./keywords.ts";
import { pointed, pointerOf } from "./pointer.ts";

/** Subschemas, with every `$ref` replaced by what it points to. */
const MAX_UNROLLED = 500;
/** Subschemas as they are written, with those that nothing refers to. */
const MAX_WRITTEN = 2_000;
const MAX_DEPTH = 32;

/** Keywords that hold subschemas, and how. */
const HOLDERS: ReadonlyMap<string, Way> = new Map([
  ...holding("one", "not if then else items contains additionalProperties propertyNames"),
  ...holding("one", "unevaluatedItems unevaluatedProperties"),
  ...holding("many", "allOf anyOf oneOf prefixItems properties patternProperties dependentSchemas"),
  ...holding("definitions", "$defs definitions"),
]);
const REFUSED: ReadonlySet<string> = new Set(
  "$id $anchor $dynamicRef $dynamicAnchor $recursiveRef $recursiveAnchor $vocabulary".split(" "),
);

type Way = "one" | "many" | "definitions";

function holding(way: Way, keywords: string): (readonly [string, Way])[] {
  return keywords.split(" ").map((keyword) => [keyword, way]);
}

/**
 * Refuses what is too large or too deep, and references that lead nowhere or back to themselves.
 *
 * @throws Error that says what is wrong, for people
 */
export function checkSize(root: Keywords): void {
  new Measure(root);
}

class Measure {
  readonly #root: unknown;
  readonly #sizes = new Map<string, number>();
  readonly #following: string[] = [];
  #seen = 0;

  constructor(root: unknown) {
    this.#root = root;
    this.#sizeOf(root, 0);
  }

  #sizeOf(schema: unknown, depth: number): number {
    this.#seen += 1;
    if (this.#seen > MAX_WRITTEN) throw new Error(`is too large: it has more than ${MAX_WRITTEN} subschemas`);
    if (depth > MAX_DEPTH) throw new Error(`is nested deeper than ${MAX_DEPTH} levels`);
    if (!isObject(schema)) return 1;
    let size = 1;
    for (const [keyword, value] of Object.entries(schema)) size += this.#sizeOfKeyword(keyword, value, depth);
    if (size > MAX_UNROLLED)
      throw new Error(`is too large: with every $ref followed it has more than ${MAX_UNROLLED} subschemas`);
    return size;
  }

  #sizeOfKeyword(keyword: string, value: unknown, depth: number): number {
    if (REFUSED.has(keyword)) throw new Error(`${keyword} is not supported; use $defs and $ref`);
    if (keyword === "$ref") return this.#sizeOfReference(value, depth);
    const way = HOLDERS.get(keyword);
    if (way === undefined) return 0;
    if (way === "one") return this.#sizeOf(value, depth + 1);
    let size = 0;
    for (const child of Object.values(isObject(value) || Array.isArray(value) ? value : {}))
      size += this.#sizeOf(child, depth + 1);
    // Only what is referred to counts there.
    return way === "definitions" ? 0 : size;
  }

  #sizeOfReference(reference: unknown, depth: number): number {
    const pointer = pointerOf(reference);
    const known = this.#sizes.get(pointer);
    if (known !== undefined) return known;
    if (this.#following.includes(pointer))
      throw new Error(`$ref #${pointer} leads back to itself: recursive schemas are not supported`);
    this.#following.push(pointer);
    const size = this.#sizeOf(pointed(this.#root, pointer), depth + 1);
    this.#following.pop();
    this.#sizes.set(pointer, size);
    return size;
  }
}
