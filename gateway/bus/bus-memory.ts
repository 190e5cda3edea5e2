/** The bus of a single process: standalone, tests, and gateways without Redis. Always up; nothing leaves the process. */
import { type Bus, BusUnavailable, type Deliver, type Subscription } from "./bus.ts";

interface Message {
  readonly channel: string;
  readonly payload: Buffer;
}

class MemoryBus implements Bus {
  readonly #channels = new Map<string, Set<{ deliver: Deliver }>>();
  #pending: Message[] = [];
  #closed = false;

  get up(): boolean {
    return !this.#closed;
  }

  async subscribe(channel: string, deliver: Deliver): Promise<Subscription> {
    this.#assertOpen();
    const entry = { deliver };
    const entries = this.#channels.get(channel) ?? new Set();
    this.#channels.set(channel, entries.add(entry));
    return {
      unsubscribe: async () => {
        entries.delete(entry);
        if (entries.size === 0 && this.#channels.get(channel) === entries) this.#channels.delete(channel);
      },
    };
  }

  async publish(channel: string, payload: Buffer): Promise<void> {
    this.#assertOpen();
    // Delivered from a microtask, so that a subscriber that publishes cannot overtake the message it is reading.
    if (this.#pending.push({ channel, payload }) === 1) queueMicrotask(() => this.#deliverPending());
  }

  /** A bus inside one process never changes state, so there is nothing to tell. */
  onState(): void {}

  async close(): Promise<void> {
    this.#closed = true;
    this.#channels.clear();
  }

  #assertOpen(): void {
    if (this.#closed) throw new BusUnavailable("the bus is closed");
  }

  #deliverPending(): void {
    const messages = this.#pending;
    this.#pending = [];
    for (const { channel, payload } of messages) {
      for (const { deliver } of this.#channels.get(channel) ?? []) deliver(payload);
    }
  }
}

/** A bus that is up until it is closed. */
export function createMemoryBus(): Bus {
  return new MemoryBus();
}
