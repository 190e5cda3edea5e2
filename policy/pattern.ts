/** Regular expressions of message policies: RE2, small ones, and paid for by the character. */
import { RE2JS } from "re2js";
import type { Budget } from "./budget.ts";

/** Instructions of a compiled pattern. Each costs at most one unit for each character. */
const MAX_PROGRAM = 200;
const MAX_LENGTH = 512;

export class Pattern {
  readonly #re2: RE2JS;
  readonly #size: number;

  /** @throws Error that says what is wrong with the pattern, for people */
  constructor(source: string) {
    if (source.length > MAX_LENGTH) throw new Error(`a pattern has at most ${MAX_LENGTH} characters`);
    this.#re2 = compile(source);
    this.#size = this.#re2.programSize();
    if (this.#size > MAX_PROGRAM)
      throw new Error(
        `${JSON.stringify(source)} is too large: its repetitions make ${this.#size} steps of ${MAX_PROGRAM}`,
      );
  }

  /** Whether the pattern matches anywhere in the text. */
  test(text: string, budget: Budget): boolean {
    budget.spend(text.length * this.#size);
    return this.#re2.matcher(text).find();
  }
}

function compile(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new Error(`${JSON.stringify(source)} is not an RE2 expression: ${said}`);
  }
}
