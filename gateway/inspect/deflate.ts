/**
 * permessage-deflate (RFC 7692) on inspected connections: negotiated with client and backend each for itself, and without context
 * from message to message, so that an idle connection keeps no window and each message is bounded by its own inflated size.
 */
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";

const NAME = "permessage-deflate";
const PARAMETERS = `${NAME}; server_no_context_takeover; client_no_context_takeover`;
/** Smaller messages grow when they are compressed, or gain nothing. */
const MIN_COMPRESSED = 1_024;
/** Ends every deflated block and is left off on the wire (§7.2.1). */
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);

/** What a backend is offered. */
export const BACKEND_OFFER = PARAMETERS;

/** The client's first offer that can be kept, as the value that agrees to it; undefined when there is none. */
export function agreeWithClient(offers: string | undefined): string | undefined {
  const good = parseExtensions(offers ?? "").some(
    ({ name, parameters }) => name === NAME && parameters.every((parameter) => KEPT.test(parameter)),
  );
  return good ? PARAMETERS : undefined;
}

/** A smaller window for the gateway's own messages (`server_max_window_bits`) is not offered: zlib does not keep the smallest. */
const KEPT = /^(?:server_no_context_takeover|client_no_context_takeover|client_max_window_bits(?:=(?:[89]|1[0-5]))?)$/;

/** Whether a backend's answer to `BACKEND_OFFER` compresses; undefined where it is not an answer to it (§7.1). */
export function agreedByBackend(answer: string | undefined): boolean | undefined {
  const [extension, ...more] = parseExtensions(answer ?? "");
  if (extension === undefined) return false;
  const { name, parameters } = extension;
  const kept = parameters.every((parameter) => /^(?:server|client)_no_context_takeover$/.test(parameter));
  const good = more.length === 0 && name === NAME && kept && parameters.includes("server_no_context_takeover");
  return good ? true : undefined;
}

/** Values of these parameters are tokens or digits, so quotes only surround them (RFC 6455 §9.1). */
function parseExtensions(value: string): { name: string; parameters: string[] }[] {
  return value
    .split(",")
    .map((extension) => extension.split(";").map((part) => part.replace(/[\s"]/g, "").toLowerCase()))
    .flatMap(([name = "", ...parameters]) => (name === "" ? [] : [{ name, parameters }]));
}

export type Inflated = { readonly payload: Buffer } | { readonly violation: "MessageTooBig" | "InvalidPayload" };

/** Never makes more than `max` bytes, whatever the message would become. */
export function inflate(payload: Buffer, max: number): Inflated {
  try {
    const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: Math.max(1, max) };
    return { payload: inflateRawSync(Buffer.concat([payload, TAIL]), options) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { violation: code === "ERR_BUFFER_TOO_LARGE" ? "MessageTooBig" : "InvalidPayload" };
  }
}

/** The compressed payload where compressing pays. */
export function deflate(payload: Buffer): Buffer | undefined {
  if (payload.length < MIN_COMPRESSED) return undefined;
  const options = { level: constants.Z_BEST_SPEED, finishFlush: constants.Z_SYNC_FLUSH };
  const compressed = deflateRawSync(payload, options);
  return compressed.length < payload.length ? compressed.subarray(0, compressed.length - TAIL.length) : undefined;
}
