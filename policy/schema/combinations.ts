/** Keywords that put other schemas to the same value (2020-12 §8.2.3, §10.2). */
import { type Check, type Failure, failure, type KeywordGroup, type Making } from "./check.ts";
import type { Marks } from "./marks.ts";

function listed({ keywords, subschema }: Making, keyword: string): Check[] {
  return (keywords.filled(keyword) ?? []).map((schema, index) => subschema(schema, `/${keyword}/${index}`));
}

/** What a schema looked at counts only where the value satisfies it. */
function tried(check: Check, value: unknown, marks: Marks | undefined): Failure | undefined {
  if (marks === undefined) return check(value, undefined);
  const own = marks.fresh();
  const wrong = check(value, own);
  if (wrong === undefined) marks.add(own);
  return wrong;
}

const reference: KeywordGroup = {
  keywords: ["$ref"],
  make: ({ keywords, reference }) => reference(keywords.string("$ref") ?? ""),
};

const allOf: KeywordGroup = {
  keywords: ["allOf"],
  make(making) {
    const checks = listed(making, "allOf");
    return (value, marks) => {
      for (const check of checks) {
        const wrong = check(value, marks);
        if (wrong !== undefined) return wrong;
      }
      return undefined;
    };
  },
};

const anyOf: KeywordGroup = {
  keywords: ["anyOf"],
  make(making) {
    const checks = listed(making, "anyOf");
    const wrong = failure("must match a schema in anyOf");
    return (value, marks) => {
      let isGood = false;
      for (const check of checks) {
        if (tried(check, value, marks) !== undefined) continue;
        isGood = true;
        // All of them have to be asked where somebody wants to know what they look at.
        if (marks === undefined) break;
      }
      return isGood ? undefined : wrong;
    };
  },
};

const oneOf: KeywordGroup = {
  keywords: ["oneOf"],
  make(making) {
    const checks = listed(making, "oneOf");
    const wrong = failure("must match exactly one schema in oneOf");
    return (value, marks) => {
      let good = 0;
      for (const check of checks) {
        if (tried(check, value, marks) === undefined) good += 1;
        if (good > 1) return wrong;
      }
      return good === 1 ? undefined : wrong;
    };
  },
};

const not: KeywordGroup = {
  keywords: ["not"],
  make({ keywords, subschema }) {
    const check = subschema(keywords.schema.not, "/not");
    const wrong = failure("must NOT be valid");
    // Schemas within may ask for what was looked at, and nobody gets to know of it.
    return (value) => (check(value, undefined) === undefined ? wrong : undefined);
  },
};

const conditional: KeywordGroup = {
  keywords: ["if", "then", "else"],
  make({ keywords, subschema }) {
    const branch = (keyword: string): Check | undefined =>
      keywords.has(keyword) ? subschema(keywords.schema[keyword], `/${keyword}`) : undefined;
    const condition = branch("if");
    const then = branch("then");
    const otherwise = branch("else");
    if (condition === undefined || (then ?? otherwise) === undefined)
      return keywords.fail("if needs then or else beside it, and they need it");
    return (value, marks) => {
      const chosen = tried(condition, value, marks) === undefined ? then : otherwise;
      return chosen?.(value, marks);
    };
  },
};

export const COMBINATIONS: readonly KeywordGroup[] = [reference, allOf, anyOf, oneOf, not, conditional];
