import { describe, expect, it } from "@jest/globals";
import { compileMessagePolicy, type MessagePolicy, type MessageRules } from "./messages.ts";

const surroundings = {
  claims: { sub: "ada", roles: ["chat", "admin"] },
  route: { namespace: "apps", name: "chat" },
  connection: { id: "a.b" },
  client: { ip: "192.0.2.1" },
};

const compile = (rules: Partial<MessageRules>) =>
  compileMessagePolicy({ accept: ["Text"], allow: [], transform: {}, ...rules });

function policyOf(rules: Partial<MessageRules>): MessagePolicy {
  const compiled = compile(rules);
  if ("problems" in compiled) throw new Error(JSON.stringify(compiled.problems));
  return compiled.policy;
}

const problemsOf = (rules: Partial<MessageRules>) => {
  const compiled = compile(rules);
  return "problems" in compiled ? compiled.problems.map(({ field, message }) => `${field}: ${message}`) : [];
};

const schema = JSON.stringify({
  type: "object",
  required: ["type"],
  properties: { type: { enum: ["say", "ping"] }, user: { $ref: "#/$defs/user" } },
  additionalProperties: false,
  $defs: { user: { type: "object", properties: { name: { type: "string", pattern: "^[a-z]+$", maxLength: 20 } } } },
});

describe("a schema", () => {
  const policy = policyOf({ schema });
  const errorOf = (text: string) => {
    const outcome = policy.fromClient(text, surroundings);
    return "error" in outcome ? outcome.error : undefined;
  };

  it.each(['{"type":"say"}', '{"type":"ping","user":{"name":"ada"}}'])("takes %s as it is", (text) => {
    expect(policy.fromClient(text, surroundings)).toEqual({ text });
  });

  it("names the path of what is wrong", () => {
    expect(errorOf('{"type":"say","user":{"name":7}}')).toEqual({
      reason: "Schema",
      path: "/user/name",
      message: "must be string",
    });
    expect(errorOf('{"type":"say","user":{"name":"Ada"}}')).toMatchObject({ reason: "Schema", path: "/user/name" });
    expect(errorOf("{}")).toMatchObject({ path: "", message: "must have required property 'type'" });
  });

  it("tells what is no JSON, and what is nested too deeply, apart", () => {
    expect(errorOf("{type: say}")?.reason).toBe("NotJson");
    expect(errorOf(`${"[".repeat(65)}${"]".repeat(65)}`)?.reason).toBe("TooDeep");
    expect(errorOf(`{"a":"${"[".repeat(65)}"}`)?.reason).toBe("Schema");
  });
});

describe("allow", () => {
  it("lets through what every rule holds for", () => {
    const policy = policyOf({ allow: ['message.type != "admin" || "admin" in claims.roles', "message.n > 1"] });
    expect(policy.fromClient('{"type":"admin","n":2}', surroundings)).toEqual({ text: '{"type":"admin","n":2}' });
    const outcome = policy.fromClient('{"type":"admin","n":1}', surroundings);
    expect(outcome).toMatchObject({ error: { reason: "NotAllowed" } });
  });

  it("does not hold where a key is missing", () => {
    const policy = policyOf({ allow: ["message.n > 1"] });
    expect(policy.fromClient('{"m":2}', surroundings)).toMatchObject({ error: { reason: "NotAllowed" } });
    expect(policy.fromClient("text", surroundings)).toMatchObject({ error: { reason: "NotAllowed" } });
  });

  it.each([
    ['text.matches("^a+$")', "aaa", true],
    ['text.matches("^a+$")', "aab", false],
    ['message.tags.exists(t, t == "x")', '{"tags":["y","x"]}', true],
    ['message.tags.all(t, t == "x")', '{"tags":["y","x"]}', false],
    ['message.tags.exists_one(t, t == "x")', '{"tags":["y","x"]}', true],
    ['size(message.tags.filter(t, t.startsWith("x"))) == 1', '{"tags":["y","x"]}', true],
    ['message.tags.map(t, t + "!").join(",") == "y!,x!"', '{"tags":["y","x"]}', true],
    ['has(message.a) && route.name == "chat" && client.ip.startsWith("192.")', '{"a":null}', true],
    ['text.contains("b") && connection.id == "a.b"', "abc", true],
    ["message.rows.all(r, r.all(c, c > 0))", '{"rows":[[1,2],[3]]}', true],
    ["message.rows.all(r, r.all(c, c > 0))", '{"rows":[[1,2],[0]]}', false],
  ])("%s of %s is %s, each time", (rule, text, holds) => {
    const policy = policyOf({ allow: [rule] });
    for (let time = 0; time < 3; time += 1) {
      expect("text" in policy.fromClient(text, surroundings)).toBe(holds);
    }
  });
});

describe("transform", () => {
  it("sends JSON on, or a string as it is", () => {
    const policy = policyOf({
      transform: { fromClient: '{"user": claims.sub, "n": 3, "body": message}', toClient: 'text + "!"' },
    });
    expect(policy.fromClient('{"a":[1.5,null]}', surroundings)).toEqual({
      text: '{"user":"ada","n":3,"body":{"a":[1.5,null]}}',
    });
    expect(policy.fromClient("plain", surroundings)).toEqual({ text: '{"user":"ada","n":3,"body":"plain"}' });
    expect(policy.toClient("hi", surroundings)).toEqual({ text: "hi!" });
  });

  it("refuses a message that it fails on", () => {
    const policy = policyOf({ transform: { fromClient: "message.missing" } });
    expect(policy.fromClient("{}", surroundings)).toMatchObject({ error: { reason: "Transform" } });
  });
});

it("reply has the route's own shape", () => {
  const policy = policyOf({ schema, reply: '{"type": "error", "at": error.path, "why": error.message}' });
  const outcome = policy.fromClient('{"type":"say","user":{"name":7}}', surroundings);
  if (!("error" in outcome)) throw new Error("the message was taken");
  expect(policy.reply(outcome.error, surroundings)).toBe('{"type":"error","at":"/user/name","why":"must be string"}');
});

describe("what is refused when it is compiled (A10)", () => {
  const nested = (depth: number): string => (depth === 0 ? "true" : `[1].all(x${depth}, ${nested(depth - 1)})`);
  it.each([
    ["1 +", "allow[0]: Unexpected token: EOF"],
    ["message.a + 1 + ", "allow[0]: Unexpected token: EOF"],
    ["nothing == 1", "allow[0]: Unknown variable: nothing"],
    ["error.path == ''", "allow[0]: Unknown variable: error"],
    ['"a"', "allow[0]: must be true or false, not string"],
    ["1 + 'a' == 2", "allow[0]: no such overload: int + string"],
    [nested(3), "allow[0]: all() within 2 loops: they may not be nested deeper"],
    ["cel.bind(a, text + text, a == a)", /^allow\[0\]: bind\(\) is not available/],
    ["bytes(text).json().a == 1", /^allow\[0\]: json\(\) is not available; there are size, /],
    ["text.matches(message.pattern)", /^allow\[0\]: the argument of matches\(\) must be a string that stands in/],
    ["text.contains(message.needle)", /^allow\[0\]: the argument of contains\(\) must be/],
    ['text.matches("(a")', /^allow\[0\]: "\(a" is not an RE2 expression: /],
    ['text.matches("(?=a)b")', /^allow\[0\]: "\(\?=a\)b" is not an RE2 expression: /],
    ['text.matches("((a{1,30}){1,30})")', /^allow\[0\]: .* is too large: its repetitions make \d+ steps of 200$/],
    [Array(600).fill("true").join(" && "), /^allow\[0\]: .*maxAstNodes/],
    [`${"(".repeat(100)}true${")".repeat(100)}`, /^allow\[0\]: .*maxDepth/],
  ])("%s", (rule, problem) => {
    const [first] = problemsOf({ allow: [rule] });
    expect(first).toEqual(typeof problem === "string" ? problem : expect.stringMatching(problem));
  });

  const chain = Object.fromEntries(
    Array.from({ length: 12 }, (_, i) => [
      `s${i}`,
      { anyOf: [{ $ref: `#/$defs/s${i + 1}` }, { $ref: `#/$defs/s${i + 1}` }] },
    ]),
  );
  const deep = (levels: number): object => (levels === 0 ? {} : { items: deep(levels - 1) });
  it.each<[string, unknown, string | RegExp]>([
    ["no object", [], "schema: must be a JSON object"],
    ["another dialect", { $schema: "http://json-schema.org/draft-07/schema#" }, /^schema: \$schema must be /],
    ["an unknown keyword", { tpye: "object" }, /^schema: unknown keyword: "tpye"/],
    ["a remote reference", { $ref: "https://example.com/a.json" }, /^schema: \$ref must point into the schema itself/],
    ["a reference to nothing", { $ref: "#/$defs/a" }, "schema: $ref #/$defs/a points to nothing"],
    ["a recursive reference", { properties: { a: { $ref: "#" } } }, /^schema: \$ref # leads back to itself/],
    ["$dynamicRef", { $dynamicRef: "#a" }, "schema: $dynamicRef is not supported; use $defs and $ref"],
    [
      "a huge unrolled schema",
      { $ref: "#/$defs/s0", $defs: { ...chain, s12: {} } },
      /^schema: is too large: with every/,
    ],
    [
      "a huge enum",
      { enum: Array.from({ length: 20_000 }, (_, i) => `value ${i}`) },
      /^schema: is too large: it has more than 131072 characters/,
    ],
    [
      "many definitions that nothing refers to",
      { $defs: Object.fromEntries(Array.from({ length: 2_001 }, (_, i) => [`s${i}`, {}])) },
      "schema: is too large: it has more than 2000 subschemas",
    ],
    [
      "many patterns",
      { allOf: Array.from({ length: 101 }, (_, i) => ({ pattern: `^a${i}` })) },
      "schema: is too large: with it the messages have more than 100 patterns",
    ],
    [
      "a pattern of many classes",
      { pattern: "\\pL".repeat(7) },
      /^schema: .* is too large: it names more than 6 classes/,
    ],
    [
      "a pattern of large ranges that ignores case",
      { pattern: "(?i)[\\x{100}-\\x{ffff}]" },
      /^schema: .* is too large: a pattern that ignores case has at most 10000 characters in its ranges/,
    ],
    ["a mistake further down", { items: { minLength: -1 } }, "schema: /items: minLength must be a whole number"],
    ["a mistake in what nothing refers to", { $defs: { a: { tpye: 1 } } }, 'schema: /$defs/a: unknown keyword: "tpye"'],
    ["deep nesting", deep(40), "schema: is nested deeper than 32 levels"],
    ["a pattern that RE2 does not know", { pattern: "(a)\\1" }, /^schema: "\(a\)\\\\1" is not an RE2 expression/],
  ])("a schema with %s", (_name, value, problem) => {
    const [first] = problemsOf({ schema: JSON.stringify(value) });
    expect(first).toEqual(typeof problem === "string" ? problem : expect.stringMatching(problem));
  });

  it("names every field that is wrong", () => {
    const rules = { schema: "{", allow: ["true", "("], transform: { fromClient: "x", toClient: "y" }, reply: "z" };
    const fields = problemsOf(rules).map((problem) => problem.split(":")[0]);
    expect(fields).toEqual(["schema", "allow[1]", "transform.fromClient", "transform.toClient", "reply"]);
  });
});

describe("what would run for long is cut off (A10)", () => {
  const list = (length: number, item: string): string => `{"items":[${Array(length).fill(item).join(",")}]}`;
  const big = "a".repeat(60_000);
  it.each<[string, Partial<MessageRules>, string]>([
    ["a loop in a loop", { allow: ["message.items.all(a, message.items.all(b, a == b))"] }, list(20_000, "1")],
    ["a loop in a loop that fails", { allow: ["message.items.all(a, message.items.all(b, b.x))"] }, list(20_000, "1")],
    ["a membership in a loop", { allow: ["message.items.all(a, !(a + 1.0 in message.items))"] }, list(20_000, "1")],
    [
      "exhaustion that is caught",
      { allow: ["message.items.all(a, message.items.all(b, a == b)) || true"] },
      list(20_000, "1"),
    ],
    [
      "lists of lists",
      { allow: ["message.items.map(a, message.items) == message.items.map(a, message.items)"] },
      list(9_000, "1"),
    ],
    ["a text in a loop", { allow: ['message.items.all(a, !text.contains("ab"))'] }, list(20_000, "1")],
    ["a text that grows", { transform: { fromClient: 'message.items.map(a, text).join("")' } }, list(20_000, "1")],
    ["values that grow", { transform: { fromClient: "message.items.map(a, message)" } }, list(9_000, "1")],
    ["a pattern over a long text", { allow: ['text.matches("^(\\\\w+\\\\s?)*$")'] }, `${big}!`],
    ["a duration of many digits", { allow: ['duration(text) > duration("1s")'] }, "1".repeat(60_000)],
    [
      "a wide schema over many values",
      {
        schema: JSON.stringify({
          properties: {
            items: { items: { not: { anyOf: Array.from({ length: 200 }, (_, i) => ({ const: i + 2 })) } } },
          },
        }),
      },
      list(20_000, "1"),
    ],
    ["a pattern in a schema", { schema: JSON.stringify({ pattern: "(a|b|ab)*c" }) }, JSON.stringify(big)],
    ["too many values", { allow: ["true"] }, list(60_000, "1")],
  ])("%s", (_name, rules, text) => {
    const policy = policyOf(rules);
    policy.fromClient("{}", surroundings);
    const started = process.cpuUsage();
    const outcome = policy.fromClient(text, surroundings);
    const { user, system } = process.cpuUsage(started);
    expect(outcome).toEqual({ error: expect.objectContaining({ reason: "TooCostly" }) });
    expect((user + system) / 1000).toBeLessThan(40);
  });

  const fields = (count: number, make: (index: number) => unknown) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`field${index}`, make(index)]));
  const text = () => ({ type: "string", maxLength: 60 });
  const kind = (index: number) => ({
    properties: { kind: { const: index }, ...fields(9, text) },
    required: ["kind"],
    additionalProperties: false,
  });
  it.each<[string, object]>([
    ["properties", { items: { properties: { kind: { type: "integer" }, ...fields(97, text) }, required: ["kind"] } }],
    ["branches of which one fits", { items: { oneOf: Array.from({ length: 9 }, (_, index) => kind(index)) } }],
  ])("but not 2,000 values in 64 KiB for a schema of 100 subschemas: %s", (_name, schema) => {
    const policy = policyOf({ schema: JSON.stringify(schema) });
    const message = JSON.stringify(
      Array.from({ length: 200 }, (_, index) => ({ kind: index % 9, ...fields(9, () => "x".repeat(24)) })),
    );
    expect(message.length).toBeGreaterThan(64 * 1024);
    expect(policy.fromClient(message, surroundings)).toEqual({ text: message });
  });

  it("and the next message has its own budget", () => {
    const policy = policyOf({ allow: ["message.items.all(a, message.items.all(b, a == b))"] });
    expect(policy.fromClient(list(20_000, "1"), surroundings)).toMatchObject({ error: { reason: "TooCostly" } });
    expect(policy.fromClient(list(20, "1"), surroundings)).toHaveProperty("text");
  });
});
