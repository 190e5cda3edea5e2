/**
 * A proxied connection: bytes pass between client and backend as they came, walked by frame header only. This file
 * decides how a connection ends and who is told; `lane.ts` moves the bytes. Nothing above knows how they move.
 */
import { randomFillSync } from "node:crypto";
import type { Duplex } from "node:stream";
import type { Meter } from "../limits/meter.ts";
import { CLOSES, type CloseReason, codeForBackend } from "../refusals.ts";
import type { Session, SessionEnd, Traffic } from "../session.ts";
import type { Route } from "../snapshot.ts";
import { closeFrame, maskFrame, pingFrame, type Violation } from "./frames.ts";
import { join, type LaneEvents } from "./join.ts";
import { Lane } from "./lane.ts";

export interface TunnelOptions {
  /** Both sockets have to allow half-open; from here on they belong to the tunnel. */
  readonly client: Duplex;
  readonly backend: Duplex;
  /** Bytes that arrived behind each handshake. */
  readonly clientHead: Buffer;
  readonly backendHead: Buffer;
  readonly limits: Pick<Route["limits"], "maxMessageSize" | "maxQueuedBytes" | "onSlowClient">;
  /** RSV bits that the negotiated extensions may set, as they stand in the first byte of a frame (0x70). */
  readonly rsv: number;
  readonly clock: { now(): number };
  /** Rates that the client has to keep to, if there are any. */
  readonly meter?: Meter | undefined;
  /** What moves the bytes where they do not pass as they came; then `rsv` and `meter` are theirs. */
  readonly lanes?: { readonly up: Lane; readonly down: Lane } | undefined;
  /** Milliseconds from the first sign of an end until both sockets are destroyed; `CLOSE_WITHIN_MS` if absent. */
  readonly closeWithin?: number;
  /** Called once, when both sockets are gone; never before `openTunnel` has returned. */
  onEnd(end: SessionEnd): void;
}

/** Both sockets of a closing tunnel are gone within this, whatever the peers do. */
export const CLOSE_WITHIN_MS = 4_500;

const PING = pingFrame();
const NOTHING = Buffer.alloc(0);
const LOST = 1006;

/** Reasons for which the client is not waited for: it broke the rules or does not read (RFC 6455 §7.1.7). */
const FAILED: ReadonlySet<CloseReason> = new Set([
  "ProtocolError",
  "MessageTooBig",
  "TooManyFragments",
  "RateExceeded",
  "UnsupportedData",
  "InvalidPayload",
  "InvalidMessage",
  "MessageTooCostly",
  "PolicyViolation",
  "SlowClient",
]);

/** Why a connection ends whose backend broke the rules; rates and fragments are looked at on the client's side only. */
const BACKEND_VIOLATIONS: Readonly<Record<Violation, CloseReason>> = {
  ProtocolError: "BackendProtocolError",
  MessageTooBig: "BackendMessageTooBig",
  TooManyFragments: "BackendProtocolError",
  RateExceeded: "BackendProtocolError",
  InvalidPayload: "BackendProtocolError",
  UnsupportedData: "BackendProtocolError",
  InvalidMessage: "BackendProtocolError",
  MessageTooCostly: "BackendProtocolError",
};

/** Joins two connected sockets that have both finished their handshake. */
export function openTunnel(options: TunnelOptions): Session {
  const tunnel = new Tunnel(options);
  tunnel.start(options);
  return tunnel;
}

function toBackendFrame(code: number): Buffer {
  return maskFrame(closeFrame(code), randomFillSync(new Uint8Array(4)));
}

class Tunnel implements Session, LaneEvents {
  lastMessageAt: number;
  private heardAt: number;
  private readonly up: Lane;
  private readonly down: Lane;
  private readonly limits: TunnelOptions["limits"];
  private readonly clock: TunnelOptions["clock"];
  private readonly closeWithin: number;
  private readonly onEnd: TunnelOptions["onEnd"];
  private reason: CloseReason | undefined = undefined;
  private code: number = LOST;
  private timer: NodeJS.Timeout | undefined = undefined;
  /** Runs while the client is not read because of its rate. */
  private throttle: NodeJS.Timeout | undefined = undefined;

  constructor({ client, backend, limits, rsv, clock, meter, lanes, closeWithin, onEnd }: TunnelOptions) {
    const { maxMessageSize } = limits;
    this.up = lanes?.up ?? new Lane({ from: client, to: backend }, { masked: true, rsv, maxMessageSize }, meter);
    this.down = lanes?.down ?? new Lane({ from: backend, to: client }, { masked: false, rsv, maxMessageSize });
    this.limits = limits;
    this.clock = clock;
    this.closeWithin = closeWithin ?? CLOSE_WITHIN_MS;
    this.onEnd = onEnd;
    this.heardAt = clock.now();
    this.lastMessageAt = this.heardAt;
  }

  get fromClient(): Readonly<Traffic> {
    return this.up.walker;
  }

  get toClient(): Readonly<Traffic> {
    return this.down.walker;
  }

  get queuedBytes(): number {
    return this.down.queuedBytes;
  }

  /** A client that the gateway itself does not read, because the backend is slow, is not held to be silent. */
  get lastHeardAt(): number {
    return this.up.from.isPaused() ? this.clock.now() : this.heardAt;
  }

  start({ clientHead, backendHead }: TunnelOptions): void {
    join(this, this.up);
    join(this, this.down);
    if (backendHead.length > 0) {
      this.receive(this.down, backendHead);
    }
    if (clientHead.length > 0) {
      this.receive(this.up, clientHead);
    }
  }

  receive(lane: Lane, chunk: Buffer): void {
    const { walker } = lane;
    const now = this.clock.now();
    if (lane === this.up) {
      this.heardAt = now;
    }
    if (walker.meter !== undefined) {
      walker.meter.now = now;
    }
    const taken = lane.receive(chunk);
    if (walker.carriedData) {
      this.lastMessageAt = now;
    }
    if (lane.violation !== undefined) {
      this.violated(lane);
    } else if (lane.closeCode !== 0) {
      this.peerClosed(lane);
    }
    if (lane === this.down) {
      this.keepQueueBounded(taken);
    } else if (!taken) {
      lane.from.pause();
    }
    if (lane.isStalled) {
      this.holdClient(walker.meter?.wait ?? 0);
    }
    if (lane.hasBacklog) {
      lane.from.pause();
      if (!lane.isBlocked) {
        setImmediate(goOn, this, lane);
      }
    }
  }

  /** Takes up a lane's backlog, and reads on where nothing is left of it. */
  goOn(lane: Lane): void {
    if (lane.hasBacklog) {
      this.receive(lane, NOTHING);
    }
    if (!lane.hasBacklog && !lane.to.writableNeedDrain && (lane === this.down || this.throttle === undefined)) {
      lane.from.resume();
    }
  }

  /** The client is not read for as long as its rate wants it. */
  private holdClient(wait: number): void {
    this.up.from.pause();
    clearTimeout(this.throttle);
    this.throttle = setTimeout(readAgain, wait, this);
  }

  /** Offers what the rate has held back, and reads on where all of it has passed. */
  readClient(): void {
    this.throttle = undefined;
    this.receive(this.up, NOTHING);
    if (this.throttle === undefined && !this.up.to.writableNeedDrain) {
      this.up.from.resume();
    }
  }

  /** Rates end with the connection: what the client still sends is looked through for its Close. */
  private endRates(): void {
    this.up.walker.meter = undefined;
    if (this.throttle !== undefined) {
      this.holdClient(0);
    }
  }

  /** `Close` lets the queue grow to its limit; otherwise, and while closing, the backend is read as the client reads. */
  private keepQueueBounded(taken: boolean): void {
    const closes = this.limits.onSlowClient === "Close" && this.reason === undefined;
    if (closes && this.down.to.writableLength > this.limits.maxQueuedBytes) {
      this.close("SlowClient");
    }
    if (!taken && !this.down.closed && (!closes || this.reason !== undefined)) {
      this.down.from.pause();
    }
  }

  drained(socket: Duplex): void {
    this.goOn(socket === this.up.to ? this.up : this.down);
  }

  ping(): void {
    this.down.insertControl(PING);
  }

  push(frame: Buffer): boolean {
    if (this.down.closed || this.reason !== undefined) {
      return false;
    }
    if (this.down.queuedBytes + frame.length > this.limits.maxQueuedBytes) {
      if (this.limits.onSlowClient === "Close") {
        this.close("SlowClient");
      }
      return false;
    }
    this.down.insertMessage(frame);
    return true;
  }

  close(reason: CloseReason): void {
    if (this.reason !== undefined) {
      return;
    }
    this.begin(reason);
    const { code, message } = CLOSES[reason];
    this.tellClient(code, message);
    this.tellBackend(codeForBackend(reason));
  }

  destroy(reason: CloseReason): void {
    this.begin(reason);
    this.destroySockets();
  }

  /** A Close that is still queued now never reaches the client, and is not told as if it had. */
  destroySockets(): void {
    if (this.down.to.writableLength > 0) {
      this.code = LOST;
    }
    this.up.closed = true;
    this.down.closed = true;
    this.up.from.destroy();
    this.down.from.destroy();
  }

  /** The first reason stands. From now on the end is bounded. */
  private begin(reason: CloseReason): void {
    if (this.reason === undefined) {
      this.reason = reason;
      this.endRates();
      this.timer = setTimeout(cutOff, this.closeWithin, this);
    }
  }

  /** Behind its Close a side is read again, even one that was paused, so that its own Close and FIN are seen. */
  private tellClient(code: number, message: string): void {
    this.down.insertClose(closeFrame(code, message), () => {
      this.code = code;
      this.endClient();
      this.down.from.resume();
    });
  }

  private tellBackend(code: number): void {
    this.up.insertClose(toBackendFrame(code), () => this.up.from.resume());
  }

  /**
   * The server closes TCP first (RFC 6455 §7.1.1): once both Close frames are through, or at once behind ours to a
   * client that failed. The backend, whose client we are, is left to do the same to us.
   */
  private endClient(): void {
    const failed = this.reason !== undefined && FAILED.has(this.reason);
    if (this.down.closed && (this.up.closeCode !== 0 || this.up.ended || failed)) {
      this.down.end();
    }
  }

  private violated(lane: Lane): void {
    const { violation } = lane;
    if (violation !== undefined) {
      this.close(lane === this.up ? violation : BACKEND_VIOLATIONS[violation]);
    }
  }

  /** A Close frame came through, either the first or the answer to one. */
  private peerClosed(lane: Lane): void {
    if (this.reason === undefined) {
      this.code = lane.closeCode;
      this.begin(lane === this.up ? "ClientClosed" : "BackendClosed");
    }
    lane.closed = true;
    this.endClient();
  }

  /** FIN from one side: passed on, behind a Close where the other side got none. */
  ended(lane: Lane): void {
    if (lane.ended) {
      return;
    }
    lane.ended = true;
    if (lane === this.up) {
      this.clientEnded();
    } else {
      this.backendEnded();
    }
  }

  private clientEnded(): void {
    this.begin("ClientLost");
    if (this.up.atFrameBoundary) {
      this.tellBackend(1001);
    }
    this.up.end();
    this.endClient();
  }

  private backendEnded(): void {
    if (!this.down.closed && !this.down.atFrameBoundary) {
      this.destroy("BackendLostMidFrame");
      return;
    }
    this.begin("BackendLost");
    const asked = this.up.closeCode;
    if (asked === 0) {
      this.tellClient(CLOSES.BackendLost.code, CLOSES.BackendLost.message);
    } else {
      this.tellClient(asked, "");
    }
    this.up.end();
    this.endClient();
  }

  gone(lane: Lane): void {
    if (lane.gone) {
      return;
    }
    lane.gone = true;
    this.ended(lane);
    const other = lane === this.up ? this.down : this.up;
    other.closed = true;
    // Nothing is written to a socket that is gone: what still comes for it is read away, so that its FIN is seen.
    other.from.resume();
    if (other.gone) {
      this.finish();
    }
  }

  private finish(): void {
    clearTimeout(this.timer);
    clearTimeout(this.throttle);
    this.onEnd({ reason: this.reason ?? "InternalError", code: this.code });
  }
}

function readAgain(tunnel: Tunnel): void {
  tunnel.readClient();
}

function goOn(tunnel: Tunnel, lane: Lane): void {
  tunnel.goOn(lane);
}

function cutOff(tunnel: Tunnel): void {
  tunnel.destroySockets();
}
