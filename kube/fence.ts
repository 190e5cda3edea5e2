/** Who may write: a client behind a fence sends what changes something only while the fence lets it. */

export interface WriteFence {
  /** The term that a write which begins now belongs to. @throws FencedOff when nobody here may write. */
  term(): WriteTerm;
}

/** One stretch of time during which writing is allowed, as far as is known. */
export interface WriteTerm {
  /** Asked at the last moment before a request's bytes leave. @throws FencedOff once the term is over. */
  check(): void;
  /** Aborts when the term ends: what is still under way is cut. */
  readonly signal: AbortSignal;
}

/** A write that was not sent, or cut short, because this process may not write (any more). */
export class FencedOff extends Error {
  constructor() {
    super("this process may not write now: another one does");
    this.name = "FencedOff";
  }
}
