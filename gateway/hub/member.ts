/**
 * One client of a hub: a `Session` on a `ws` WebSocket. `ws` speaks the protocol (handshake, ping, close, validation);
 * messages are frames encoded once for all members and written straight to the socket, whole, so the two never mix.
 */
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import type { Clock } from "../clock.ts";
import { type Meter, VERDICT } from "../limits/meter.ts";
import { CLOSES, type CloseReason } from "../refusals.ts";
import type { Session, SessionEnd, Traffic } from "../session.ts";
import type { Route } from "../snapshot.ts";

export interface MemberOptions {
  readonly socket: WebSocket;
  /** The connection under it. */
  readonly connection: Socket;
  readonly limits: Pick<Route["limits"], "maxQueuedBytes" | "onSlowClient">;
  /** Rates that the client has to keep to, if there are any. */
  readonly meter?: Meter | undefined;
  readonly clock: Clock;
  /** Called once when nothing can be delivered any more, thus before `onEnd`. */
  onLeave(member: Member): void;
  /** Called once when the connection is gone. */
  onEnd(end: SessionEnd): void;
  /** Called with the number of messages that this client will not get. */
  onDropped(messages: number): void;
}

/** Close codes with which `ws` refuses what a client sent, by the code of its error; anything else is 1002. */
const VIOLATIONS: Readonly<Record<string, CloseReason>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: "MessageTooBig",
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: "MessageTooBig",
  WS_ERR_INVALID_UTF8: "InvalidPayload",
  WS_ERR_TOO_MANY_BUFFERED_PARTS: "PolicyViolation",
};

const LOST = 1006;
const EMPTY = Buffer.alloc(0);
const PING_LENGTH = 2;

interface Waiting {
  readonly bytes: Buffer;
  readonly messages: number;
}

export class Member implements Session {
  readonly fromClient: Traffic = { messages: 0, bytes: 0 };
  readonly toClient: Traffic = { messages: 0, bytes: 0 };
  lastMessageAt: number;
  lastHeardAt: number;
  readonly #options: MemberOptions;
  /** Messages held back from a client that is slow, oldest first; only with `onSlowClient: DropOldest`. */
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #open = true;
  #ended: CloseReason | undefined;
  /** Whether the Close frame with that reason's code was handed to the network. */
  #told = false;

  constructor(options: MemberOptions) {
    this.#options = options;
    const { socket, connection, clock } = options;
    this.lastHeardAt = clock.now();
    this.lastMessageAt = this.lastHeardAt;
    socket.on("error", (error) => this.#failed(error));
    socket.on("close", (code) => this.#gone(code));
    // Nobody is there yet to take what a plain client says, so it is counted and dropped.
    socket.on("message", (data: Buffer) => {
      this.lastMessageAt = this.lastHeardAt;
      this.#count(data.length);
    });
    connection.prependListener("data", (chunk: Buffer) => {
      this.fromClient.bytes += chunk.length;
      this.lastHeardAt = clock.now();
    });
  }

  get queuedBytes(): number {
    return this.#options.connection.writableLength + this.#waitingBytes;
  }

  ping(): void {
    if (!this.#open) return;
    this.#options.socket.ping();
    this.toClient.bytes += PING_LENGTH;
  }

  push(frame: Buffer): boolean {
    return this.deliver(frame, 1);
  }

  /** Writes `bytes`, which hold `messages` whole frames. Returns false when this client does not get them. */
  deliver(bytes: Buffer, messages: number): boolean {
    // Nothing goes behind a Close (RFC 6455 §5.5.1), which `ws` answers by itself.
    if (!this.#open || this.#options.socket.readyState !== WebSocket.OPEN) return false;
    if (!this.#makeRoom(bytes.length)) {
      this.#options.onDropped(messages);
      return false;
    }
    if (this.#options.limits.onSlowClient !== "DropOldest") this.#write({ bytes, messages });
    else if (this.#options.connection.writableLength === 0) this.#writeThenFlush({ bytes, messages });
    else {
      this.#waiting.push({ bytes, messages });
      this.#waitingBytes += bytes.length;
    }
    return true;
  }

  close(reason: CloseReason): void {
    if (!this.#open) return;
    const { socket, connection } = this.#options;
    this.#leave(reason);
    const { code, message } = CLOSES[reason];
    socket.close(code, message);
    // Answered when all before it is in the kernel's hands, the Close frame last.
    connection.write(EMPTY, (error) => {
      this.#told = !error;
    });
  }

  destroy(reason: CloseReason): void {
    this.#leave(reason);
    this.#options.socket.terminate();
  }

  /** Counts a message that keeps to its rate. `ws` has taken it off the wire, so waiting means to read no further. */
  #count(length: number): void {
    const { meter, clock, socket } = this.#options;
    if (meter !== undefined) {
      meter.now = clock.now();
      const verdict = meter.starts(length);
      if (verdict === VERDICT.close) this.close("RateExceeded");
      if (verdict === VERDICT.wait) {
        socket.pause();
        clock.after(meter.wait, () => {
          socket.resume();
          this.#count(length);
        });
      }
      if (verdict !== VERDICT.pass) return;
    }
    this.fromClient.messages += 1;
  }

  /** A client whose queue is empty gets any message, so that the bound says how far it may lag, not what it may get. */
  #makeRoom(size: number): boolean {
    const { maxQueuedBytes, onSlowClient } = this.#options.limits;
    const fits = () => this.queuedBytes === 0 || this.queuedBytes + size <= maxQueuedBytes;
    if (fits()) return true;
    // A hub cannot pause the world for one client, hence `Pause` means `Close` here.
    if (onSlowClient !== "DropOldest") {
      this.close("SlowClient");
      return false;
    }
    while (!fits()) {
      const oldest = this.#waiting.shift();
      if (oldest === undefined) return false;
      this.#waitingBytes -= oldest.bytes.length;
      this.#options.onDropped(oldest.messages);
    }
    return true;
  }

  #write({ bytes, messages }: Waiting, written?: () => void): void {
    this.toClient.bytes += bytes.length;
    this.toClient.messages += messages;
    this.lastMessageAt = this.#options.clock.now();
    this.#options.connection.write(bytes, written);
  }

  #writeThenFlush(waiting: Waiting): void {
    this.#write(waiting, () => {
      const next = this.#open ? this.#waiting.shift() : undefined;
      if (next === undefined) return;
      this.#waitingBytes -= next.bytes.length;
      this.#writeThenFlush(next);
    });
  }

  #leave(reason: CloseReason): void {
    if (!this.#open) return;
    this.#open = false;
    this.#ended = reason;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#options.onLeave(this);
  }

  /** `ws` has answered with the fitting Close frame already. */
  #failed(error: Error & { code?: string }): void {
    if (!error.code?.startsWith("WS_ERR_")) return;
    if (this.#open) this.#told = true;
    this.#leave(VIOLATIONS[error.code] ?? "ProtocolError");
  }

  #gone(peerCode: number): void {
    const byPeer = this.#open;
    this.#leave(peerCode === LOST ? "ClientLost" : "ClientClosed");
    const reason = this.#ended ?? "ClientLost";
    this.#options.onEnd({ reason, code: byPeer ? peerCode : this.#told ? CLOSES[reason].code : LOST });
  }
}
