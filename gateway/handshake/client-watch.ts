/**
 * Watches a client's socket while its backend is being dialled: a client that leaves is not dialled for any longer, and
 * one that sends before its 101 breaks the protocol (RFC 6455 §4.1; C10).
 */
import type { Duplex } from "node:stream";

export type Verdict = "waiting" | "gone" | "early";

export class ClientWatch {
  readonly #socket: Duplex;
  readonly #abort = new AbortController();
  #verdict: Verdict = "waiting";

  constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on("data", this.#early);
    socket.on("end", this.#gone);
    socket.on("close", this.#gone);
    // An earlier watch has paused it.
    socket.resume();
  }

  /** Aborted as soon as the verdict is not `waiting`. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Stops watching, with the socket paused and every byte still in it. */
  stop(): Verdict {
    this.#socket.off("data", this.#early);
    this.#socket.off("end", this.#gone);
    this.#socket.off("close", this.#gone);
    this.#socket.pause();
    if (this.#socket.destroyed) return "gone";
    return this.#verdict;
  }

  readonly #early = (): void => this.#decide("early");
  readonly #gone = (): void => this.#decide("gone");

  #decide(verdict: Verdict): void {
    if (this.#verdict !== "waiting") return;
    this.#verdict = verdict;
    this.#abort.abort();
  }
}
