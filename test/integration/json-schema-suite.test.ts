/**
 * Message policies held against the official test suite of JSON Schema 2020-12, in the copy that Debian packages: all that it requires.
 * What it calls optional is not run: formats, which are annotations here, and what the standard leaves open.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { compileMessagePolicy } from "../../policy/messages.ts";

const SUITE = "/usr/share/perl5/auto/share/dist/Test-JSON-Schema-Acceptance/tests/draft2020-12";
if (!existsSync(SUITE)) throw new Error(`${SUITE} is missing: test/support/install.sh installs it`);

/** What is refused by design: in which words, and what a schema must have to be refused in them. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  "$id is not supported; use $defs and $ref": /"\$id":/,
  "$anchor is not supported; use $defs and $ref": /"\$anchor":/,
  "$ref must point into the schema itself, as #/$defs/name does": /"\$ref":"(?!#[/"])/,
  "$ref # leads back to itself: recursive schemas are not supported": /"\$ref":"#"/,
  "$schema must be https://json-schema.org/draft/2020-12/schema": /"\$schema":"http:\/\/localhost/,
  "must be a JSON object": /^(true|false)$/,
  "if needs then or else beside it, and they need it": /"(if|then|else)":/,
  "minContains and maxContains need contains beside them": /^(?!.*"contains":).*"(min|max)Contains":/,
};

interface Group {
  readonly description: string;
  readonly schema: unknown;
  readonly tests: readonly { readonly description: string; readonly data: unknown; readonly valid: boolean }[];
}

interface Outcome {
  /** The group's cases whose answer is not the suite's. */
  readonly wrong: readonly string[];
  /** Why its schema was refused, in the error's own words but for where. */
  readonly refusal?: string;
}

const surroundings = { claims: {}, route: {}, connection: {}, client: {} };

function outcomeOf({ description, schema, tests }: Group): Outcome {
  const text = JSON.stringify(schema);
  const compiled = compileMessagePolicy({ accept: ["Text"], schema: text, allow: [], transform: {} });
  if ("problems" in compiled) {
    const said = compiled.problems.map(({ message }) => message).join("; ");
    const refusal = said.replace(/^\/\S*: /, "");
    return { refusal, wrong: REFUSED[refusal]?.test(text) ? [] : [`${description}: refused, because it ${said}`] };
  }
  const wrong = tests.flatMap(({ description: what, data, valid }) => {
    const outcome = compiled.policy.fromClient(JSON.stringify(data), surroundings);
    const answer = "text" in outcome ? "good" : outcome.error.reason;
    const wanted = valid ? "good" : "Schema";
    return answer === wanted ? [] : [`${description}: ${what}: ${JSON.stringify(outcome)} instead of ${wanted}`];
  });
  return { wrong };
}

const files = readdirSync(SUITE)
  .filter((name) => name.endsWith(".json"))
  .map((name) => {
    const groups = JSON.parse(readFileSync(`${SUITE}/${name}`, "utf8")) as Group[];
    return { name, outcomes: groups.map(outcomeOf) };
  });

describe("the official test suite of JSON Schema 2020-12", () => {
  it.each(files)("$name", ({ outcomes }) => {
    expect(outcomes.length).toBeGreaterThan(0);
    expect(outcomes.flatMap(({ wrong }) => wrong)).toEqual([]);
  });

  it("refuses nothing but what is listed, all of which it needs", () => {
    const refusals = files.flatMap(({ outcomes }) => outcomes.flatMap(({ refusal }) => refusal ?? []));
    expect([...new Set(refusals)].sort()).toEqual(Object.keys(REFUSED).sort());
  });
});
