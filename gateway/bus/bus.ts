/**
 * What carries hub traffic between gateway pods. Twins: `bus-memory.ts` (one process) and `bus-redis.ts` (pub/sub);
 * `test/contract/bus.test.ts` holds both to this text.
 */

/** Called once for each message on a subscribed channel, in the order of each publisher. */
export type Deliver = (payload: Buffer) => void;

export interface Bus {
  /**
   * Subscribes `deliver` to a channel. Resolves when messages published from now on will arrive. Several subscribers of
   * one channel in one process share one subscription.
   */
  subscribe(channel: string, deliver: Deliver): Promise<Subscription>;
  /** Resolves when the message is handed over; rejects with `BusUnavailable` when it is not. Never queues. */
  publish(channel: string, payload: Buffer): Promise<void>;
  /** Whether the bus can carry a message now. */
  readonly up: boolean;
  /** Called with `down` when messages may be missed from now on, and with `up` (after resubscribing) when not any more. */
  onState(listener: (state: "up" | "down") => void): void;
  close(): Promise<void>;
}

export interface Subscription {
  unsubscribe(): Promise<void>;
}

export class BusUnavailable extends Error {
  override readonly name = "BusUnavailable";
}
