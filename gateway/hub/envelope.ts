/**
 * What travels on the bus for a hub, and on which channel. Pure.
 *
 * Wire form: version (1 byte), data type (1 byte), origin (8 bytes: the process that sent it), then the data as given.
 */

/** How the data was given; JSON and text both reach plain clients as text messages. */
export type DataType = "text" | "json" | "binary";

export interface HubMessage {
  readonly type: DataType;
  /** Valid UTF-8 unless `type` is `binary`; valid JSON where it is `json`. */
  readonly data: Buffer;
}

export interface Envelope {
  readonly origin: Buffer;
  readonly message: HubMessage;
}

export const ORIGIN_LENGTH = 8;

const VERSION = 1;
const TYPES: readonly DataType[] = ["text", "json", "binary"];
const HEADER_LENGTH = 2 + ORIGIN_LENGTH;

export function encodeEnvelope({ origin, message }: Envelope): Buffer {
  const header = Buffer.from([VERSION, TYPES.indexOf(message.type), ...origin]);
  return Buffer.concat([header, message.data]);
}

/** Undefined for what is not an envelope of this version: other versions run side by side during a rolling upgrade. */
export function decodeEnvelope(payload: Buffer): Envelope | undefined {
  const type = TYPES[payload[1] ?? TYPES.length];
  if (payload.length < HEADER_LENGTH || payload[0] !== VERSION || type === undefined) return undefined;
  const origin = payload.subarray(2, HEADER_LENGTH);
  return { origin, message: { type, data: payload.subarray(HEADER_LENGTH) } };
}

/** The channel of one group. Names are escaped, so that no name can spell another's channel. */
export function groupChannel(hub: string, group: string): string {
  return `hub:${encodeURIComponent(hub)}:group:${encodeURIComponent(group)}`;
}

/** The channel of everybody in the hub. */
export function everyoneChannel(hub: string): string {
  return `hub:${encodeURIComponent(hub)}:all`;
}
