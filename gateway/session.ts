/**
 * An open connection as the rest of the gateway sees it, whatever moves its bytes: a tunnel, or the hub.
 */
import type { CloseReason } from "./refusals.ts";

/** Counts of one direction; `bytes` are those on the wire, frame headers included. */
export interface Traffic {
  messages: number;
  bytes: number;
}

/** How a session ended. `code` is the close code that the client got, or 1005/1006 where it got none. */
export interface SessionEnd {
  readonly reason: CloseReason;
  readonly code: number;
}

export interface Session {
  readonly fromClient: Readonly<Traffic>;
  readonly toClient: Readonly<Traffic>;
  /** Bytes that wait for the client to read. */
  readonly queuedBytes: number;
  /** Clock time (ms) of the last data frame in either direction; control frames do not count as use. */
  readonly lastMessageAt: number;
  /** Clock time (ms) of the last byte from the client, for keep-alive. */
  readonly lastHeardAt: number;
  /** Sends an empty ping to the client at the next frame boundary. */
  ping(): void;
  /**
   * Inserts one whole, unmasked server frame at the next boundary towards the client.
   * Returns false when it was dropped because the client's queue is full.
   */
  push(frame: Buffer): boolean;
  /** Closes both sides with the table's code, at a boundary, and is done within a bound. Idempotent. */
  close(reason: CloseReason): void;
  /** Ends at once without a close frame. */
  destroy(reason: CloseReason): void;
}
