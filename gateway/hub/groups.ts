/** Who is where: members by channel, and a subscription on the bus for exactly the channels that have members here. */
import type { Bus, Deliver, Subscription } from "../bus/bus.ts";

interface Group<Member> {
  readonly members: Set<Member>;
  /** Absent while the bus has not confirmed it, be it for long because Redis is away. */
  subscription: Subscription | undefined;
}

const NO_SUBSCRIPTION: Subscription = { unsubscribe: async () => {} };

export class Groups<Member> {
  readonly #groups = new Map<string, Group<Member>>();
  readonly #bus: Pick<Bus, "subscribe">;
  readonly #deliver: (channel: string) => Deliver;

  /** `deliver` makes the function that takes what the bus brings for a channel. */
  constructor(bus: Pick<Bus, "subscribe">, deliver: (channel: string) => Deliver) {
    this.#bus = bus;
    this.#deliver = deliver;
  }

  /** Channels that have members or did a moment ago. */
  get size(): number {
    return this.#groups.size;
  }

  /** The live set of a channel's members; undefined when there is nobody. */
  members(channel: string): ReadonlySet<Member> | undefined {
    return this.#groups.get(channel)?.members;
  }

  /** Takes effect at once for this process, and for the bus as soon as that can. */
  join(channel: string, member: Member): void {
    let group = this.#groups.get(channel);
    if (group === undefined) {
      group = { members: new Set(), subscription: undefined };
      this.#groups.set(channel, group);
      void this.#subscribe(channel, group);
    }
    group.members.add(member);
  }

  leave(channel: string, member: Member): void {
    const group = this.#groups.get(channel);
    group?.members.delete(member);
    if (group?.members.size === 0) this.#release(channel, group);
  }

  async #subscribe(channel: string, group: Group<Member>): Promise<void> {
    // The bus rejects only when it is closed for good; members of this process still reach each other.
    group.subscription = await this.#bus.subscribe(channel, this.#deliver(channel)).catch(() => NO_SUBSCRIPTION);
    if (group.members.size === 0) this.#release(channel, group);
  }

  /** A group whose subscription is still to come stays, so that leaving and joining during an outage piles nothing up. */
  #release(channel: string, group: Group<Member>): void {
    if (group.subscription === undefined) return;
    this.#groups.delete(channel);
    void group.subscription.unsubscribe();
  }
}
