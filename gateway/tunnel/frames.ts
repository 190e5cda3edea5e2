/** WebSocket frames on the wire (RFC 6455 §5.2): what they may be, and the few that the gateway makes. */

/** What one direction of a connection has to keep to. */
export interface FrameRules {
  /** Frames from a client are masked, frames from a server are not (§5.1). */
  readonly masked: boolean;
  /** RSV bits that the negotiated extensions may set, as they stand in the first byte (0x70). */
  readonly rsv: number;
  /** Bytes of payload on the wire, summed over the fragments of a message. */
  readonly maxMessageSize: number;
}

export type Violation =
  | "ProtocolError"
  | "MessageTooBig"
  | "TooManyFragments"
  | "RateExceeded"
  | "InvalidPayload"
  | "UnsupportedData"
  | "InvalidMessage"
  | "MessageTooCostly";

export const OPCODE = { continuation: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const;
/** `fin` and `rsv` (three bits that are for extensions) stand in the first byte of a header, `mask` in the second. */
export const BITS = { fin: 0x80, rsv: 0x70, mask: 0x80 } as const;
export const MAX_CONTROL_PAYLOAD = 125;

/** Stands for "the Close frame carried no code" (§7.1.5). */
export const NO_CODE = 1005;

/** Whether a code may stand in a Close frame (§7.4). */
export function isSendableCode(code: number): boolean {
  if (code >= 3000) {
    return code <= 4999;
  }
  return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
}

function frame(opcode: number, payload: Uint8Array): Buffer {
  const length = payload.length;
  const header = length < 126 ? 2 : length < 0x1_0000 ? 4 : 10;
  const buffer = Buffer.allocUnsafe(header + length);
  buffer[0] = BITS.fin | opcode;
  if (header === 2) {
    buffer[1] = length;
  } else if (header === 4) {
    buffer[1] = 126;
    buffer.writeUInt16BE(length, 2);
  } else {
    buffer[1] = 127;
    buffer.writeBigUInt64BE(BigInt(length), 2);
  }
  buffer.set(payload, header);
  return buffer;
}

/** A whole text message as a server sends it. `data` has to be valid UTF-8 where it is bytes. */
export function textFrame(data: string | Uint8Array): Buffer {
  return frame(OPCODE.text, typeof data === "string" ? Buffer.from(data) : data);
}

/** A whole binary message as a server sends it. */
export function binaryFrame(data: Uint8Array): Buffer {
  return frame(OPCODE.binary, data);
}

/** A ping as a server sends it; at most 125 bytes. */
export function pingFrame(data: Uint8Array = Buffer.alloc(0)): Buffer {
  return frame(OPCODE.ping, data);
}

/** A pong as a server sends it; at most 125 bytes. */
export function pongFrame(data: Uint8Array = Buffer.alloc(0)): Buffer {
  return frame(OPCODE.pong, data);
}

/** A Close as a server sends it; a reason over 123 bytes is cut at a character. `NO_CODE` makes an empty one. */
export function closeFrame(code: number, reason = ""): Buffer {
  if (code === NO_CODE) {
    return frame(OPCODE.close, Buffer.alloc(0));
  }
  const payload = Buffer.alloc(MAX_CONTROL_PAYLOAD);
  payload.writeUInt16BE(code, 0);
  const { written } = new TextEncoder().encodeInto(reason, payload.subarray(2));
  return frame(OPCODE.close, payload.subarray(0, 2 + written));
}

/** The same frame as a client sends it, masked with four random bytes (§5.3). */
export function maskFrame(unmasked: Buffer, key: Uint8Array): Buffer {
  const length = (unmasked[1] as number) & 0x7f;
  const header = length === 127 ? 10 : length === 126 ? 4 : 2;
  const masked = Buffer.allocUnsafe(unmasked.length + 4);
  unmasked.copy(masked, 0, 0, header);
  masked[1] = (masked[1] as number) | BITS.mask;
  masked.set(key.subarray(0, 4), header);
  for (let at = header; at < unmasked.length; at += 1) {
    masked[at + 4] = (unmasked[at] as number) ^ (key[(at - header) & 3] as number);
  }
  return masked;
}
