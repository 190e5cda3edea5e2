/** Regular expressions of message policies: RE2, small ones, few of them, and paid for by the character. */
import { RE2JS } from "re2js";
import type { Budget } from "./budget.ts";
import type { Steps } from "./steps.ts";

/** Instructions of a compiled pattern. Each costs at most one unit for each character. */
const MAX_PROGRAM = 200;
/** A longer one could name so many classes of Unicode that compiling it alone holds everybody up. */
const MAX_LENGTH = 256;
/** Distinct patterns of one policy: compiling one takes up to some milliseconds. */
const MAX_PATTERNS = 100;
/** Named classes, as \pL, of one pattern: each has hundreds of ranges, and twice as many where case is ignored. */
const MAX_CLASSES = 6;
/** Characters in all the ranges of a pattern that ignores case: each is looked up when the pattern is compiled. */
const MAX_FOLDED = 10_000;
/** What has the library build its tables, a few milliseconds each time, before the first pattern of a process needs all of them. */
const WARM_UP = ["a", "\\pL", "(?i)a", "(?i)\\pL", "(?i)[^a-z]\\W"];
let isWarm = false;
/** What a look costs however short the text is. */
const UNITS_A_LOOK = 50;

export class Pattern {
  readonly source: string;
  readonly #budget: Budget;
  #re2: RE2JS | undefined;
  #size = 0;

  constructor(source: string, budget: Budget) {
    this.source = source;
    this.#budget = budget;
  }

  /** @throws Error that says what is wrong with the pattern, for people */
  compile(): void {
    const { source } = this;
    this.#re2 = compile(source);
    this.#size = this.#re2.programSize();
    if (this.#size > MAX_PROGRAM)
      throw new Error(
        `${JSON.stringify(source)} is too large: its repetitions make ${this.#size} steps of ${MAX_PROGRAM}`,
      );
  }

  /**
   * Whether the pattern matches anywhere in the text.
   *
   * @throws TooCostly
   */
  test(text: string): boolean {
    if (this.#re2 === undefined) throw new Error(`${this.source} was not compiled`);
    this.#budget.spend(UNITS_A_LOOK + text.length * this.#size);
    return this.#re2.matcher(text).find();
  }
}

/** The patterns of one policy, each compiled once. */
export class Patterns {
  readonly #budget: Budget;
  readonly #known = new Map<string, Pattern>();
  #pending: Pattern[] = [];

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /**
   * A pattern that must not be asked before it is compiled.
   *
   * @throws Error that says why it cannot be had, for people
   */
  of(source: string): Pattern {
    const known = this.#known.get(source);
    if (known !== undefined) return known;
    checkSource(source);
    if (this.#known.size === MAX_PATTERNS)
      throw new Error(`is too large: with it the messages have more than ${MAX_PATTERNS} patterns`);
    const pattern = new Pattern(source, this.#budget);
    this.#known.set(source, pattern);
    this.#pending.push(pattern);
    return pattern;
  }

  /**
   * Compiles what was asked for since the last time, one pattern in each step.
   *
   * @throws Error that says what is wrong with one of them, for people
   */
  *compile(): Steps<void> {
    const pending = this.#pending;
    this.#pending = [];
    if (pending.length > 0) yield* warmUp();
    for (const pattern of pending) {
      yield;
      try {
        pattern.compile();
      } catch (error) {
        this.#known.delete(pattern.source);
        throw error;
      }
    }
  }
}

function checkSource(source: string): void {
  if (source.length > MAX_LENGTH) throw new Error(`a pattern has at most ${MAX_LENGTH} characters`);
  if ((source.match(/\\p/gi) ?? []).length > MAX_CLASSES)
    throw new Error(`${JSON.stringify(source)} is too large: it names more than ${MAX_CLASSES} classes`);
  if (/\(\?[A-Za-z]*i/.test(source) && charactersInRanges(source) > MAX_FOLDED)
    throw new Error(
      `${JSON.stringify(source)} is too large: a pattern that ignores case has at most ${MAX_FOLDED} characters in its ranges`,
    );
}

/** Never less than there are; ranges stand in classes, and what looks like one elsewhere counts too. */
function charactersInRanges(source: string): number {
  const ranges = source.matchAll(/(\\x\{[0-9a-f]+\}|.)-(\\x\{[0-9a-f]+\}|.)/gisu);
  return [...ranges].reduce((sum, [, first, last]) => sum + Math.max(0, codeOf(last) - codeOf(first)), 0);
}

function codeOf(character = ""): number {
  return character.length > 2 ? Number.parseInt(character.slice(3), 16) : (character.codePointAt(0) ?? 0);
}

function* warmUp(): Steps<void> {
  if (isWarm) return;
  isWarm = true;
  for (const source of WARM_UP) {
    yield;
    compile(source);
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
