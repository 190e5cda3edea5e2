import type { Budget } from "../budget.ts";

const UNITS_OF_NEW = 5;

/** Which members of an object, and items of a list, were looked at: what `unevaluatedProperties` and `unevaluatedItems` ask (2020-12 §11). */
export class Marks {
  readonly #budget: Budget;
  readonly #names = new Set<string>();
  readonly #items = new Set<number>();
  /** Items before this one were looked at. */
  #before = 0;
  #allNames = false;

  /** @throws TooCostly, here and wherever something is noted */
  constructor(budget: Budget) {
    budget.spend(UNITS_OF_NEW);
    this.#budget = budget;
  }

  /** Another one of the same budget. */
  fresh(): Marks {
    return new Marks(this.#budget);
  }

  name(name: string): void {
    this.#budget.spend(1);
    this.#names.add(name);
  }

  allNames(): void {
    this.#allNames = true;
  }

  item(index: number): void {
    this.#budget.spend(1);
    this.#items.add(index);
  }

  /** @param count - Infinity for all */
  itemsBefore(count: number): void {
    this.#before = Math.max(this.#before, count);
  }

  hasName(name: string): boolean {
    return this.#allNames || this.#names.has(name);
  }

  hasItem(index: number): boolean {
    return index < this.#before || this.#items.has(index);
  }

  add(other: Marks): void {
    this.#budget.spend(other.#names.size + other.#items.size);
    for (const name of other.#names) this.#names.add(name);
    for (const index of other.#items) this.#items.add(index);
    this.#allNames ||= other.#allNames;
    this.itemsBefore(other.#before);
  }
}
