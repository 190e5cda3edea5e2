/** JSON under a bound: how much there is of it before it is parsed, and how much there would be before it is written. */
import type { Budget } from "./budget.ts";
import type { Steps } from "./steps.ts";

/** Levels of arrays and objects in a message, so that nothing that walks it runs out of stack. */
export const MAX_JSON_DEPTH = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const OPEN_MAP = 0x7b;
const CLOSE_LIST = 0x5d;
const CLOSE_MAP = 0x7d;

/** Units that a string costs, be it a name or a value: it may be one that was never seen before. */
const STRING_UNITS = 1;
/** Units that a name costs beside those of a string. */
const NAME_UNITS = 3;
/** Units that an object costs beside its members, where each may be of a shape of its own. */
const OBJECT_UNITS = 6;

/**
 * What a JSON text costs to read, in units, and how deep it is nested: one for each value, more for strings, names and objects. Exact
 * for valid JSON; for anything else, no matter.
 */
export function measureJson(text: string): { readonly units: number; readonly depth: number } {
  let units = 1;
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      units += STRING_UNITS;
      at = endOfString(text, at);
    } else if (code === COMMA) {
      units += 1;
    } else if (code === COLON) {
      units += NAME_UNITS;
    } else if (code === OPEN_LIST || code === OPEN_MAP) {
      units += code === OPEN_MAP ? OBJECT_UNITS : 1;
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (code === CLOSE_LIST || code === CLOSE_MAP) {
      depth -= 1;
    }
  }
  return { units, depth: deepest };
}

/** JSON with everything that `measureJson` tells apart, so long that V8 compiles what reads it. */
const WARM_UP = JSON.stringify(Array.from({ length: 800 }, (_, index) => ({ name: [index, '\\ "'] })));
const WARM_UP_TIMES = 3;
let isWarm = false;

/** Has V8 compile what reads every message before the first one comes, which may be long: it would take some milliseconds then. */
export function* warmUpJson(): Steps<void> {
  if (isWarm) return;
  isWarm = true;
  for (let time = 0; time < WARM_UP_TIMES; time += 1) {
    measureJson(WARM_UP);
    yield;
  }
}

/** Position of the quote that ends the string which starts at `start`; the text's end where there is none. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let before = at - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    // An even number of backslashes escape each other.
    if ((at - before) % 2 === 1) return at;
  }
  return text.length;
}

/** Characters that cost as much as one unit to compare, copy or search. */
const CHARACTERS_A_UNIT = 64;

/** Spends what it costs to look at all of a value so many times, whatever it holds and however often. */
export function spendOn(value: unknown, budget: Budget, times = 1): void {
  if (typeof value === "string") {
    if (value.length >= CHARACTERS_A_UNIT) budget.spend((times * value.length) / CHARACTERS_A_UNIT);
  } else if (typeof value === "object" && value !== null) {
    const isList = Array.isArray(value);
    if (!isList) budget.spend(times * OBJECT_UNITS);
    for (const item of isList ? value : Object.values(value)) {
      budget.spend(times);
      spendOn(item, budget, times);
    }
  }
}

/**
 * A value of an expression as JSON. Integers are numbers, times are strings.
 *
 * @throws TooCostly where it is too much
 * @throws Error where it is nothing that JSON knows
 */
export function writeJson(value: unknown, budget: Budget): string {
  spendOn(value, budget);
  const text = isPlain(value) ? JSON.stringify(value) : JSON.stringify(value, replaced);
  if (text === undefined) throw new Error("the value is nothing that JSON knows");
  return text;
}

/** Whether JSON takes it as it is; asking that first is cheaper than a replacer. */
function isPlain(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return typeof value !== "bigint";
  if (Array.isArray(value)) return value.every(isPlain);
  return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(isPlain);
}

function replaced(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return plain(value);
  return value;
}

function plain(value: object): unknown {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return value;
  if (value instanceof Map) return Object.fromEntries(value);
  throw new Error("the value is nothing that JSON knows; wrap it in string()");
}
