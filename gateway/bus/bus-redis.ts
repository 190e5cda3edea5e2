/**
 * The bus between pods: Redis pub/sub over two links, one that publishes and one that subscribes, so that a burst of
 * incoming messages never delays a publisher's answer. A message that cannot be handed over now is an error now.
 */
import type { Redis } from "ioredis";
import { type Bus, BusUnavailable, type Deliver, type Subscription } from "./bus.ts";
import { type LinkTimings, RedisLink } from "./redis-link.ts";

/** Every channel in Redis starts with this, so that Holdfast can share a server. */
const PREFIX = "holdfast:";
/** Channels named in one SUBSCRIBE; more would hold up the event loop and Redis. */
const SUBSCRIBE_BATCH = 500;

export const REDIS_BUS = {
  /** A dead connection is known after at most 4 s, a restarted Redis is found again after at most 0.3 s. */
  timings: { pingInterval: 1_000, silentPings: 3, establish: 2_500, retry: { min: 100, max: 300 } },
  /** Bytes handed to Redis and not yet acknowledged, beyond which `publish` rejects. */
  maxInFlightBytes: 32 * 1024 * 1024,
} as const;

export interface RedisBusOptions {
  /** redis:// or rediss:// URL with credentials and database number; it appears in no message. */
  readonly url: string;
  readonly timings?: LinkTimings;
  readonly maxInFlightBytes?: number;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
  /** Told once for each outage of a link, with why. */
  readonly onProblem?: (problem: string) => void;
}

class Channel {
  readonly subscribers = new Set<{ deliver: Deliver }>();
  /** Settles when Redis has confirmed the subscription on the connection of now. */
  confirmed = pendingConfirmation();
}

function pendingConfirmation(): PromiseWithResolvers<void> {
  const confirmation = Promise.withResolvers<void>();
  confirmation.promise.catch(() => {}); // nobody may be waiting when the bus closes
  return confirmation;
}

class RedisBus implements Bus {
  readonly #channels = new Map<string, Channel>();
  readonly #listeners: ((state: "up" | "down") => void)[] = [];
  readonly #publisher: RedisLink;
  readonly #subscriber: RedisLink;
  readonly #maxInFlightBytes: number;
  /** The subscriber's connection from the moment its subscriptions are being made, thus before the link is up. */
  #subscribing: Redis | undefined;
  #inFlightBytes = 0;
  #up = false;
  #closed = false;

  constructor(options: RedisBusOptions) {
    const { url, timings = REDIS_BUS.timings, random = Math.random, onProblem = () => {} } = options;
    this.#maxInFlightBytes = options.maxInFlightBytes ?? REDIS_BUS.maxInFlightBytes;
    const shared = { url, timings, random, onUp: () => this.#settle() };
    this.#publisher = new RedisLink({
      ...shared,
      connectionName: "holdfast-publisher",
      onConnected: async () => {},
      onDown: () => this.#settle(),
      onProblem: (problem) => onProblem(`Redis publisher: ${problem}`),
    });
    this.#subscriber = new RedisLink({
      ...shared,
      connectionName: "holdfast-subscriber",
      onConnected: (client) => this.#resubscribe(client),
      onDown: () => this.#forgetConfirmations(),
      onProblem: (problem) => onProblem(`Redis subscriber: ${problem}`),
    });
  }

  get up(): boolean {
    return this.#up;
  }

  async subscribe(name: string, deliver: Deliver): Promise<Subscription> {
    if (this.#closed) throw new BusUnavailable("the bus is closed");
    const entry = { deliver };
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = new Channel();
      this.#channels.set(name, channel);
      if (this.#subscribing !== undefined) this.#confirm(this.#subscribing, [name]);
    }
    channel.subscribers.add(entry);
    await channel.confirmed.promise;
    return { unsubscribe: () => this.#unsubscribe(name, channel, entry) };
  }

  async publish(channel: string, payload: Buffer): Promise<void> {
    const client = this.#publisher.client;
    if (client === undefined) throw new BusUnavailable("Redis cannot be reached");
    if (this.#inFlightBytes + payload.length > this.#maxInFlightBytes) {
      throw new BusUnavailable("Redis does not keep up");
    }
    this.#inFlightBytes += payload.length;
    try {
      await client.publish(PREFIX + channel, payload);
    } catch (error) {
      // The library's error holds the command with its payload: only its text goes on.
      throw new BusUnavailable(`Redis did not take the message: ${error instanceof Error ? error.message : error}`);
    } finally {
      this.#inFlightBytes -= payload.length;
    }
  }

  onState(listener: (state: "up" | "down") => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#up = false;
    this.#listeners.length = 0;
    for (const { confirmed } of this.#channels.values()) confirmed.reject(new BusUnavailable("the bus is closed"));
    this.#channels.clear();
    this.#publisher.close();
    this.#subscriber.close();
  }

  async #unsubscribe(name: string, channel: Channel, entry: { deliver: Deliver }): Promise<void> {
    channel.subscribers.delete(entry);
    if (channel.subscribers.size > 0 || this.#channels.get(name) !== channel) return;
    this.#channels.delete(name);
    // A connection that fails here is lost and forgets its subscriptions by itself.
    await this.#subscribing?.unsubscribe(PREFIX + name).catch(() => {});
  }

  async #resubscribe(client: Redis): Promise<void> {
    client.on("messageBuffer", (channel: Buffer, payload: Buffer) => {
      this.#subscriber.heard();
      const name = channel.toString().slice(PREFIX.length);
      for (const { deliver } of this.#channels.get(name)?.subscribers ?? []) deliver(payload);
    });
    // What is subscribed from here on goes to this connection by itself, behind what is sent below.
    this.#subscribing = client;
    const names = [...this.#channels.keys()];
    const batches = [];
    for (let from = 0; from < names.length; from += SUBSCRIBE_BATCH) {
      batches.push(this.#confirm(client, names.slice(from, from + SUBSCRIBE_BATCH)));
    }
    await Promise.all(batches);
  }

  async #confirm(client: Redis, names: readonly string[]): Promise<void> {
    const channels = names.map((name) => this.#channels.get(name));
    try {
      await client.subscribe(...names.map((name) => PREFIX + name));
    } catch (error) {
      this.#subscriber.fail(client, `SUBSCRIBE: ${error instanceof Error ? error.message : error}`);
      return;
    }
    if (client !== this.#subscribing) return;
    for (const channel of channels) channel?.confirmed.resolve();
  }

  #forgetConfirmations(): void {
    this.#subscribing = undefined;
    // A promise that is still pending keeps those who wait for it; one that has resolved speaks of the lost connection.
    for (const channel of this.#channels.values()) {
      const next = pendingConfirmation();
      next.promise.then(channel.confirmed.resolve, channel.confirmed.reject);
      channel.confirmed = next;
    }
    this.#settle();
  }

  #settle(): void {
    const up = this.#publisher.client !== undefined && this.#subscriber.client !== undefined;
    if (up === this.#up || this.#closed) return;
    this.#up = up;
    for (const listener of this.#listeners) listener(up ? "up" : "down");
  }
}

/** Connects in the background and for ever; a Redis that is away at start is an outage like any other. */
export function createRedisBus(options: RedisBusOptions): Bus {
  return new RedisBus(options);
}
