import { describe, expect, it } from "@jest/globals";
import { type Case, INVALID, INVALID_BY_TYPE, manifestOf, VALID } from "../test/support/crd-cases.ts";
import { DEFINITIONS, objectSchema } from "./definitions.ts";
import { type Parsed, parseGateway, parseRoute } from "./parse.ts";
import { VALIDATIONS } from "./rules.ts";
import type { JsonSchema } from "./structural.ts";
import type { WebSocketGateway } from "./websocketgateway.ts";
import type { WebSocketRoute } from "./websocketroute.ts";

function parse(example: Case): Parsed<WebSocketRoute> | Parsed<WebSocketGateway> {
  const object = manifestOf(example);
  return example.kind === "WebSocketRoute" ? parseRoute(object) : parseGateway(object);
}

function problemsOf(example: Case) {
  const result = parse(example);
  return result.ok ? [] : result.problems;
}

/** Every message that a CRD's rules can give. */
function messages(schema: JsonSchema): string[] {
  const own = ((schema[VALIDATIONS] ?? []) as { message: string }[]).map(({ message }) => message);
  const inner = [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties]
    .filter((child): child is JsonSchema => child !== undefined && child !== false)
    .flatMap(messages);
  return [...own, ...inner];
}

describe("rules, as the parser enforces them", () => {
  it.each(INVALID)("$name: $message", (example) => {
    const path = example.path === "" ? "metadata.name" : example.path;
    expect(problemsOf(example)).toEqual([{ path, message: example.message }]);
  });

  it.each(INVALID_BY_TYPE)("$name is refused at $path", (example) => {
    expect(problemsOf(example).map(({ path }) => path)).toEqual([example.path]);
  });

  it.each(VALID)("$name is accepted", (example) => {
    expect(problemsOf(example)).toEqual([]);
  });

  it("have an example each", () => {
    const stated = new Set(DEFINITIONS.flatMap((definition) => messages(objectSchema(definition))));
    const shown = new Set(INVALID.map(({ message }) => message));
    expect([...stated].filter((message) => !shown.has(message))).toEqual([]);
  });
});
