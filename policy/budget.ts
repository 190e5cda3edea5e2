/**
 * What looking at one message may cost. Everything that a policy does spends from one budget before it does it, in units that
 * depend on the policy and the message alone and never on the clock: the same message has the same fate on every machine.
 */

/**
 * Units for one message. A unit is about a tenth of a microsecond, and up to two tenths in a process that has never looked at a
 * message: the whole of it stays well under 10 ms even there.
 */
export const MESSAGE_BUDGET = 35_000;

/** Thrown when the budget is gone. One object for all, because a stack trace would cost more than what it is thrown for. */
export class TooCostly extends Error {
  override readonly name = "TooCostly";
}
const TOO_COSTLY = new TooCostly("the message costs too much to look at");

export class Budget {
  #left = MESSAGE_BUDGET;

  get spent(): number {
    return MESSAGE_BUDGET - this.#left;
  }

  /** Also true after somebody has caught what `spend` threw. */
  get isExhausted(): boolean {
    return this.#left < 0;
  }

  refill(): void {
    this.#left = MESSAGE_BUDGET;
  }

  /** @throws TooCostly from the moment on when more was spent than there is */
  spend(units: number): void {
    this.#left -= units;
    if (this.#left < 0) throw TOO_COSTLY;
  }
}
