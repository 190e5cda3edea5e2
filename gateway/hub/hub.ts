/**
 * The hub: the gateway as the WebSocket server. Clients join the groups that their route names and receive what is sent
 * to those groups on any gateway process.
 *
 * A message reaches the members of this process at once and the others over the bus, so a bus that is down costs only
 * what is far away. Compression is off: a frame is encoded once and the same bytes go to every member.
 */
import type { Socket } from "node:net";
import { type Bus, BusUnavailable } from "../bus/bus.ts";
import { type Clock, systemClock } from "../clock.ts";
import { type Random, systemRandom } from "../random.ts";
import type { Session } from "../session.ts";
import { binaryFrame, textFrame } from "../tunnel/frames.ts";
import type { HubAcceptance, HubDoor } from "../upgrade.ts";
import {
  decodeEnvelope,
  encodeEnvelope,
  everyoneChannel,
  groupChannel,
  type HubMessage,
  ORIGIN_LENGTH,
} from "./envelope.ts";
import { Fanout } from "./fanout.ts";
import { Groups } from "./groups.ts";
import { Member } from "./member.ts";
import { Switch } from "./switch.ts";

/** What a hub tells the metrics. */
export interface HubMetrics {
  /** Messages that some client will never get. */
  hubDropped(messages: number): void;
  /** Groups whose members may have missed messages while the bus was down. */
  hubGaps(groups: number): void;
  busMessage(direction: "sent" | "received"): void;
}

export interface HubOptions {
  readonly bus: Bus;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly metrics?: HubMetrics;
}

export interface ToAll extends HubMessage {
  readonly hub: string;
}

export interface ToGroup extends ToAll {
  readonly group: string;
}

export interface Hub extends HubDoor {
  /**
   * Resolves when the message is on its way to every gateway process.
   * @throws BusUnavailable when the bus did not take it: then at most the clients of this process get it.
   */
  sendToGroup(message: ToGroup): Promise<void>;
  /** The same, to every client of the hub. */
  sendToAll(message: ToAll): Promise<void>;
}

const NO_METRICS: HubMetrics = { hubDropped: () => {}, hubGaps: () => {}, busMessage: () => {} };

class PlainHub implements Hub {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #metrics: HubMetrics;
  /** Marks what this process has sent, since Redis sends it back. */
  readonly #origin: Buffer;
  readonly #switch = new Switch();
  readonly #fanout = new Fanout();
  readonly #groups: Groups<Member>;

  constructor({ bus, clock = systemClock, random = systemRandom, metrics = NO_METRICS }: HubOptions) {
    this.#bus = bus;
    this.#clock = clock;
    this.#metrics = metrics;
    this.#origin = random.bytes(ORIGIN_LENGTH);
    this.#groups = new Groups(bus, (channel) => (payload) => this.#receive(channel, payload));
    // Plain clients speak no protocol in which they could be told of a gap, so it is counted.
    bus.onState((state) => {
      if (state === "up" && this.#groups.size > 0) metrics.hubGaps(this.#groups.size);
    });
  }

  accept(acceptance: HubAcceptance): Session {
    const { socket, route, onEnd } = acceptance;
    const { name = "", groups = [] } = route.hub ?? {};
    const channels = new Set([everyoneChannel(name), ...groups.map((group) => groupChannel(name, group))]);
    const member = new Member({
      socket: this.#switch.accept(acceptance),
      connection: socket as Socket,
      limits: route.limits,
      meter: acceptance.meter,
      clock: this.#clock,
      onLeave: (leaving) => {
        for (const channel of channels) this.#groups.leave(channel, leaving);
      },
      onEnd,
      onDropped: (messages) => this.#metrics.hubDropped(messages),
    });
    for (const channel of channels) this.#groups.join(channel, member);
    return member;
  }

  sendToGroup({ hub, group, ...message }: ToGroup): Promise<void> {
    return this.#send(groupChannel(hub, group), message);
  }

  sendToAll({ hub, ...message }: ToAll): Promise<void> {
    return this.#send(everyoneChannel(hub), message);
  }

  async #send(channel: string, { type, data }: HubMessage): Promise<void> {
    const message = { type, data };
    if (!this.#deliver(channel, message)) throw new BusUnavailable("this gateway has too many messages under way");
    await this.#bus.publish(channel, encodeEnvelope({ origin: this.#origin, message }));
    this.#metrics.busMessage("sent");
  }

  #receive(channel: string, payload: Buffer): void {
    const envelope = decodeEnvelope(payload);
    if (envelope === undefined || envelope.origin.equals(this.#origin)) return;
    this.#metrics.busMessage("received");
    if (this.#deliver(channel, envelope.message)) return;
    this.#metrics.hubDropped(this.#groups.members(channel)?.size ?? 0);
  }

  /** To the members of this process. Returns false when nobody gets it because too much is under way already. */
  #deliver(channel: string, { type, data }: HubMessage): boolean {
    const members = this.#groups.members(channel);
    if (members === undefined || members.size === 0) return true;
    if (!this.#fanout.hasRoom(data.length)) return false;
    this.#fanout.send(members, type === "binary" ? binaryFrame(data) : textFrame(data));
    return true;
  }
}

/** A hub on a bus; it ends with its connections and holds nothing else. */
export function createHub(options: HubOptions): Hub {
  return new PlainHub(options);
}
