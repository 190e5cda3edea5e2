/**
 * A rule that a type cannot say, stated once and enforced twice: by the API server (CEL) and by `parse.ts` (for files).
 */
import type { z } from "zod";

/** `cel` and `holds` decide the same; `test/support/crd-cases.ts` holds both to the same examples. */
export interface Rule<T> {
  /** CEL expression over `self` (Kubernetes' CEL, `x-kubernetes-validations`). */
  readonly cel: string;
  /** For people: what must be, with an example where that helps. */
  readonly message: string;
  /** Field of `self` that the message is about; the message is about `self` where it is absent. */
  readonly field?: string;
  readonly holds: (value: T) => boolean;
}

/** Key under which the rules travel through `z.toJSONSchema` into the CRD. */
export const VALIDATIONS = "x-kubernetes-validations";

/** A pattern for editors only: the API server states it as a rule with a readable message. */
export const EDITOR_PATTERN = "x-editor-pattern";

interface Validation {
  readonly rule: string;
  readonly message: string;
  readonly fieldPath?: string;
}

/** The schema with the rules added, as a check of zod's and as metadata for the CRD. */
export function withRules<S extends z.ZodType>(schema: S, ...rules: Rule<z.output<S>>[]): S {
  const before = (schema.meta()?.[VALIDATIONS] ?? []) as Validation[];
  const added = rules.map((rule) => ({
    rule: rule.cel,
    message: rule.message,
    ...(rule.field === undefined ? {} : { fieldPath: `.${rule.field}` }),
  }));
  return schema
    .check((context) => {
      for (const rule of rules) {
        if (rule.holds(context.value)) continue;
        const path = rule.field === undefined ? [] : [rule.field];
        context.issues.push({ code: "custom", message: rule.message, path, input: context.value, continue: true });
      }
    })
    .meta({ [VALIDATIONS]: [...before, ...added] }) as S;
}

/**
 * A list that server-side apply merges by `keys`; the API server rejects duplicates. Absent keys count as equal, as
 * there.
 */
export function mapList<S extends z.ZodType>(list: S, ...keys: string[]): S {
  const identity = (item: unknown): string => JSON.stringify(keys.map((key) => (item as Record<string, unknown>)[key]));
  return unique(list, identity).meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys }) as S;
}

/** A list of scalars without order; the API server rejects duplicates. */
export function setList<S extends z.ZodType>(list: S): S {
  return unique(list, (item) => JSON.stringify(item)).meta({ "x-kubernetes-list-type": "set" }) as S;
}

function unique<S extends z.ZodType>(list: S, identity: (item: unknown) => string): S {
  return list.check((context) => {
    const seen = new Set<string>();
    (context.value as unknown[]).forEach((item, index) => {
      const key = identity(item);
      if (seen.has(key)) {
        const message = "must not repeat an earlier entry of the list";
        context.issues.push({ code: "custom", message, path: [index], input: item, continue: true });
      }
      seen.add(key);
    });
  });
}

/** A CEL raw string literal of a pattern. */
export function celPattern(pattern: RegExp): string {
  const quote = pattern.source.includes("'") ? '"' : "'";
  return `r${quote}${pattern.source}${quote}`;
}

/** CEL keeps some words for itself; Kubernetes gives fields of such names another one. */
function celField(name: string): string {
  return name === "namespace" ? "__namespace__" : name;
}

/** How many of the named fields are set, in CEL. */
export function celCount(fields: readonly string[]): string {
  return fields.map((field) => `(has(self.${field}) ? 1 : 0)`).join(" + ");
}

/** How many of the named fields are set. */
export function countSet(value: object, fields: readonly string[]): number {
  return fields.filter((field) => (value as Record<string, unknown>)[field] !== undefined).length;
}

/** Exactly one of the fields must be set. */
export function exactlyOneOf<T extends object>(...fields: (keyof T & string)[]): Rule<T> {
  const names = `${fields.slice(0, -1).join(", ")} or ${fields.at(-1)}`;
  return {
    cel: `${celCount(fields)} == 1`,
    message: `set exactly one of ${names}`,
    holds: (value) => countSet(value, fields) === 1,
  };
}

/** At least one of the fields must be set. */
export function atLeastOneOf<T extends object>(...fields: (keyof T & string)[]): Rule<T> {
  const names = `${fields.slice(0, -1).join(", ")} or ${fields.at(-1)}`;
  return {
    cel: fields.map((field) => `has(self.${field})`).join(" || "),
    message: `set at least one of ${names}`,
    holds: (value) => countSet(value, fields) > 0,
  };
}

/** In a list: no two items agree in all of the fields, of which any may be absent. Short, since CEL's cost is bounded. */
export function noneAlike<T extends object>(message: string, fields: readonly (keyof T & string)[]): Rule<T[]> {
  const same = fields
    .map(celField)
    .map((field) => `(has(a.${field}) ? has(b.${field}) && a.${field} == b.${field} : !has(b.${field}))`);
  return {
    cel: `self.all(a, self.exists_one(b, ${same.join(" && ")}))`,
    message,
    holds: (list) =>
      new Set(list.map((item) => JSON.stringify(fields.map((field) => item[field])))).size === list.length,
  };
}
