/**
 * Frames taken apart into messages and put together again (RFC 6455 §5). Knows no sockets and checks nothing that the frame walker
 * has checked: it is shown whole headers, whole control frames and payload in order.
 */
import { randomFillSync } from "node:crypto";

const FIN = 0x80;
const RSV1 = 0x40;
const MASK = 0x80;
const CONTROL = 0x8;
export const TEXT = 0x1;
export const BINARY = 0x2;

/** One whole data message as it came. */
export interface Message {
  readonly opcode: typeof TEXT | typeof BINARY;
  /** Whether the payload is to be inflated first (RFC 7692 §6). */
  readonly isCompressed: boolean;
  /** Unmasked. */
  readonly payload: Buffer;
}

/** A control frame goes on as it came, between the messages where it stood. */
export type Item = Message | { readonly control: Buffer };

/** Collects messages of one direction. Bytes that it is shown belong to it from then on. */
export class MessageReader {
  #opcode: Message["opcode"] = TEXT;
  #isCompressed = false;
  #isLast = false;
  #parts: Buffer[] = [];
  /** Payload bytes to come of the frame in progress, or -1 between frames. */
  #left = -1;
  #key: Buffer | undefined;
  /** Bytes of the frame's payload that were unmasked. */
  #at = 0;

  /** Whole items in `bytes`, in order. */
  read(bytes: Buffer, into: Item[]): void {
    let at = 0;
    for (;;) {
      if (this.#left >= 0) {
        at = this.#readPayload(bytes, at);
        if (this.#left > 0) return;
        this.#left = -1;
        if (this.#isLast) into.push(this.#message());
      }
      if (at === bytes.length) return;
      at = this.#readHeader(bytes, at, into);
    }
  }

  #readPayload(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    if (end > at) {
      const part = bytes.subarray(at, end);
      if (this.#key !== undefined) unmask(part, this.#key, this.#at);
      this.#at += part.length;
      this.#left -= part.length;
      this.#parts.push(part);
    }
    return end;
  }

  /** Returns the offset behind the header; behind the whole frame where it is a control frame. */
  #readHeader(bytes: Buffer, at: number, into: Item[]): number {
    const first = bytes[at] as number;
    const second = bytes[at + 1] as number;
    let length = second & 0x7f;
    let next = at + 2;
    if (length === 126) {
      length = bytes.readUInt16BE(next);
      next += 2;
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(next));
      next += 8;
    }
    const isMasked = (second & MASK) !== 0;
    const opcode = first & 0x0f;
    if (opcode >= CONTROL) {
      const end = next + (isMasked ? 4 : 0) + length;
      into.push({ control: bytes.subarray(at, end) });
      return end;
    }
    if (opcode !== 0) {
      this.#opcode = opcode as Message["opcode"];
      this.#isCompressed = (first & RSV1) !== 0;
    }
    this.#isLast = (first & FIN) !== 0;
    this.#left = length;
    this.#at = 0;
    this.#key = isMasked ? bytes.subarray(next, next + 4) : undefined;
    return isMasked ? next + 4 : next;
  }

  #message(): Message {
    const [only] = this.#parts;
    const payload = this.#parts.length === 1 && only !== undefined ? only : Buffer.concat(this.#parts);
    this.#parts = [];
    return { opcode: this.#opcode, isCompressed: this.#isCompressed, payload };
  }
}

/** Shorter ones are not worth a view of words. */
const MIN_WORDS = 64;

/** In place; `offset` is how many bytes of the payload came before (§5.3). The key may stand anywhere but in `bytes`. */
function unmask(bytes: Buffer, key: Buffer, offset: number): void {
  const { length } = bytes;
  let at = 0;
  if (length >= MIN_WORDS) {
    while (((bytes.byteOffset + at) & 3) !== 0) at = unmaskByte(bytes, at, key[(offset + at) & 3] as number);
    const turned = Uint8Array.from([0, 1, 2, 3], (index) => key[(offset + at + index) & 3] as number);
    const [word = 0] = new Int32Array(turned.buffer);
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (length - at) >> 2);
    for (let index = 0; index < words.length; index += 1) words[index] = (words[index] as number) ^ word;
    at += words.length << 2;
  }
  while (at < length) at = unmaskByte(bytes, at, key[(offset + at) & 3] as number);
}

function unmaskByte(bytes: Buffer, at: number, key: number): number {
  bytes[at] = (bytes[at] as number) ^ key;
  return at + 1;
}

/** Random bytes for masks, fetched in bulk. They need to be unpredictable to whoever chooses the payload (§10.3). */
const pool = Buffer.alloc(8 * 1024);
let used = pool.length;

function nextKey(): Buffer {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += 4;
  return pool.subarray(used - 4, used);
}

export interface Encoding extends Message {
  /** Whether it goes to a server, from a client (§5.3). */
  readonly isMasked: boolean;
}

/** One whole message as one frame. */
export function encodeMessage({ opcode, isCompressed, payload, isMasked }: Encoding): Buffer {
  const { length } = payload;
  const size = length < 126 ? 2 : length < 0x1_0000 ? 4 : 10;
  const start = isMasked ? size + 4 : size;
  const frame = Buffer.allocUnsafe(start + length);
  frame[0] = FIN | opcode | (isCompressed ? RSV1 : 0);
  frame[1] = (isMasked ? MASK : 0) | (size === 2 ? length : size === 4 ? 126 : 127);
  if (size === 4) frame.writeUInt16BE(length, 2);
  else if (size === 10) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.set(payload, start);
  if (isMasked) {
    const key = nextKey();
    frame.set(key, size);
    unmask(frame.subarray(start), key, 0);
  }
  return frame;
}
