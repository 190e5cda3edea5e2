/**
 * A proxied connection: bytes pass between client and backend as they came, walked by frame header only.
 */
import type { Duplex } from "node:stream";
import type { Session, SessionEnd } from "./session.ts";
import type { Route } from "./snapshot.ts";

export interface TunnelOptions {
  readonly client: Duplex;
  readonly backend: Duplex;
  /** Bytes that arrived behind each handshake. */
  readonly clientHead: Buffer;
  readonly backendHead: Buffer;
  readonly limits: Pick<Route["limits"], "maxMessageSize" | "maxQueuedBytes" | "onSlowClient">;
  /** RSV bits that the negotiated extensions may set, as they stand in the first byte of a frame (0x70). */
  readonly rsv: number;
  readonly clock: { now(): number };
  /** Called once, when both sockets are gone. */
  onEnd(end: SessionEnd): void;
}

/** Joins two connected sockets that have both finished their handshake. */
export function openTunnel(_options: TunnelOptions): Session {
  throw new Error("not built yet");
}
