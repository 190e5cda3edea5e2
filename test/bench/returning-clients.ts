// Clients that come back whenever they are sent away, and what happened to them.
import { once } from "node:events";
import { WebSocket } from "ws";

export interface Outcome {
  /** Closing codes, and how often. */
  readonly closes: ReadonlyMap<number, number>;
  /** Handshakes that did not succeed at once, by what was said. */
  readonly failures: ReadonlyMap<string, number>;
  /** Messages after a return that nobody answered in time. */
  readonly unanswered: number;
  /** When each client was back, ms since the epoch, in order. */
  readonly returns: readonly number[];
}

const HANDSHAKE_WITHIN_MS = 10_000;
const ANSWER_WITHIN_MS = 10_000;
/** A client whose handshake failed tries again after this time; that it failed is counted. */
const RETRY_MS = 1_000;
/** Handshakes at a time while all come for the first time. */
const AT_ONCE = 50;

export class ReturningClients {
  readonly #url: string;
  readonly #sockets = new Map<number, WebSocket>();
  readonly #closes = new Map<number, number>();
  readonly #failures = new Map<string, number>();
  readonly #returns: number[] = [];
  #unanswered = 0;
  #over = false;

  private constructor(url: string) {
    this.#url = url;
  }

  /** Resolves when all are connected. */
  static async connect(url: string, count: number): Promise<ReturningClients> {
    const clients = new ReturningClients(url);
    const waiting = Array.from({ length: count }, (_, index) => index);
    const lane = async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await clients.#come(next);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    if (clients.#failures.size > 0)
      throw new Error(`not all could connect: ${[...clients.#failures.keys()].join(", ")}`);
    return clients;
  }

  get connected(): number {
    return this.#sockets.size;
  }

  get outcome(): Outcome {
    return { closes: this.#closes, failures: this.#failures, unanswered: this.#unanswered, returns: this.#returns };
  }

  /** Ends all; nobody comes back. */
  end(): void {
    this.#over = true;
    for (const socket of this.#sockets.values()) socket.terminate();
  }

  async #come(client: number): Promise<WebSocket | undefined> {
    const socket = new WebSocket(this.#url, { handshakeTimeout: HANDSHAKE_WITHIN_MS, perMessageDeflate: false });
    socket.on("error", () => {}); // `once` rejects with it before the handshake is done; after it there is a close
    try {
      await once(socket, "open");
    } catch (error) {
      count(this.#failures, error instanceof Error ? error.message : String(error));
      if (!this.#over) setTimeout(() => void this.#return(client), RETRY_MS);
      return undefined;
    }
    this.#sockets.set(client, socket);
    socket.on("close", (code) => {
      this.#sockets.delete(client);
      if (this.#over) return;
      count(this.#closes, code);
      void this.#return(client);
    });
    return socket;
  }

  async #return(client: number): Promise<void> {
    const socket = await this.#come(client);
    if (socket === undefined) return;
    this.#returns.push(Date.now());
    const late = setTimeout(() => {
      // One that was sent away again before the answer is none that nobody answered.
      if (socket.readyState === WebSocket.OPEN) this.#unanswered++;
    }, ANSWER_WITHIN_MS);
    late.unref();
    socket.once("message", () => clearTimeout(late));
    socket.send("back");
  }
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
