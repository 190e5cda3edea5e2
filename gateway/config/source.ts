/**
 * Where a gateway gets its snapshot from, and the one place where it changes: `SnapshotHolder` compiles a candidate in
 * slices and then swaps it in one step between two events, or keeps the last good one and says why.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { compileMatcherSliced, type Matcher, type Slicing } from "../handshake/match.ts";
import type { SecretMaterial, Snapshot } from "../snapshot.ts";

/** A snapshot with what is compiled from it. Frozen; a connection holds one of these from start to end. */
export interface Loaded {
  readonly snapshot: Snapshot;
  readonly secrets: SecretMaterial;
  readonly matcher: Matcher;
}

export interface SnapshotSource {
  /** What is served now; undefined until the first good snapshot. */
  readonly current: Loaded | undefined;
  /** Why the newest candidate was not taken; undefined when the newest is the one served. */
  readonly refused: string | undefined;
  /** Called after each swap and each refusal, between two events. */
  onChange(listener: () => void): void;
}

export interface Candidate {
  readonly snapshot: Snapshot;
  readonly secrets: SecretMaterial;
}

/** Half of the longest time that anything may hold the event loop. */
const LOOP_SLICING: Slicing = { now: () => performance.now(), pause: () => nextTurn(), sliceMs: 5 };

export class SnapshotHolder implements SnapshotSource {
  current: Loaded | undefined;
  refused: string | undefined;
  #listeners: (() => void)[] = [];
  #newest: Candidate | undefined;
  #work: Promise<void> = Promise.resolve();
  readonly #slicing: Slicing;

  constructor(slicing: Slicing = LOOP_SLICING) {
    this.#slicing = slicing;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Takes the candidate unless a newer one arrives while it waits. Resolves when it is served, refused or overtaken. */
  offer(candidate: Candidate): Promise<void> {
    this.#newest = candidate;
    this.#work = this.#work.then(() => this.#compile(candidate));
    return this.#work;
  }

  /** Keeps what is served and publishes why the newest could not be. */
  refuse(reason: string): void {
    if (this.refused === reason) return;
    this.refused = reason;
    this.#publish();
  }

  async #compile(candidate: Candidate): Promise<void> {
    if (candidate !== this.#newest) return;
    try {
      const before = this.current;
      const unchangedRoutes = before?.snapshot.routes === candidate.snapshot.routes;
      const matcher =
        before && unchangedRoutes
          ? before.matcher
          : await compileMatcherSliced(candidate.snapshot.routes, this.#slicing, before?.matcher);
      if (candidate !== this.#newest) return;
      this.current = Object.freeze({ ...candidate, matcher });
      this.refused = undefined;
      this.#publish();
    } catch (error) {
      this.refuse(`the snapshot cannot be compiled: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #publish(): void {
    for (const listener of this.#listeners) listener();
  }
}
