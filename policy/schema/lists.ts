/** Keywords about lists (2020-12 §10.3.1, Validation §6.4): how many items there are, and what each of them is. */
import { type Check, failure, type KeywordGroup, type Making } from "./check.ts";
import { ValueSet } from "./equality.ts";
import { within } from "./objects.ts";

const counts: KeywordGroup = {
  keywords: ["minItems", "maxItems"],
  make({ keywords }) {
    const min = keywords.count("minItems") ?? 0;
    const max = keywords.count("maxItems") ?? Infinity;
    const few = failure(`must NOT have fewer than ${min} items`);
    const many = failure(`must NOT have more than ${max} items`);
    return (value) => {
      if (!Array.isArray(value)) return undefined;
      if (value.length < min) return few;
      return value.length > max ? many : undefined;
    };
  },
};

const items: KeywordGroup = {
  keywords: ["prefixItems", "items"],
  make(making) {
    const { keywords, budget, subschema } = making;
    const first = (keywords.filled("prefixItems") ?? []).map((schema, index) =>
      subschema(schema, `/prefixItems/${index}`),
    );
    const rest = keywords.has("items") ? subschema(keywords.schema.items, "/items") : undefined;
    const surplus =
      keywords.schema.items === false ? failure(`must NOT have more than ${first.length} items`) : undefined;
    return (value, marks) => {
      if (!Array.isArray(value)) return undefined;
      if (surplus !== undefined && value.length > first.length) return surplus;
      const looked = rest === undefined ? Math.min(first.length, value.length) : value.length;
      for (let index = 0; index < looked; index += 1) {
        const wrong = (first[index] ?? rest)?.(value[index], undefined);
        if (wrong !== undefined) return within(wrong, index, budget);
      }
      marks?.itemsBefore(looked);
      return undefined;
    };
  },
};

const contains: KeywordGroup = {
  keywords: ["contains", "minContains", "maxContains"],
  make(making) {
    const { keywords } = making;
    if (!keywords.has("contains")) return keywords.fail("minContains and maxContains need contains beside them");
    const check = making.subschema(keywords.schema.contains, "/contains");
    const min = keywords.count("minContains") ?? 1;
    const max = keywords.count("maxContains") ?? Infinity;
    const range = max === Infinity ? `at least ${min}` : `at least ${min} and no more than ${max}`;
    const wrong = failure(`must contain ${range} valid item(s)`);
    return (value, marks) => {
      if (!Array.isArray(value)) return undefined;
      let count = 0;
      for (let index = 0; index < value.length; index += 1) {
        if (check(value[index], undefined) !== undefined) continue;
        marks?.item(index);
        count += 1;
      }
      return count < min || count > max ? wrong : undefined;
    };
  },
};

/** What a set of items costs for each of them, beside looking at it. */
const UNITS_REMEMBERED = 2;

const unique: KeywordGroup = {
  keywords: ["uniqueItems"],
  make({ keywords, budget }: Making): Check | undefined {
    if (keywords.boolean("uniqueItems") !== true) return undefined;
    const wrong = failure("must NOT have duplicate items");
    return (value) => {
      if (!Array.isArray(value)) return undefined;
      budget.spend(UNITS_REMEMBERED * value.length);
      const seen = new ValueSet(budget);
      return value.every((item) => seen.add(item)) ? undefined : wrong;
    };
  },
};

export const LISTS: readonly KeywordGroup[] = [counts, items, contains, unique];

/** Reads what the others have noted, so it comes after them (2020-12 §11.2). */
export const unevaluatedItems: KeywordGroup = {
  keywords: ["unevaluatedItems"],
  make({ keywords, budget, subschema }) {
    const schema = keywords.schema.unevaluatedItems;
    const check = subschema(schema, "/unevaluatedItems");
    const surplus = schema === false ? failure("must NOT have unevaluated items") : undefined;
    return (value, marks) => {
      if (!Array.isArray(value)) return undefined;
      for (let index = 0; index < value.length; index += 1) {
        if (marks?.hasItem(index)) continue;
        if (surplus !== undefined) return surplus;
        const wrong = check(value[index], undefined);
        if (wrong !== undefined) return within(wrong, index, budget);
      }
      marks?.itemsBefore(Infinity);
      return undefined;
    };
  },
};
