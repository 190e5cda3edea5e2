/** Walks WebSocket frames by their headers (RFC 6455 §5.2), one direction of a connection. */
import { type Meter, VERDICT } from "../limits/meter.ts";
import type { Traffic } from "../session.ts";
import {
  BITS,
  type FrameRules,
  isSendableCode,
  MAX_CONTROL_PAYLOAD,
  NO_CODE,
  OPCODE,
  type Violation,
} from "./frames.ts";

// What stands in this module itself is a constant to the compiler; what is imported is loaded anew for each frame.
const { fin: FIN, rsv: RSV, mask: MASK } = BITS;
const { continuation: CONTINUATION, binary: BINARY } = OPCODE;
/** The only bit with a known rule: permessage-deflate sets it on the first frame of a message only (RFC 7692 §6). */
const RSV1 = 0x40;
/** The longest thing that is held back: a masked control frame; a data header (14) is shorter. */
const MAX_HELD = 2 + 4 + MAX_CONTROL_PAYLOAD;
/** High word of a 64-bit length from which on it is not an exact number any more; covers the forbidden top bit. */
const MAX_HIGH_WORD = 0x1fffff;

/** Fragments of one message from a client that may be of any size, and the bytes that more of them have to carry on average. */
const FREE_FRAGMENTS = 1_000;
const MIN_MEAN_FRAGMENT = 64;

const INCOMPLETE = 0;
const REFUSED = -1;
/** The frame is whole as far as its header goes, and has to wait for its rate. */
const STALLED = -2;
/** `left` when no data frame is in progress. */
const NONE = -1;

/**
 * Follows one direction of a connection chunk by chunk. Payload of data frames is never touched or copied. A header is
 * passed on only when it is whole and valid, and a control frame only when all of it is there; what has come of it so
 * far is held back. So the stream behind the walker always stands within the payload of a valid data frame or at a frame
 * boundary, and an invalid frame leaves no byte there.
 *
 * It allocates nothing, except where a chunk ends within a header or a control frame.
 */
export class FrameWalker implements Traffic {
  /** Whole data messages passed. */
  messages = 0;
  /** Bytes passed, headers and control frames included. */
  bytes = 0;
  /** Set once: nothing passes from then on. */
  violation: Violation | undefined = undefined;
  /** The code of the Close frame that passed (`NO_CODE` for none), else 0. Nothing passes behind a Close (§5.5.1). */
  closeCode = 0;
  /** After `walk`: bytes of earlier chunks that go before this chunk's. */
  released: Buffer | undefined = undefined;
  /** After `walk`: offset in the chunk at which the data frame that was in progress ended, else -1. */
  frameBoundary = NONE;
  /** After `walk`: offset in the chunk at which the first message ended, else -1. */
  messageBoundary = NONE;
  /** After `walk`: whether the chunk carried any part of a data frame. */
  carriedData = false;
  /** After `walk`: offset behind a part of a dropped message, from where on the chunk is to be walked again; else -1. */
  resumeAt = NONE;
  /** After `walk`: offset from where on the chunk is to be walked again after `meter.wait` ms; else -1. */
  stalledAt = NONE;
  /** Rates that the data frames have to keep to, if there are any. */
  meter: Meter | undefined;

  private readonly maskBit: number;
  private readonly maskLength: number;
  private readonly rsv: number;
  private readonly laterRsv: number;
  private readonly maxMessageSize: number;
  /** Payload bytes to come of the data frame in progress, or `NONE`. */
  private left = NONE;
  private fragmented = false;
  private messageSize = 0;
  private fragments = 0;
  /** Whether the message in progress is left out. What has passed then ends at the boundary before it. */
  private dropping = false;
  private held: Buffer | undefined = undefined;
  private heldLength = 0;

  constructor(rules: FrameRules, meter?: Meter) {
    this.meter = meter;
    this.maskBit = rules.masked ? MASK : 0;
    this.maskLength = rules.masked ? 4 : 0;
    this.rsv = rules.rsv;
    this.laterRsv = rules.rsv === RSV1 ? 0 : rules.rsv;
    this.maxMessageSize = rules.maxMessageSize;
  }

  /** Whether a control frame may be inserted behind what has passed so far. */
  get atFrameBoundary(): boolean {
    return this.left === NONE || this.dropping;
  }

  /** Whether a data message may be inserted: fragments of two messages never mix (§5.4). */
  get atMessageBoundary(): boolean {
    return (this.left === NONE && !this.fragmented) || this.dropping;
  }

  /**
   * Takes the next chunk. Returns how many of its first bytes pass, behind `released`. The rest is held back, or, when
   * `violation` or `closeCode` is set, to be dropped; with `resumeAt` or `stalledAt`, what stands from there on comes again.
   */
  walk(chunk: Buffer): number {
    this.released = undefined;
    this.frameBoundary = NONE;
    this.messageBoundary = NONE;
    this.carriedData = false;
    this.resumeAt = NONE;
    this.stalledAt = NONE;
    if (this.violation !== undefined || this.closeCode !== 0) {
      return 0;
    }
    let at = 0;
    if (this.held !== undefined) {
      at = this.completeHeld(this.held, chunk);
      if (at === REFUSED) {
        return 0;
      }
    }
    if (this.dropping && this.left !== NONE) {
      this.skipFrame(at, chunk.length);
      return 0;
    }
    const passed = this.walkFrames(chunk, at);
    this.bytes += passed;
    return passed;
  }

  private walkFrames(chunk: Buffer, start: number): number {
    const end = chunk.length;
    let at = start;
    let left = this.left;
    while (this.closeCode === 0) {
      if (left !== NONE) {
        this.carriedData = true;
        if (left > end - at) {
          this.left = left - (end - at);
          return end;
        }
        at += left;
        this.left = NONE;
        this.endFrame(at);
      }
      if (at === end) {
        return end;
      }
      const size = this.readHeader(chunk, at, end);
      if (size <= INCOMPLETE) {
        if (size === INCOMPLETE) {
          this.hold(chunk, at);
        } else if (size === STALLED) {
          this.stalledAt = at;
        }
        return at;
      }
      if (this.dropping && this.left !== NONE) {
        this.skipFrame(at + size, end);
        return at;
      }
      at += size;
      left = this.left;
    }
    return at;
  }

  /** Leaves out the payload that starts at `at`, as far as it is there. */
  private skipFrame(at: number, end: number): void {
    this.carriedData = true;
    if (this.left > end - at) {
      this.left -= end - at;
      this.resumeAt = end;
      return;
    }
    this.resumeAt = at + this.left;
    this.left = NONE;
    this.dropping = this.fragmented;
  }

  private endFrame(at: number): void {
    if (this.frameBoundary === NONE) {
      this.frameBoundary = at;
    }
    if (!this.fragmented) {
      this.messages += 1;
      if (this.messageBoundary === NONE) {
        this.messageBoundary = at;
      }
    }
  }

  private hold(chunk: Buffer, at: number): void {
    this.held = Buffer.allocUnsafe(MAX_HELD);
    this.heldLength = chunk.copy(this.held, 0, at);
  }

  /** Returns the offset in `chunk` behind what was held back, or `REFUSED` when nothing of `chunk` passes yet. */
  private completeHeld(held: Buffer, chunk: Buffer): number {
    const before = this.heldLength;
    const total = before + chunk.copy(held, before);
    const size = this.readHeader(held, 0, total);
    if (size === INCOMPLETE) {
      this.heldLength = total;
      return REFUSED;
    }
    if (size === STALLED) {
      this.stalledAt = 0;
      return REFUSED;
    }
    this.held = undefined;
    this.heldLength = 0;
    if (size === REFUSED) {
      return REFUSED;
    }
    if (!this.dropping || this.left === NONE) {
      this.released = held.subarray(0, before);
      this.bytes += before;
    }
    return size - before;
  }

  /**
   * Reads the header at `at`; of a control frame all of it. Returns its length, `INCOMPLETE`, `STALLED`, or `REFUSED` with
   * `violation` set. State changes only with a length.
   */
  private readHeader(buffer: Buffer, at: number, end: number): number {
    if (end - at < 2) {
      return INCOMPLETE;
    }
    const first = buffer[at] as number;
    const second = buffer[at + 1] as number;
    if ((second & MASK) !== this.maskBit) {
      return this.refuse("ProtocolError");
    }
    const opcode = first & 0x0f;
    if (opcode > BINARY) {
      return this.readControl(buffer, at, end);
    }
    const continues = opcode === CONTINUATION;
    if (continues !== this.fragmented || (first & RSV & ~(continues ? this.laterRsv : this.rsv)) !== 0) {
      return this.refuse("ProtocolError");
    }
    let length = second & 0x7f;
    const size = 2 + this.maskLength + (length === 126 ? 2 : length === 127 ? 8 : 0);
    if (end - at < size) {
      return INCOMPLETE;
    }
    if (length === 126) {
      length = buffer.readUInt16BE(at + 2);
    } else if (length === 127) {
      const high = buffer.readUInt32BE(at + 2);
      if (high > MAX_HIGH_WORD) {
        return this.refuse("ProtocolError");
      }
      length = high * 0x1_0000_0000 + buffer.readUInt32BE(at + 6);
    }
    const messageSize = continues ? this.messageSize + length : length;
    if (messageSize > this.maxMessageSize) {
      return this.refuse("MessageTooBig");
    }
    const fragments = continues ? this.fragments + 1 : 0;
    if (fragments > FREE_FRAGMENTS && this.maskBit !== 0 && messageSize < fragments * MIN_MEAN_FRAGMENT) {
      return this.refuse("TooManyFragments");
    }
    if (this.meter !== undefined && !this.dropping) {
      const verdict = continues ? this.meter.continues(length) : this.meter.starts(length);
      if (verdict >= VERDICT.close) {
        return this.refuse("RateExceeded");
      }
      if (verdict === VERDICT.wait) {
        return STALLED;
      }
      this.dropping = verdict === VERDICT.drop;
    }
    this.fragments = fragments;
    this.messageSize = messageSize;
    this.fragmented = first < FIN;
    this.left = length;
    return size;
  }

  /** Control frames: not fragmented, at most 125 bytes (§5.5), only the three that are defined. */
  private readControl(buffer: Buffer, at: number, end: number): number {
    const first = buffer[at] as number;
    const length = (buffer[at + 1] as number) & 0x7f;
    const opcode = first & 0x0f;
    const known = opcode === OPCODE.close || opcode === OPCODE.ping || opcode === OPCODE.pong;
    if (!known || first < FIN || length > MAX_CONTROL_PAYLOAD || (first & RSV & ~this.laterRsv) !== 0) {
      return this.refuse("ProtocolError");
    }
    const size = 2 + this.maskLength + length;
    if (end - at < size) {
      return INCOMPLETE;
    }
    if (opcode === OPCODE.close) {
      const code = length === 0 ? NO_CODE : this.readCloseCode(buffer, at);
      if (length !== 0 && (length === 1 || !isSendableCode(code))) {
        return this.refuse("ProtocolError");
      }
      this.closeCode = code;
    }
    return size;
  }

  /** The first two bytes of a whole control frame's body, unmasked; without such bytes, anything. */
  private readCloseCode(buffer: Buffer, at: number): number {
    const body = at + 2 + this.maskLength;
    const code = ((buffer[body] ?? 0) << 8) | (buffer[body + 1] ?? 0);
    return this.maskLength === 0 ? code : code ^ buffer.readUInt16BE(at + 2);
  }

  private refuse(violation: Violation): typeof REFUSED {
    this.violation = violation;
    return REFUSED;
  }
}
