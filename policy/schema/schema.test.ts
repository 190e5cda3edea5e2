import { describe, expect, it } from "@jest/globals";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import fc from "fast-check";
import { Budget } from "../budget.ts";
import { Patterns } from "../pattern.ts";
import { finish } from "../steps.ts";
import { compileSchema } from "./schema.ts";

function compile(schema: unknown) {
  const budget = new Budget();
  const compiled = finish(compileSchema({ text: JSON.stringify(schema), budget, patterns: new Patterns(budget) }));
  return {
    budget,
    check(value: unknown) {
      budget.refill();
      return compiled.check(value);
    },
  };
}

describe("what is wrong is said, and where", () => {
  it.each<[object, unknown, string, string]>([
    [{ type: "integer" }, 1.5, "", "must be integer"],
    [{ type: ["string", "null"] }, 1, "", "must be string,null"],
    [{ const: { a: [1] } }, { a: [2] }, "", "must be equal to constant"],
    [{ enum: [1, "a"] }, "1", "", "must be equal to one of the allowed values"],
    [{ minimum: 2 }, 1, "", "must be >= 2"],
    [{ exclusiveMaximum: 2 }, 2, "", "must be < 2"],
    [{ multipleOf: 0.01 }, 0.015, "", "must be multiple of 0.01"],
    [{ minLength: 2 }, "😀", "", "must NOT have fewer than 2 characters"],
    [{ maxLength: 1 }, "ab", "", "must NOT have more than 1 characters"],
    [{ pattern: "^a" }, "b", "", 'must match pattern "^a"'],
    [{ items: { type: "string" } }, ["a", 1], "/1", "must be string"],
    [{ prefixItems: [{}], items: false }, [1, 2], "", "must NOT have more than 1 items"],
    [
      { contains: { const: 1 }, maxContains: 1 },
      [1, 1],
      "",
      "must contain at least 1 and no more than 1 valid item(s)",
    ],
    [
      { uniqueItems: true },
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
      "",
      "must NOT have duplicate items",
    ],
    [{ required: ["a"] }, {}, "", "must have required property 'a'"],
    [{ properties: { a: false } }, { a: 1 }, "/a", "boolean schema is false"],
    [
      { properties: { "a/b~": { properties: { c: { type: "null" } } } } },
      { "a/b~": { c: 1 } },
      "/a~1b~0/c",
      "must be null",
    ],
    [{ patternProperties: { "^x": { type: "null" } } }, { ax: 1, xa: 1 }, "/xa", "must be null"],
    [{ additionalProperties: false }, { a: 1 }, "", "must NOT have additional properties"],
    [{ propertyNames: { maxLength: 1 } }, { ab: 1 }, "", 'property name "ab": must NOT have more than 1 characters'],
    [{ dependentRequired: { a: ["b"] } }, { a: 1 }, "", "must have required property 'b' when property 'a' is present"],
    [{ dependentSchemas: { a: { required: ["b"] } } }, { a: 1 }, "", "must have required property 'b'"],
    [{ anyOf: [{ type: "null" }, { type: "string" }] }, 1, "", "must match a schema in anyOf"],
    [{ oneOf: [{}, {}] }, 1, "", "must match exactly one schema in oneOf"],
    [{ not: {} }, 1, "", "must NOT be valid"],
    [
      JSON.parse('{"if": {"type": "object"}, "then": {"properties": {"a": {"type": "null"}}}}'),
      { a: 1 },
      "/a",
      "must be null",
    ],
    [{ $ref: "#/$defs/a%25b", $defs: { "a%b": { type: "null" } } }, 1, "", "must be null"],
    [
      { allOf: [{ properties: { a: {} } }], unevaluatedProperties: false },
      { a: 1, b: 1 },
      "",
      "must NOT have unevaluated properties",
    ],
    [{ contains: { const: 1 }, unevaluatedItems: { const: 2 } }, [1, 2, 3], "/2", "must be equal to constant"],
  ])("%j of %j", (schema, value, path, message) => {
    expect(compile(schema).check(value)).toEqual({ path, message });
  });
});

it("names of every object's own are no members", () => {
  expect(compile({ required: ["toString"] }).check({})).toBeDefined();
  expect(compile({ properties: { constructor: { type: "null" } } }).check({})).toBeUndefined();
  expect(
    compile({ properties: JSON.parse('{"__proto__": {"type": "null"}}') }).check(JSON.parse('{"__proto__": 1}')),
  ).toEqual({
    path: "/__proto__",
    message: "must be null",
  });
});

/** Small sets of names and values, so that what is made meets what is asked. */
const name = fc.constantFrom("a", "b", "ab", "c");
const scalar = fc.constantFrom<unknown>(null, true, 0, 1, 1.5, -2, "", "a", "ab", "é😀");
const value = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalar,
    fc.array(tie("json"), { maxLength: 4 }),
    fc.dictionary(name, tie("json"), { maxKeys: 4 }),
  ),
})).json;
const count = fc.nat({ max: 3 });
const names = fc.uniqueArray(name, { maxLength: 3 });
const type = fc.constantFrom("null", "boolean", "number", "integer", "string", "array", "object");

const keywordsOfValues: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  type: fc.oneof(type, fc.uniqueArray(type, { minLength: 1, maxLength: 3 })),
  const: value,
  enum: fc.uniqueArray(value, { minLength: 1, maxLength: 3, selector: (one) => JSON.stringify(one) }),
  minimum: fc.constantFrom(-1, 0, 1),
  maximum: fc.constantFrom(-1, 0, 1.5),
  exclusiveMinimum: fc.constantFrom(-2, 0),
  exclusiveMaximum: fc.constantFrom(1, 1.5),
  multipleOf: fc.constantFrom(0.5, 1, 2),
  minLength: count,
  maxLength: count,
  pattern: fc.constantFrom("^a", "b$", "^$", "^[a-b]+$"),
  minItems: count,
  maxItems: count,
  uniqueItems: fc.boolean(),
  minProperties: count,
  maxProperties: count,
  required: names,
  dependentRequired: fc.dictionary(name, names, { maxKeys: 2 }),
  $ref: fc.constant("#/$defs/shared"),
};

type Entries = readonly (readonly [keyword: string, said: unknown])[];

/** Entries rather than objects, because a condition's `then` would make them look like promises. */
function keywordsOf(inner: fc.Arbitrary<unknown>): readonly fc.Arbitrary<Entries>[] {
  const list = fc.array(inner, { minLength: 1, maxLength: 3 });
  const map = fc.dictionary(name, inner, { maxKeys: 3 });
  const holders: (readonly [string, fc.Arbitrary<unknown>])[] = [
    ...["prefixItems", "allOf", "anyOf", "oneOf"].map((keyword) => [keyword, list] as const),
    ...["properties", "dependentSchemas"].map((keyword) => [keyword, map] as const),
    ..."items additionalProperties propertyNames not unevaluatedProperties unevaluatedItems"
      .split(" ")
      .map((keyword) => [keyword, inner] as const),
    ["patternProperties", fc.dictionary(fc.constantFrom("^a", "b$"), inner, { maxKeys: 2 })],
  ];
  const together = (keywords: readonly string[], said: readonly fc.Arbitrary<unknown>[]): fc.Arbitrary<Entries> =>
    fc.tuple(...said).map((values) => keywords.map((keyword, index) => [keyword, values[index]] as const));
  return [
    ...holders.map(([keyword, said]) => together([keyword], [said])),
    together(["if", "then", "else"], [inner, inner, inner]),
    together(["contains", "minContains"], [inner, count]),
    together(["contains", "maxContains"], [inner, fc.constantFrom(1, 2)]),
  ];
}

const ofValues = Object.entries(keywordsOfValues).map(
  ([keyword, made]): fc.Arbitrary<Entries> => made.map((said) => [[keyword, said]]),
);

/** A few keywords each, so that not everything is refused by one of them. */
function schemaOf(levels: number): fc.Arbitrary<unknown> {
  const entries = levels === 0 ? ofValues : [...ofValues, ...keywordsOf(schemaOf(levels - 1))];
  const some = fc.array(fc.oneof(...entries), { maxLength: levels === 0 ? 1 : 3 });
  return fc.oneof(
    { arbitrary: fc.boolean(), weight: 1 },
    { arbitrary: some.map((groups) => Object.fromEntries(groups.flat())), weight: 5 },
  );
}

/**
 * Where ajv 8.20.0 is known not to follow the standard (Core 2020-12): a schema that has all of a list's keywords is not compared.
 *
 * - `contains` marks the items that satisfy it (§10.3.1.3), and ajv takes all of them as marked.
 * - What a subschema marks counts only where the value satisfies it (§7.7.1.2), and ajv counts what branches have marked that were not
 *   taken or did not hold: items always, members where a pattern found them.
 * - What an `if` marks counts where it holds, and only there (§10.2.2.1); ajv has both wrong.
 * - `contains` looks at lists of any length (§10.3.1.3), and ajv not at one that ends before the items that `prefixItems` names.
 */
const ASTRAY: readonly (readonly RegExp[])[] = [
  [/"unevaluatedItems":/, /"(contains|anyOf|oneOf)":/],
  [/"unevaluatedProperties":/, /"patternProperties":/, /"(anyOf|oneOf)":/],
  [/"unevaluated(Items|Properties)":/, /"if":/],
  [/"contains":/, /"prefixItems":/],
];

/** What ajv says of a value; undefined where that is not to be relied upon. */
function answerOf(validate: ValidateFunction, schema: string, value: string): boolean | undefined {
  // After a list in which `contains` found something, ajv takes empty ones (§10.3.1.3).
  if (schema.includes('"contains":') && value.includes("[]")) return undefined;
  try {
    return validate(JSON.parse(value));
  } catch (error) {
    // Some code that it makes uses names which it has not declared, or has not given a value.
    if (error instanceof ReferenceError || error instanceof TypeError) return undefined;
    throw error;
  }
}

describe("held against ajv", () => {
  const lax = { strict: false, logger: false, inlineRefs: false } as const;
  const root = fc.tuple(schemaOf(3), schemaOf(1)).map(([body, shared]) => {
    const definition = JSON.parse(
      JSON.stringify(shared).replaceAll('"$ref":"#/$defs/shared"', '"title":""'),
    ) as unknown;
    // As text, as a schema comes: what fast-check makes may have no prototype.
    return JSON.stringify({ allOf: [body], $defs: { shared: definition } });
  });
  const text = value.map((one) => JSON.stringify(one));

  it.each<[string, string, boolean]>([
    ['{"contains": {"const": 1}, "unevaluatedItems": false}', "[1,2]", false],
    ['{"anyOf": [{"minItems": 2, "items": true}, {}], "unevaluatedItems": false}', "[1]", false],
    [
      '{"oneOf": [{"patternProperties": {"^a": {"propertyNames": false}}}, {}], "unevaluatedProperties": false}',
      '{"a":{"a":1}}',
      false,
    ],
    [
      '{"if": {"additionalProperties": {"const": 1}}, "else": {"maxLength": 1}, "unevaluatedProperties": false}',
      '{"a":2}',
      false,
    ],
    ['{"if": {"unevaluatedProperties": {}}, "then": {}, "else": {}, "unevaluatedProperties": false}', '{"a":1}', true],
    ['{"prefixItems": [{}, {"const": 1}], "contains": {}, "minContains": 2}', "[1]", false],
    ['{"items": {"contains": {"const": 1}}}', "[[1],[]]", false],
  ])("%s of %s is answered as the standard has it, and not as ajv has it", (schema, one, isGood) => {
    expect(compile(JSON.parse(schema)).check(JSON.parse(one)) === undefined).toBe(isGood);
    // Once this fails, what is said of it above can go.
    expect(new Ajv2020(lax).compile(JSON.parse(schema))(JSON.parse(one))).toBe(!isGood);
  });

  it("the same values are good", () => {
    let good = 0;
    let bad = 0;
    const property = fc.property(root, fc.array(text, { minLength: 5, maxLength: 10 }), (made, values) => {
      fc.pre(!ASTRAY.some((keywords) => keywords.every((keyword) => keyword.test(made))));
      // Its own check of schemas is another test's, and takes far longer than all else here.
      const theirs = new Ajv2020({ ...lax, meta: false, validateSchema: false }).compile(JSON.parse(made));
      const ours = compile(JSON.parse(made));
      for (const one of values) {
        const expected = answerOf(theirs, made, one);
        if (expected === undefined) continue;
        if (expected) good += 1;
        else bad += 1;
        expect([one, ours.check(JSON.parse(one)) === undefined]).toEqual([one, expected]);
      }
    });
    fc.assert(property, { numRuns: 500 });
    // Else it would have shown nothing.
    expect(Math.min(good, bad)).toBeGreaterThan(500);
  });

  const keywords = [
    ..."type multipleOf maximum minLength maxItems uniqueItems minProperties required dependentRequired".split(" "),
    ..."allOf anyOf prefixItems items contains properties patternProperties propertyNames not $ref".split(" "),
    ..."title description deprecated readOnly examples $comment $defs".split(" "),
  ];
  it.each(keywords)("%s is refused for the same values", (keyword) => {
    const odd = [null, true, -1, 1.5, "x", [], ["a", "a"], [1], {}, { a: 1 }, { a: ["b", "b"] }];
    const ajv = new Ajv2020({ ...lax, strictSchema: true });
    const refused = (make: (schema: object) => unknown) =>
      odd.filter((said) => {
        try {
          make({ [keyword]: said });
          return false;
        } catch {
          return true;
        }
      });
    expect(refused(compile)).toEqual(refused((schema) => ajv.compile(schema)));
  });
});
