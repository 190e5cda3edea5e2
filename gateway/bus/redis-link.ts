/**
 * One connection to Redis that is always being kept or being made anew. ioredis' own reconnection is off: it resends and
 * waits where a bus has to fail at once, and a connection whose packets are dropped stays `ready` for ever. A link asks
 * for a sign of life itself and replaces the whole client when there is none.
 */
import { Redis } from "ioredis";

/** All in milliseconds, but `silentPings`. */
export interface LinkTimings {
  readonly pingInterval: number;
  /** Ticks of `pingInterval` without an answer after which the connection counts as lost. */
  readonly silentPings: number;
  /** Bound of connect, TLS, AUTH and ready check together. */
  readonly establish: number;
  /** Pause before the next attempt, uniformly random between the two so that pods do not come back in step. */
  readonly retry: { readonly min: number; readonly max: number };
}

export interface LinkOptions {
  /** redis:// or rediss://, with credentials and database number. */
  readonly url: string;
  readonly connectionName: string;
  readonly timings: LinkTimings;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** A new connection is ready; the link counts as up when this resolves and is made anew when it rejects. */
  readonly onConnected: (client: Redis) => Promise<void>;
  readonly onUp: () => void;
  readonly onDown: () => void;
  /** Told once for each outage, with why; never holds the URL. */
  readonly onProblem: (problem: string) => void;
}

export class RedisLink {
  readonly #options: LinkOptions;
  #client: Redis | undefined;
  #up = false;
  #closed = false;
  #problemTold = false;
  #silence = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#connect();
  }

  /** The client, while it can carry a command; commands fail instead of waiting. */
  get client(): Redis | undefined {
    return this.#up ? this.#client : undefined;
  }

  /** Any traffic is a sign of life: under load, the answer to a ping may wait behind many messages. */
  heard(): void {
    this.#silence = 0;
  }

  /** Gives this connection up and makes another one. */
  fail(client: Redis, problem: string): void {
    if (client !== this.#client) return;
    this.#drop();
    this.#tell(problem);
    const { min, max } = this.#options.timings.retry;
    this.#timer = setTimeout(() => this.#connect(), min + this.#options.random() * (max - min));
  }

  close(): void {
    this.#closed = true;
    this.#drop();
  }

  #connect(): void {
    const { url, connectionName, timings } = this.#options;
    const client = new Redis(url, {
      connectionName,
      lazyConnect: true,
      enableOfflineQueue: false,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      connectTimeout: timings.establish,
      disconnectTimeout: 1,
    });
    this.#client = client;
    let cause = "the connection ended";
    client.on("error", (error: Error) => {
      cause = error.message;
    });
    client.on("end", () => this.fail(client, cause));
    client.on("ready", () => void this.#connected(client));
    this.#timer = setTimeout(() => this.fail(client, `no answer in ${timings.establish} ms`), timings.establish);
    // A refused connection arrives as `end`, with its cause in `error`.
    client.connect().catch(() => {});
  }

  async #connected(client: Redis): Promise<void> {
    try {
      await this.#options.onConnected(client);
    } catch (error) {
      this.fail(client, error instanceof Error ? error.message : String(error));
      return;
    }
    if (client !== this.#client) return;
    clearTimeout(this.#timer);
    this.#silence = 0;
    this.#timer = setInterval(() => this.#ping(client), this.#options.timings.pingInterval);
    this.#up = true;
    this.#problemTold = false;
    this.#options.onUp();
  }

  /** Counts ticks instead of time: after a pause of this whole process one tick fires, not many. */
  #ping(client: Redis): void {
    const { silentPings, pingInterval } = this.#options.timings;
    if (this.#silence >= silentPings) {
      this.fail(client, `no answer to ${silentPings} pings, ${pingInterval} ms apart`);
      return;
    }
    this.#silence += 1;
    client.ping().then(
      () => this.heard(),
      () => {},
    );
  }

  #drop(): void {
    const client = this.#client;
    this.#client = undefined;
    clearTimeout(this.#timer);
    // Where packets are dropped a FIN is never answered; `disconnectTimeout` destroys the socket right after it.
    client?.disconnect();
    if (!this.#up) return;
    this.#up = false;
    this.#options.onDown();
  }

  #tell(problem: string): void {
    if (this.#problemTold || this.#closed) return;
    this.#problemTold = true;
    this.#options.onProblem(problem);
  }
}
