/**
 * Opens a WebSocket to a backend: connect, write the prepared request head, check the answer strictly.
 */
import type { Socket, TcpNetConnectOpts } from "node:net";
import type { Duplex } from "node:stream";
import type { RefusalReason } from "./refusals.ts";
import type { Endpoint } from "./snapshot.ts";

export type HeaderList = readonly (readonly [name: string, value: string])[];

export interface DialOptions {
  readonly endpoint: Endpoint;
  /** The whole request head, CRLFCRLF included. */
  readonly head: string;
  /** The Sec-WebSocket-Key in `head`. */
  readonly key: string;
  /** What `head` offers: subprotocols, and the value of Sec-WebSocket-Extensions. */
  readonly offered: { readonly protocols: readonly string[]; readonly extensions: string | undefined };
  /** Milliseconds: for the TCP connection alone, and for the whole of `dial`. */
  readonly timeouts: { readonly connect: number; readonly handshake: number };
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  readonly connect?: (options: TcpNetConnectOpts) => Socket;
}

export type Dialled =
  | {
      readonly kind: "open";
      readonly socket: Duplex;
      /** Bytes that came behind the 101. */
      readonly head: Buffer;
      readonly protocol?: string;
      readonly extensions?: string;
      /** RSV bits that `extensions` may set (for `openTunnel`). */
      readonly rsv: number;
      readonly headers: HeaderList;
    }
  | {
      readonly kind: "rejected";
      readonly status: number;
      readonly statusText: string;
      readonly headers: HeaderList;
      /** De-chunked; cut at 64 KiB. */
      readonly body: Buffer;
    }
  /** `sent` is false when no byte was written, so that another endpoint may be tried. */
  | { readonly kind: "failed"; readonly reason: RefusalReason; readonly sent: boolean };

/** Never rejects. */
export function dial(_options: DialOptions): Promise<Dialled> {
  throw new Error("not built yet");
}
