/** Equality of JSON values: by what they are, whatever the order of members. */
import type { Budget } from "../budget.ts";
import { spendOn } from "../json.ts";

/** Making a text of a value takes as long as looking at all of it so many times. */
const TIMES_A_TEXT = 12;

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
    return isScalar(value) ? isNewIn(this.#scalars, value) : isNewIn(this.#others, canonical(value));
  }

  /** @throws TooCostly */
  has(value: unknown): boolean {
    if (!isScalar(value) && this.#others.size === 0) return false;
    this.#spend(value);
    return isScalar(value) ? this.#scalars.has(value) : this.#others.has(canonical(value));
  }

  #spend(value: unknown): void {
    spendOn(value, this.#budget, isScalar(value) ? 1 : TIMES_A_TEXT);
  }
}

function isNewIn<T>(set: Set<T>, value: T): boolean {
  const { size } = set;
  return set.add(value).size > size;
}

function isScalar(value: unknown): boolean {
  return typeof value !== "object" || value === null;
}

/** The same text for equal values: names in an order of their own. */
function canonical(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical((value as Record<string, unknown>)[name])}`);
  return `{${members.join()}}`;
}
