/** Keywords about the value itself (JSON Schema Validation 2020-12 §6): its type, and what a number or a string may be. */
import { type Check, type Failure, failure, type KeywordGroup, type Making } from "./check.ts";
import { ValueSet } from "./equality.ts";

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  null: (value) => value === null,
  boolean: (value) => typeof value === "boolean",
  number: (value) => Number.isFinite(value),
  integer: (value) => Number.isInteger(value),
  string: (value) => typeof value === "string",
  array: Array.isArray,
  object: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
};

const type: KeywordGroup = {
  keywords: ["type"],
  make({ keywords }) {
    const said = keywords.schema.type;
    const names = typeof said === "string" ? [said] : (keywords.names("type") ?? []);
    const tests = names.map(
      (name) => (Object.hasOwn(TYPES, name) ? TYPES[name] : undefined) ?? keywords.fail(`there is no type ${name}`),
    );
    if (tests.length === 0) keywords.fail("type must name one");
    const wrong = failure(`must be ${names.join(",")}`);
    const [first] = tests;
    if (tests.length === 1 && first !== undefined) return (value) => (first(value) ? undefined : wrong);
    return (value) => (tests.some((test) => test(value)) ? undefined : wrong);
  },
};

const values: KeywordGroup = {
  keywords: ["enum"],
  make({ keywords, budget }) {
    const allowed = keywords.filled("enum");
    return isOneOf(ValueSet.of(allowed ?? [], budget), failure("must be equal to one of the allowed values"));
  },
};

const constant: KeywordGroup = {
  keywords: ["const"],
  make: ({ keywords, budget }) =>
    isOneOf(ValueSet.of([keywords.schema.const], budget), failure("must be equal to constant")),
};

function isOneOf(allowed: ValueSet, wrong: Failure): Check {
  return (value) => (allowed.has(value) ? undefined : wrong);
}

interface Bound {
  readonly wrong: Failure;
  isKept(value: number, bound: number): boolean;
}

/** What each keyword about numbers asks, and how its failure is said. */
const NUMBERS: Readonly<Record<string, (bound: number) => Bound>> = {
  minimum: (bound) => ({ isKept: (value) => value >= bound, wrong: failure(`must be >= ${bound}`) }),
  maximum: (bound) => ({ isKept: (value) => value <= bound, wrong: failure(`must be <= ${bound}`) }),
  exclusiveMinimum: (bound) => ({ isKept: (value) => value > bound, wrong: failure(`must be > ${bound}`) }),
  exclusiveMaximum: (bound) => ({ isKept: (value) => value < bound, wrong: failure(`must be < ${bound}`) }),
  multipleOf: (step) => ({
    isKept: (value) => Number.isInteger(value / step),
    wrong: failure(`must be multiple of ${step}`),
  }),
};

const numbers: KeywordGroup = {
  keywords: Object.keys(NUMBERS),
  make({ keywords }) {
    if ((keywords.number("multipleOf") ?? 1) <= 0) keywords.fail("multipleOf must be more than 0");
    const bounds = Object.entries(NUMBERS).flatMap(([keyword, boundOf]) => {
      const bound = keywords.number(keyword);
      return bound === undefined ? [] : [{ ...boundOf(bound), bound }];
    });
    return (value) => {
      if (typeof value !== "number") return undefined;
      return bounds.find(({ isKept, bound }) => !isKept(value, bound))?.wrong;
    };
  },
};

const strings: KeywordGroup = {
  keywords: ["minLength", "maxLength"],
  make({ keywords, budget }) {
    const min = keywords.count("minLength") ?? 0;
    const max = keywords.count("maxLength") ?? Infinity;
    const short = failure(`must NOT have fewer than ${min} characters`);
    const long = failure(`must NOT have more than ${max} characters`);
    return (value) => {
      if (typeof value !== "string") return undefined;
      const units = value.length;
      // A character is one UTF-16 unit or two, so most texts need not be counted.
      if (units < min) return short;
      if (units >= 2 * min && units <= max) return undefined;
      budget.spend(units / UNITS_A_SPENT);
      const length = charactersOf(value);
      if (length < min) return short;
      return length > max ? long : undefined;
    };
  },
};

/** UTF-16 units that are counted for a unit of the budget. */
const UNITS_A_SPENT = 32;

/** Unicode characters (RFC 8259), which is how 2020-12 counts lengths. */
function charactersOf(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length - 1; at += 1) {
    if ((text.charCodeAt(at) & 0xfc00) !== 0xd800 || (text.charCodeAt(at + 1) & 0xfc00) !== 0xdc00) continue;
    count -= 1;
    at += 1;
  }
  return count;
}

const pattern: KeywordGroup = {
  keywords: ["pattern"],
  make(making: Making) {
    const source = making.keywords.string("pattern") ?? "";
    const compiled = making.pattern(source);
    const wrong = failure(`must match pattern ${JSON.stringify(source)}`);
    return (value) => (typeof value !== "string" || compiled.test(value) ? undefined : wrong);
  },
};

export const ASSERTIONS: readonly KeywordGroup[] = [type, constant, values, numbers, strings, pattern];
