/**
 * Structured logs (pino) and the one line that each connection and each refused handshake leaves.
 *
 * Nothing a client may hold secret is written: no query string, no cookie, no header but the user agent, and of a connection
 * ID, wherever a line names one, what tells connections apart.
 */
import { type DestinationStream, type Logger, pino } from "pino";
import { withoutSignature } from "../handshake/connection-id.ts";
import type { Traffic } from "../session.ts";

export type Log = Pick<Logger, "fatal" | "error" | "warn" | "info" | "debug">;

export interface LogOptions {
  /** A pino level name, or `silent`. */
  readonly level: string;
  /** Standard output when absent. Writes are synchronous, so that the last lines before an exit are not lost. */
  readonly destination?: DestinationStream;
}

export function createLog({ level, destination }: LogOptions): Logger {
  const options = {
    level,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { connectionId: withoutSignature },
  };
  return pino(options, destination ?? pino.destination({ fd: 1, sync: true }));
}

/** Longest client-given text in a log line. */
const MAX_CLIENT_TEXT = 256;

/**
 * Text from a client, bounded; JSON encoding does the escaping. The cut is copied, for a slice would keep the whole text
 * in memory for as long as the connection lives.
 */
export function clip(text: string | undefined): string | undefined {
  if (text === undefined || text.length <= MAX_CLIENT_TEXT) return text;
  return Buffer.from(`${text.slice(0, MAX_CLIENT_TEXT)}…`).toString();
}

/** A request target without its query: even a parameter's name may be a credential (A8). */
export function redactTarget(target: string): string {
  const query = target.indexOf("?");
  return clip(query < 0 ? target : `${target.slice(0, query)}?[redacted]`) ?? "";
}

/** Who connected and to what, as it stands in every line about a handshake or a connection. */
export interface Caller {
  readonly listener: string;
  readonly clientIP: string;
  readonly host: string | undefined;
  readonly target: string;
  readonly userAgent: string | undefined;
}

export interface ConnectionLine {
  readonly caller: Caller;
  readonly route: string;
  readonly connectionId: string;
  /** The name of the credential that the client showed, never the credential. */
  readonly principal: string | undefined;
  readonly endpoint: string | undefined;
  readonly protocol: string | undefined;
  readonly side: string;
  readonly reason: string;
  readonly code: number;
  readonly fromClient: Readonly<Traffic>;
  readonly toClient: Readonly<Traffic>;
  readonly milliseconds: number;
}

/** The access log: one line for each connection that was open. */
export function logConnection(log: Log, line: ConnectionLine): void {
  const { caller, fromClient, toClient, milliseconds, ...rest } = line;
  log.info(
    {
      event: "connection",
      ...caller,
      ...rest,
      messagesFromClient: fromClient.messages,
      bytesFromClient: fromClient.bytes,
      messagesToClient: toClient.messages,
      bytesToClient: toClient.bytes,
      seconds: Math.round(milliseconds) / 1000,
    },
    "connection ended",
  );
}

export interface RefusalLine {
  readonly caller: Caller;
  readonly route: string;
  readonly reason: string;
  readonly code: number;
  readonly message: string;
}

/** One line for each handshake that did not end in a 101. */
export function logRefusal(log: Log, { caller, message, ...rest }: RefusalLine): void {
  log.info({ event: "refusal", ...caller, ...rest, detail: message }, "handshake refused");
}
