/**
 * Compiled message policies: each text once, one after the other, in slices between which the event loop belongs to everybody else.
 * They last as long as the snapshots that have them.
 */
import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Compilation, compileInSteps } from "../../policy/messages.ts";
import type { Steps } from "../../policy/steps.ts";
import type { MessageRules } from "./inspector.ts";

/** Milliseconds of steps in one turn; a step that begins then may take some more. */
const SLICE = 1;

export interface Slicing {
  now(): number;
  /** Resolves in a later turn of the event loop. */
  pause(): Promise<unknown>;
}

const LOOP: Slicing = { now: () => performance.now(), pause: () => nextTurn() };

export class Policies {
  readonly #slicing: Slicing;
  /** Rules stay the same object from snapshot to snapshot while their part is unchanged. */
  readonly #byRules = new WeakMap<MessageRules, Compilation>();
  /** What routes with the same texts share. */
  readonly #byText = new Map<string, WeakRef<Compilation>>();
  readonly #gone = new FinalizationRegistry<string>((key) => {
    if (this.#byText.get(key)?.deref() === undefined) this.#byText.delete(key);
  });
  readonly #underWay = new Map<string, Promise<Compilation>>();
  /** Compilations side by side would each take their slice of the same turn. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(slicing: Slicing = LOOP) {
    this.#slicing = slicing;
  }

  /** What was compiled before; undefined where `compile` has to be waited for. */
  known(rules: MessageRules): Compilation | undefined {
    return this.#byRules.get(rules);
  }

  /** Never rejects because of what the rules say. */
  async compile(rules: MessageRules): Promise<Compilation> {
    const key = keyOf(rules);
    const compilation = this.#byText.get(key)?.deref() ?? (await this.#compileOnce(key, rules));
    this.#byRules.set(rules, compilation);
    return compilation;
  }

  #compileOnce(key: string, rules: MessageRules): Promise<Compilation> {
    const underWay = this.#underWay.get(key);
    if (underWay !== undefined) return underWay;
    const compiling = this.#last
      .then(() => inSlices(compileInSteps(rules), this.#slicing))
      .then((compilation) => {
        this.#byText.set(key, new WeakRef(compilation));
        this.#gone.register(compilation, key);
        return compilation;
      })
      .finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, compiling);
    this.#last = compiling.catch(() => undefined);
    return compiling;
  }
}

async function inSlices<T>(steps: Steps<T>, { now, pause }: Slicing): Promise<T> {
  for (;;) {
    await pause();
    const until = now() + SLICE;
    do {
      const step = steps.next();
      if (step.done) return step.value;
    } while (now() < until);
  }
}

/** The same for rules that compile to the same. */
function keyOf({ accept, schema, allow, transform, reply }: MessageRules): string {
  const { fromClient, toClient } = transform;
  const texts = [accept, schema ?? null, allow, fromClient ?? null, toClient ?? null, reply ?? null];
  return createHash("sha256").update(JSON.stringify(texts)).digest("base64");
}
