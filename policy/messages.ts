/**
 * What a route demands of its messages, compiled: kinds, a schema, predicates, and what is sent on in their place. Pure: the operator
 * compiles it to refuse what cannot be served, the gateway to serve it. One policy looks at one message at a time.
 */
import { Budget, TooCostly } from "./budget.ts";
import { compileExpression, type Expression, type ExpressionOptions, problemOf, type Variables } from "./expression.ts";
import { MAX_JSON_DEPTH, measureJson, warmUpJson, writeJson } from "./json.ts";
import { Patterns } from "./pattern.ts";
import { compileSchema, type Schema } from "./schema/schema.ts";
import { finish, type Steps } from "./steps.ts";

export interface MessageRules {
  readonly accept: readonly ("Text" | "Binary")[];
  /** JSON Schema 2020-12, as JSON text. */
  readonly schema?: string | undefined;
  /** CEL; each of them has to be true. */
  readonly allow: readonly string[];
  /** CEL; its value goes on instead of the message. */
  readonly transform: { readonly fromClient?: string | undefined; readonly toClient?: string | undefined };
  /** CEL; its value is sent back to the client whose message was refused. */
  readonly reply?: string | undefined;
}

/** What expressions know beside the message. */
export type Surroundings = Omit<Variables, "message" | "text">;

/** Why a message is refused; the reasons are labels of a metric. */
export const MESSAGE_REASONS = {
  Kind: "this kind of message is not accepted",
  NotJson: "the message is not JSON",
  TooDeep: `the message is nested deeper than ${MAX_JSON_DEPTH} levels`,
  Schema: "the message does not satisfy the schema",
  NotAllowed: "the message is not allowed",
  Transform: "the message cannot be transformed",
  TooCostly: "the message costs too much to look at",
} as const;
export type MessageReason = keyof typeof MESSAGE_REASONS;

export interface MessageError {
  readonly reason: MessageReason;
  /** JSON pointer (RFC 6901) to what is wrong; empty for all of the message. */
  readonly path: string;
  readonly message: string;
}

/** What goes on: the text as it came, or another one; or why nothing does. */
export type Outcome = { readonly text: string } | { readonly error: MessageError };

export interface Problem {
  /** Path of the field under `messages`, such as `transform.fromClient`. */
  readonly field: string;
  readonly message: string;
}

/** Longest path that is told; its names are the client's own. */
const MAX_PATH = 256;

interface Compiled {
  readonly schema: Schema | undefined;
  readonly allow: readonly Expression[];
  readonly fromClient: Expression | undefined;
  readonly toClient: Expression | undefined;
  readonly reply: Expression | undefined;
}

export class MessagePolicy {
  readonly accepts: { readonly text: boolean; readonly binary: boolean };
  readonly #compiled: Compiled;
  readonly #budget: Budget;

  constructor(rules: MessageRules, compiled: Compiled, budget: Budget) {
    this.accepts = { text: rules.accept.includes("Text"), binary: rules.accept.includes("Binary") };
    this.#compiled = compiled;
    this.#budget = budget;
  }

  /** Whether text from the client, or to it, is looked at at all. */
  get readsFromClient(): boolean {
    const { schema, allow, fromClient } = this.#compiled;
    return schema !== undefined || allow.length > 0 || fromClient !== undefined;
  }

  get readsToClient(): boolean {
    return this.#compiled.toClient !== undefined;
  }

  /** Units that the last message cost. */
  get cost(): number {
    return this.#budget.spent;
  }

  fromClient(text: string, surroundings: Surroundings): Outcome {
    const { fromClient, schema } = this.#compiled;
    return this.#guarded(() => {
      const read = this.#read(text, { mustBeJson: schema !== undefined });
      if ("error" in read) return read;
      const variables = { ...surroundings, message: read.message, text };
      const error = this.#check(variables);
      if (error !== undefined) return { error };
      return { text: fromClient === undefined ? text : this.#transformed(fromClient, variables) };
    });
  }

  toClient(text: string, surroundings: Surroundings): Outcome {
    const { toClient } = this.#compiled;
    if (toClient === undefined) return { text };
    return this.#guarded(() => {
      const read = this.#read(text, { mustBeJson: false });
      if ("error" in read) return read;
      return { text: this.#transformed(toClient, { ...surroundings, message: read.message, text }) };
    });
  }

  /** What a client is told whose message was refused; undefined where that cannot be said. */
  reply({ path, message }: MessageError, surroundings: Surroundings): string | undefined {
    const { reply } = this.#compiled;
    if (reply === undefined) return undefined;
    const outcome = this.#guarded(() => {
      const variables = { ...surroundings, message: null, text: "", error: { path, message } };
      return { text: this.#transformed(reply, variables) };
    });
    return "error" in outcome ? undefined : outcome.text;
  }

  /** Runs with a fresh budget. */
  #guarded(run: () => Outcome): Outcome {
    this.#budget.refill();
    try {
      return run();
    } catch (error) {
      const reason = error instanceof TooCostly ? "TooCostly" : "Transform";
      return refused(reason);
    }
  }

  #read(text: string, { mustBeJson }: { readonly mustBeJson: boolean }) {
    const { units, depth } = measureJson(text);
    if (depth > MAX_JSON_DEPTH) return refused("TooDeep");
    this.#budget.spend(units);
    const message = parsed(text);
    if (message !== undefined) return { message };
    return mustBeJson ? refused("NotJson") : { message: text };
  }

  #check(variables: Variables): MessageError | undefined {
    const { schema, allow } = this.#compiled;
    const found = schema?.check(variables.message);
    if (found !== undefined) return { reason: "Schema", ...found, path: found.path.slice(0, MAX_PATH) };
    return allow.every((rule) => this.#holds(rule, variables)) ? undefined : refused("NotAllowed").error;
  }

  /** An expression that fails, as where a key is missing, allows nothing. */
  #holds(rule: Expression, variables: Variables): boolean {
    try {
      return rule.evaluate(variables) === true;
    } catch (error) {
      if (error instanceof TooCostly) throw error;
      return false;
    }
  }

  /** A string goes on as it is, anything else as JSON. */
  #transformed(transform: Expression, variables: object): string {
    const value = transform.evaluate(variables);
    return typeof value === "string" ? value : writeJson(value, this.#budget);
  }
}

function refused(reason: MessageReason): { readonly error: MessageError } {
  return { error: { reason, path: "", message: MESSAGE_REASONS[reason] } };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export type Compilation = { readonly policy: MessagePolicy } | { readonly problems: readonly Problem[] };

/** Compiles the rules, or says everything that is wrong with them. Each step takes a few milliseconds at most. */
export function* compileInSteps(rules: MessageRules): Steps<Compilation> {
  const budget = new Budget();
  const patterns = new Patterns(budget);
  const problems: Problem[] = [];
  function* attempt<T>(field: string, steps: Steps<T>): Steps<T | undefined> {
    try {
      yield;
      return yield* steps;
    } catch (error) {
      problems.push({ field, message: problemOf(error) });
      return undefined;
    }
  }
  function* expression(field: string, source: string | undefined, kind = ANY): Steps<Expression | undefined> {
    if (source === undefined) return undefined;
    return yield* attempt(field, compileExpression({ source, budget, patterns, ...kind }));
  }
  yield* warmUpJson();
  const { schema: text, transform } = rules;
  const schema = text === undefined ? undefined : yield* attempt("schema", compileSchema({ text, budget, patterns }));
  const allow: Expression[] = [];
  for (const [index, source] of rules.allow.entries()) {
    const rule = yield* expression(`allow[${index}]`, source, PREDICATE);
    if (rule !== undefined) allow.push(rule);
  }
  const fromClient = yield* expression("transform.fromClient", transform.fromClient);
  const toClient = yield* expression("transform.toClient", transform.toClient);
  const reply = yield* expression("reply", rules.reply, REPLY);
  if (problems.length > 0) return { problems };
  return { policy: new MessagePolicy(rules, { schema, allow, fromClient, toClient, reply }, budget) };
}

/** The same at once, for whoever holds no connections. */
export function compileMessagePolicy(rules: MessageRules): Compilation {
  return finish(compileInSteps(rules));
}

type Kind = Pick<ExpressionOptions, "result" | "of">;
const ANY: Kind = { result: "any", of: "message" };
const PREDICATE: Kind = { result: "bool", of: "message" };
const REPLY: Kind = { result: "any", of: "refusal" };
