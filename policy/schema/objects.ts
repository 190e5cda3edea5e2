/** Keywords about objects (2020-12 §10.3.2, Validation §6.5): which members there are, and what each of them is. */
import type { Budget } from "../budget.ts";
import { type Check, type Failure, failure, type KeywordGroup, type Making } from "./check.ts";
import { isObject, type Keywords, pointerStep } from "./keywords.ts";
import type { Marks } from "./marks.ts";

/** Names of the schema that are looked up for a unit; a message's own names, of any number and shape, cost one each. */
const NAMES_A_UNIT = 4;
const CHARACTERS_A_UNIT = 64;

/** The failure of a member or an item, as that of what it is in. */
export function within(inner: Failure, name: string | number, budget: Budget): Failure {
  if (typeof name === "string") budget.spend(name.length / CHARACTERS_A_UNIT);
  return { path: pointerStep(name) + inner.path, message: inner.message };
}

/** The subschemas that a keyword has for names. */
function subschemas({ keywords, subschema }: Making, keyword: string): [string, Check][] {
  return Object.entries(keywords.object(keyword) ?? {}).map(([name, schema]) => [
    name,
    subschema(schema, pointerStep(keyword) + pointerStep(name)),
  ]);
}

/** Looked up one by one, so that a branch of many that fails at its first name has not cost all names of the message. */
const named: KeywordGroup = {
  keywords: ["properties"],
  make(making) {
    const { budget } = making;
    const checks = subschemas(making, "properties");
    return (value, marks) => {
      if (!isObject(value)) return undefined;
      budget.spend(checks.length / NAMES_A_UNIT);
      for (const [name, check] of checks) {
        if (!Object.hasOwn(value, name)) continue;
        budget.spend(1);
        const wrong = check(value[name], undefined);
        if (wrong !== undefined) return within(wrong, name, budget);
        marks?.name(name);
      }
      return undefined;
    };
  },
};

const others: KeywordGroup = {
  keywords: ["patternProperties", "additionalProperties"],
  make(making) {
    const { budget } = making;
    const checkMember = memberCheck(making);
    return (value, marks) => {
      if (!isObject(value)) return undefined;
      const names = Object.keys(value);
      budget.spend(names.length);
      for (const name of names) {
        const wrong = checkMember(name, value, marks);
        if (wrong !== undefined) return wrong;
      }
      return undefined;
    };
  },
};

type MemberCheck = (name: string, value: Keywords, marks: Marks | undefined) => Failure | undefined;

/** What a member has to be: what its name matches, and what all have to be that are neither matched nor named. */
function memberCheck(making: Making): MemberCheck {
  const { keywords, budget } = making;
  const known: ReadonlySet<string> = new Set(Object.keys(keywords.object("properties") ?? {}));
  const matched = subschemas(making, "patternProperties").map(([source, check]) => ({
    pattern: making.pattern(source),
    check,
  }));
  const { additionalProperties } = keywords.schema;
  const rest = keywords.has("additionalProperties")
    ? making.subschema(additionalProperties, "/additionalProperties")
    : undefined;
  const surplus = additionalProperties === false ? failure("must NOT have additional properties") : undefined;
  return (name, value, marks) => {
    let isKnown = known.has(name);
    let wrong: Failure | undefined;
    for (const { pattern, check } of matched) {
      if (wrong !== undefined || !pattern.test(name)) continue;
      isKnown = true;
      wrong = check(value[name], undefined);
      marks?.name(name);
    }
    if (!isKnown && rest !== undefined) {
      if (surplus !== undefined) return surplus;
      budget.spend(1);
      wrong = rest(value[name], undefined);
      marks?.name(name);
    }
    return wrong && within(wrong, name, budget);
  };
}

const required: KeywordGroup = {
  keywords: ["required"],
  make({ keywords, budget }) {
    const names = keywords.names("required") ?? [];
    return (value) => (isObject(value) ? missing(value, names, budget) : undefined);
  },
};

function missing(value: object, names: readonly string[], budget: Budget): Failure | undefined {
  budget.spend(names.length / NAMES_A_UNIT);
  const absent = names.find((name) => !Object.hasOwn(value, name));
  return absent === undefined ? undefined : failure(`must have required property '${absent}'`);
}

const counts: KeywordGroup = {
  keywords: ["minProperties", "maxProperties"],
  make({ keywords, budget }) {
    const min = keywords.count("minProperties") ?? 0;
    const max = keywords.count("maxProperties") ?? Infinity;
    const few = failure(`must NOT have fewer than ${min} properties`);
    const many = failure(`must NOT have more than ${max} properties`);
    return (value) => {
      if (!isObject(value)) return undefined;
      const { length } = Object.keys(value);
      budget.spend(length);
      if (length < min) return few;
      return length > max ? many : undefined;
    };
  },
};

const names: KeywordGroup = {
  keywords: ["propertyNames"],
  make({ keywords, budget, subschema }) {
    const check = subschema(keywords.schema.propertyNames, "/propertyNames");
    return (value) => {
      if (!isObject(value)) return undefined;
      const all = Object.keys(value);
      budget.spend(all.length);
      for (const name of all) {
        const wrong = check(name, undefined);
        if (wrong !== undefined) {
          budget.spend(name.length / CHARACTERS_A_UNIT);
          return failure(`property name ${JSON.stringify(name)}: ${wrong.message}`);
        }
      }
      return undefined;
    };
  },
};

const dependentRequired: KeywordGroup = {
  keywords: ["dependentRequired"],
  make({ keywords, budget }) {
    const dependents = [...(keywords.namesOf("dependentRequired") ?? [])];
    return (value) => {
      if (!isObject(value)) return undefined;
      budget.spend(dependents.length / NAMES_A_UNIT);
      for (const [name, needed] of dependents) {
        const wrong = Object.hasOwn(value, name) ? missing(value, needed, budget) : undefined;
        if (wrong !== undefined) return failure(`${wrong.message} when property '${name}' is present`);
      }
      return undefined;
    };
  },
};

const dependentSchemas: KeywordGroup = {
  keywords: ["dependentSchemas"],
  make(making) {
    const { budget } = making;
    const dependents = subschemas(making, "dependentSchemas");
    return (value, marks) => {
      if (!isObject(value)) return undefined;
      budget.spend(dependents.length / NAMES_A_UNIT);
      for (const [name, check] of dependents) {
        const wrong = Object.hasOwn(value, name) ? check(value, marks) : undefined;
        if (wrong !== undefined) return wrong;
      }
      return undefined;
    };
  },
};

export const OBJECTS: readonly KeywordGroup[] = [
  required,
  counts,
  names,
  named,
  others,
  dependentRequired,
  dependentSchemas,
];

/** Reads what the others have noted, so it comes after them (2020-12 §11.3). */
export const unevaluatedProperties: KeywordGroup = {
  keywords: ["unevaluatedProperties"],
  make({ keywords, budget, subschema }) {
    const schema = keywords.schema.unevaluatedProperties;
    const check = subschema(schema, "/unevaluatedProperties");
    const surplus = schema === false ? failure("must NOT have unevaluated properties") : undefined;
    return (value, marks) => {
      if (!isObject(value)) return undefined;
      const all = Object.keys(value);
      budget.spend(all.length);
      for (const name of all) {
        if (marks?.hasName(name)) continue;
        if (surplus !== undefined) return surplus;
        const wrong = check(value[name], undefined);
        if (wrong !== undefined) return within(wrong, name, budget);
      }
      marks?.allNames();
      return undefined;
    };
  },
};
