/** Equality of JSON values: by what they are, whatever the order of members. */
import type { Budget } from "../budget.ts";
import { spendOn } from "../json.ts";

/** Making a text of a value takes as long as looking at all of it so many times. */
const TIMES_A_TEXT = 3;

/** A set of JSON values, in which a look costs what the value is large. */
export class ValueSet {
  readonly #scalars = new Set<unknown>();
  /** Lists and objects, as text. */
  readonly #others = new Set<string>();
  readonly #budget: Budget;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /**
   * False where it was there.
   *
   * @throws TooCostly
   */
  add(value: unknown): boolean {
    this.#spend(value);
    return this.#put(value);
  }

  /** For what is no message's: nobody pays. */
  static of(values: readonly unknown[], budget: Budget): ValueSet {
    const set = new ValueSet(budget);
    for (const value of values) set.#put(value);
    return set;
  }

  #put(value: unknown): boolean {
    const [set, key] = isScalar(value) ? [this.#scalars, value] : [this.#others, canonical(value)];
    const { size } = set;
    return set.add(key as string).size > size;
  }

  /** @throws TooCostly */
  has(value: unknown): boolean {
    if (!isScalar(value) && this.#others.size === 0) return false;
    this.#spend(value);
    return isScalar(value) ? this.#scalars.has(value) : this.#others.has(canonical(value));
  }

  #spend(value: unknown): void {
    const times = isScalar(value) ? 1 : TIMES_A_TEXT;
    for (let time = 0; time < times; time += 1) spendOn(value, this.#budget);
  }
}

function isScalar(value: unknown): boolean {
  return typeof value !== "object" || value === null;
}

/** The same text for equal values. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (isScalar(inner) || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner as object).sort(([one], [other]) => (one < other ? -1 : 1)));
  });
}
