import { describe, expect, it } from "@jest/globals";
import { z } from "zod";
import { size } from "./fields.ts";
import { EDITOR_PATTERN, mapList, setList, VALIDATIONS, withRules } from "./rules.ts";
import { type JsonSchema, toEditor, toStructural } from "./structural.ts";

const json = (schema: z.ZodType): JsonSchema => z.toJSONSchema(schema, { io: "input" }) as JsonSchema;

describe("toStructural", () => {
  it("leaves out what a structural schema has no place for, at every depth", () => {
    const schema = z.strictObject({ a: z.strictObject({ b: z.array(z.strictObject({ c: z.string() })) }) });
    const text = JSON.stringify(toStructural(json(schema)));
    expect(text).not.toContain("additionalProperties");
    expect(text).not.toContain("$schema");
    expect(toStructural(json(schema))).toEqual({
      type: "object",
      required: ["a"],
      properties: {
        a: {
          type: "object",
          required: ["b"],
          properties: {
            b: { type: "array", items: { type: "object", required: ["c"], properties: { c: { type: "string" } } } },
          },
        },
      },
    });
  });

  it("makes fields with a default optional and keeps the default", () => {
    const schema = z.strictObject({ a: z.string().default("x"), b: z.array(z.int()).default([1]) });
    expect(toStructural(json(schema))).toEqual({
      type: "object",
      properties: {
        a: { type: "string", default: "x" },
        b: { type: "array", default: [1], items: { type: "integer", format: "int64" } },
      },
    });
  });

  it("gives integers a format and only the bounds that were set", () => {
    const schema = z.strictObject({ port: z.int().min(1).max(65535), count: z.int() });
    expect(toStructural(json(schema)).properties).toEqual({
      port: { type: "integer", format: "int32", minimum: 1, maximum: 65535 },
      count: { type: "integer", format: "int64" },
    });
  });

  it("writes sizes as the one union that Kubernetes knows", () => {
    const schema = toStructural(json(size({ min: "1", max: "1Ki" }).describe("A size.")));
    expect(schema).toMatchObject({
      description: "A size.",
      "x-kubernetes-int-or-string": true,
      anyOf: [{ type: "integer" }, { type: "string" }],
      maxLength: 20,
      pattern: expect.stringContaining("Ki|Mi"),
    });
    expect(schema.type).toBeUndefined();
  });

  it("keeps maps, literals, enums, rules and list types", () => {
    const rule = { cel: "size(self.list) > 0", message: "m", field: "list", holds: () => true };
    const schema = withRules(
      z.strictObject({
        map: z.record(z.string().max(3), z.string().max(4)),
        literal: z.literal("x"),
        list: mapList(z.array(z.strictObject({ name: z.string() })), "name"),
        set: setList(z.array(z.enum(["A", "B"]))),
      }),
      rule,
    );
    expect(toStructural(json(schema))).toMatchObject({
      [VALIDATIONS]: [{ rule: rule.cel, message: "m", fieldPath: ".list" }],
      properties: {
        map: { type: "object", additionalProperties: { type: "string", maxLength: 4 } },
        literal: { type: "string", enum: ["x"] },
        list: { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] },
        set: { "x-kubernetes-list-type": "set", items: { enum: ["A", "B"] } },
      },
    });
  });

  it("refuses what it would have to lose, and says where", () => {
    const schema = z.strictObject({ a: z.array(z.union([z.string(), z.boolean()])) });
    expect(() => toStructural(json(schema))).toThrow("$.a[]: a structural schema cannot say type string,boolean");
    const items = z.strictObject({ a: z.union([z.string(), z.array(z.string())]) });
    expect(() => toStructural(json(items))).toThrow("$.a: a structural schema cannot say anyOf");
  });
});

describe("toEditor", () => {
  it("shows patterns, refuses unknown fields and speaks no Kubernetes", () => {
    const schema = z.strictObject({
      name: z.string().meta({ [EDITOR_PATTERN]: "^a$" }),
      set: setList(z.array(z.string())),
    });
    expect(toEditor(json(schema))).toMatchObject({
      additionalProperties: false,
      properties: { name: { type: "string", pattern: "^a$" }, set: { type: "array", uniqueItems: true } },
    });
    expect(JSON.stringify(toEditor(json(schema)))).not.toContain("x-");
  });
});
