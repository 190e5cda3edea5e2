/**
 * CEL expressions over messages, bounded twice: what is too large, too deep or not known to be cheap is refused when it is
 * compiled, and what runs spends from a budget, so that no message can make it run for long.
 */
import { Environment } from "@marcbachmann/cel-js";
import type { Budget } from "./budget.ts";
import { spendOn } from "./json.ts";
import type { Pattern, Patterns } from "./pattern.ts";
import type { Steps } from "./steps.ts";

/** Names that an expression may use, each with its type. */
const VARIABLES = {
  message: "dyn",
  text: "string",
  claims: "map<string, dyn>",
  route: "map<string, string>",
  connection: "map<string, string>",
  client: "map<string, string>",
} as const;
export type Variables = { readonly [name in keyof typeof VARIABLES]: unknown };

/** Of an expression that answers a refused message: why it was refused. */
const ERROR_VARIABLE = { error: "map<string, string>" } as const;

const LIMITS = { maxAstNodes: 500, maxDepth: 32, maxListElements: 100, maxMapEntries: 100, maxCallArguments: 8 };
/** Loops within loops; the innermost one runs for each item of each. */
const MAX_LOOP_DEPTH = 2;
const LOOPS: ReadonlySet<string> = new Set(["all", "exists", "exists_one", "map", "filter"]);
const FUNCTIONS: ReadonlySet<string> = new Set(
  "has size string int uint double bool timestamp duration type dyn".split(" "),
);
const METHODS: ReadonlySet<string> = new Set([
  ..."size startsWith endsWith contains lowerAscii upperAscii trim indexOf lastIndexOf substring matches split join".split(
    " ",
  ),
  ..."getDate getDayOfMonth getDayOfWeek getDayOfYear getFullYear getHours getMilliseconds getMinutes getMonth".split(
    " ",
  ),
  "getSeconds",
]);
const CALLABLE: ReadonlySet<string> = new Set([...METHODS, ...LOOPS]);
/** Methods whose cost depends on their argument too: it has to stand in the expression itself. */
const LITERAL_ARGUMENT: ReadonlySet<string> = new Set([
  "matches",
  "contains",
  "indexOf",
  "lastIndexOf",
  "split",
  "join",
]);
const MAX_LITERAL = 256;
/** A time zone is looked up by name in each call. */
const TIME_ZONE_UNITS = 1_000;
/** No duration is longer; the library's reader of durations is slow on long texts. */
const MAX_DURATION_TEXT = 64;
/** What `matches` becomes: the library's own uses expressions that can run for ever. */
const RE2_METHOD = "matchesRE2";

/** The library's nodes as they are inside: `meta` holds how a node is run, and what a macro was expanded to. */
interface Node {
  readonly op: string;
  readonly args: unknown;
  readonly meta: { evaluate?: Evaluate; alternate?: Node; macro?: { readonly evaluate: MacroEvaluate } };
  evaluate: Evaluate;
}
type MacroEvaluate = (evaluator: unknown, macro: unknown, context: unknown) => unknown;
type Evaluate = (evaluator: unknown, node: Node, context: unknown) => unknown;

interface Loop {
  readonly iterable: Node;
  readonly init: Node;
  readonly step: Node;
  readonly condition?: (sofar: boolean) => boolean;
}

export interface ExpressionOptions {
  readonly source: string;
  /** What it has to evaluate to. */
  readonly result: "bool" | "any";
  /** Whether `error` is known to it. */
  readonly of: "message" | "refusal";
  readonly budget: Budget;
  readonly patterns: Patterns;
}

/** @throws Error that says what is wrong with the expression, for people */
export function* compileExpression({ source, result, of, budget, patterns }: ExpressionOptions): Steps<Expression> {
  const used = new Map<string, Pattern>();
  const environment = environmentOf(of, used);
  yield;
  const parsed = environment.parse(source);
  yield;
  const root = parsed.ast as unknown as Node;
  for (const pattern of checkNode(root, 0)) used.set(pattern, patterns.of(pattern));
  yield* patterns.compile();
  yield;
  const { valid, type, error } = parsed.check();
  if (!valid) throw error ?? new Error("the expression is not valid");
  if (result === "bool" && type !== "bool" && type !== "dyn") throw new Error(`must be true or false, not ${type}`);
  yield;
  meter(root, { budget, known: new Set() });
  return new Expression(parsed, budget);
}

export class Expression {
  readonly #run: (variables: object) => unknown;
  readonly #budget: Budget;

  /** @param run - spends from the budget as it goes */
  constructor(run: (variables: object) => unknown, budget: Budget) {
    this.#run = run;
    this.#budget = budget;
  }

  /**
   * @throws TooCostly when the budget is gone, whatever the expression itself would have made of that
   * @throws Error when the expression fails, as where a key is missing
   */
  evaluate(variables: object): unknown {
    let value: unknown;
    try {
      value = this.#run(variables);
    } catch (error) {
      this.#budget.spend(0);
      throw error;
    }
    this.#budget.spend(0);
    return value;
  }
}

function environmentOf(of: ExpressionOptions["of"], patterns: ReadonlyMap<string, Pattern>): Environment {
  const environment = new Environment({ limits: LIMITS, homogeneousAggregateLiterals: false });
  const variables = of === "refusal" ? { ...VARIABLES, ...ERROR_VARIABLE } : VARIABLES;
  for (const [name, type] of Object.entries(variables)) environment.registerVariable(name, type);
  return environment.registerFunction(`string.${RE2_METHOD}(string): bool`, (text: string, source: string) => {
    return patterns.get(source)?.test(text) ?? false;
  });
}

/** Refuses what could be costly; returns the patterns that are asked for. */
function checkNode(node: Node, loops: number): string[] {
  if (node.op === "value" && node.args instanceof Uint8Array) throw new Error("bytes are not available");
  if (node.op === "id" && node.args === "cel") throw new Error("cel.bind is not available");
  if (node.op === "call") checkName((node.args as [string])[0], FUNCTIONS);
  const method = node.op === "rcall" ? checkMethod(node.args as [string, Node, Node[]], loops) : { loops };
  const inner = childrenOf(node.args).flatMap((child) => checkNode(child, method.loops));
  return method.pattern === undefined ? inner : [method.pattern, ...inner];
}

function checkName(name: string, known: ReadonlySet<string>): void {
  if (!known.has(name)) throw new Error(`${name}() is not available; there are ${[...known].join(", ")}`);
}

interface Method {
  /** How many loops stand around its arguments. */
  readonly loops: number;
  readonly pattern?: string;
}

function checkMethod(call: [string, Node, Node[]], loops: number): Method {
  const [name, , parameters] = call;
  if (LOOPS.has(name)) {
    if (loops === MAX_LOOP_DEPTH)
      throw new Error(`${name}() within ${MAX_LOOP_DEPTH} loops: they may not be nested deeper`);
    return { loops: loops + 1 };
  }
  checkName(name, CALLABLE);
  const [argument] = parameters;
  if (!LITERAL_ARGUMENT.has(name) || argument === undefined) return { loops };
  const literal = argument.op === "value" ? argument.args : undefined;
  if (typeof literal !== "string" || literal.length > MAX_LITERAL)
    throw new Error(
      `the argument of ${name}() must be a string that stands in the expression, of at most ${MAX_LITERAL} characters`,
    );
  if (name !== "matches") return { loops };
  call[0] = RE2_METHOD;
  return { loops, pattern: literal };
}

function childrenOf(value: unknown): Node[] {
  if (Array.isArray(value)) return value.flatMap(childrenOf);
  return typeof value === "object" && value !== null && "op" in value ? [value as Node] : [];
}

interface Metering {
  readonly budget: Budget;
  readonly known: Set<Node>;
}

/** Has every node spend when it runs. */
function meter(node: Node, metering: Metering): void {
  const { budget, known } = metering;
  if (known.has(node)) return;
  known.add(node);
  const run = runnerOf(node, metering);
  const units = unitsOf(node);
  node.evaluate = (evaluator, self, context) => {
    budget.spend(units);
    return run(evaluator, self, context);
  };
  if (node.meta.alternate !== undefined) return;
  for (const child of childrenOf(node.args)) {
    meter(child, metering);
    if (OPERATIONS.has(node.op)) weigh(child, { isDuration: isDuration(node) }, budget);
  }
}

/** How the library would run the node, with what it was expanded to metered. */
function runnerOf({ meta, op }: Node, metering: Metering): Evaluate {
  const { alternate, macro, evaluate } = meta;
  if (alternate !== undefined) {
    meter(alternate, metering);
    if (alternate.op === "comprehension") meterLoop(alternate, metering);
    return (evaluator, _node, context) => alternate.evaluate(evaluator, alternate, context);
  }
  if (macro !== undefined) return (evaluator, _node, context) => macro.evaluate(evaluator, macro, context);
  if (evaluate === undefined) throw new Error(`${op} cannot be metered`);
  return evaluate;
}

/** Nodes that look at all of what their children evaluate to. */
const OPERATIONS: ReadonlySet<string> = new Set("call rcall == != in + < <= > >=".split(" "));

function unitsOf({ op, args }: Node): number {
  if (op !== "rcall") return 1;
  const [name, , parameters] = args as [string, Node, Node[]];
  return name.startsWith("get") && parameters.length > 0 ? TIME_ZONE_UNITS : 1;
}

function isDuration({ op, args }: Node): boolean {
  return op === "call" && (args as [string])[0] === "duration";
}

/** Has an operand spend for the size of its value. */
function weigh(operand: Node, use: { readonly isDuration: boolean }, budget: Budget): void {
  if (operand.op === "value") return;
  const run: Evaluate = operand.evaluate;
  operand.evaluate = (evaluator, self, context) => {
    const value = run(evaluator, self, context);
    if (use.isDuration && typeof value === "string" && value.length > MAX_DURATION_TEXT) budget.spend(Infinity);
    spendOn(value, budget);
    return value;
  };
}

function meterLoop({ args }: Node, metering: Metering): void {
  const { iterable, init, step, condition } = args as Loop;
  for (const part of [iterable, init, step]) meter(part, metering);
  weigh(iterable, { isDuration: false }, metering.budget);
  if (condition !== undefined) endWhenExhausted(step, condition(false), metering.budget);
}

/** `all` and `exists` go on after an item that failed; without a budget they are to end at once. */
function endWhenExhausted(step: Node, decisive: boolean, budget: Budget): void {
  const run: Evaluate = step.evaluate;
  step.evaluate = (evaluator, self, context) => {
    try {
      return run(evaluator, self, context);
    } catch (error) {
      if (budget.isExhausted) return decisive;
      throw error;
    }
  };
}

/** What a failed compilation says, in one line: the library adds a drawing of where it is. */
export function problemOf(error: unknown): string {
  const text = error instanceof Error ? ((error as { summary?: string }).summary ?? error.message) : String(error);
  return (text.split("\n")[0] ?? "").trim();
}
