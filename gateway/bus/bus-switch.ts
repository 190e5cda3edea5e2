/**
 * The bus that the configuration names, which can change while connections are open: subscriptions move to the new bus, and
 * the gap between the two is told like any other.
 */
import { type Bus, BusUnavailable, type Deliver, type Subscription } from "./bus.ts";

interface Entry {
  readonly channel: string;
  readonly deliver: Deliver;
  current: Subscription | undefined;
}

export class SwitchableBus implements Bus {
  #bus: Bus;
  readonly #entries = new Set<Entry>();
  readonly #listeners: ((state: "up" | "down") => void)[] = [];

  constructor(first: Bus) {
    this.#bus = first;
    this.#follow(first);
  }

  get up(): boolean {
    return this.#bus.up;
  }

  /** Moves every subscription to `next`, whether or not it is up yet, and closes the bus before it. */
  async use(next: Bus): Promise<void> {
    const before = this.#bus;
    this.#tell("down");
    this.#bus = next;
    this.#follow(next);
    for (const entry of this.#entries) {
      // One that is still waiting for the bus before moves by itself, in `subscribe`.
      if (entry.current) void this.#attach(entry, next).catch(ignoreUnavailable);
    }
    await before.close();
    if (next.up && next === this.#bus) this.#tell("up");
  }

  async subscribe(channel: string, deliver: Deliver): Promise<Subscription> {
    const entry: Entry = { channel, deliver, current: undefined };
    this.#entries.add(entry);
    while (!entry.current) await this.#attachOnce(entry);
    return {
      unsubscribe: async () => {
        this.#entries.delete(entry);
        await entry.current?.unsubscribe();
      },
    };
  }

  /** @throws BusUnavailable, unless the bus was exchanged meanwhile. */
  async #attachOnce(entry: Entry): Promise<void> {
    const bus = this.#bus;
    try {
      await this.#attach(entry, bus);
    } catch (error) {
      if (bus !== this.#bus) return;
      this.#entries.delete(entry);
      throw error;
    }
  }

  publish(channel: string, payload: Buffer): Promise<void> {
    return this.#bus.publish(channel, payload);
  }

  onState(listener: (state: "up" | "down") => void): void {
    this.#listeners.push(listener);
  }

  close(): Promise<void> {
    return this.#bus.close();
  }

  async #attach(entry: Entry, bus: Bus): Promise<void> {
    const subscription = await bus.subscribe(entry.channel, entry.deliver);
    if (!this.#entries.has(entry)) await subscription.unsubscribe();
    else if (bus === this.#bus) entry.current = subscription;
  }

  #follow(bus: Bus): void {
    bus.onState((state) => {
      if (bus === this.#bus) this.#tell(state);
    });
  }

  #tell(state: "up" | "down"): void {
    for (const listener of this.#listeners) listener(state);
  }
}

/** A bus that is away subscribes by itself when it is back; one that was exchanged is nobody's business any more. */
function ignoreUnavailable(error: unknown): void {
  if (!(error instanceof BusUnavailable)) throw error;
}
