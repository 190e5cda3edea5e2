/**
 * Opens a WebSocket to a backend: connect, write the prepared request head, check the answer strictly.
 */
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { RefusalReason } from "../refusals.ts";
import type { Endpoint } from "../snapshot.ts";
import { readResponseBody } from "./response-body.ts";
import { parseResponseHead, type ResponseHead, type ResponseHeaders } from "./response-head.ts";
import { type Asked, checkSwitching } from "./switching.ts";

export interface DialOptions extends Asked {
  readonly endpoint: Endpoint;
  /** The whole request head, CRLFCRLF included; one byte for each character. */
  readonly head: string;
  /** Milliseconds: for the TCP connection alone, and for the whole of `dial`. 0 turns one off. */
  readonly timeouts: { readonly connect: number; readonly handshake: number };
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

export type Dialled =
  | {
      readonly kind: "open";
      /** Paused, so that nothing is lost until somebody reads it. */
      readonly socket: Duplex;
      /** Bytes that came behind the 101. */
      readonly head: Buffer;
      readonly protocol?: string;
      readonly extensions?: string;
      /** RSV bits that `extensions` may set (for `openTunnel`). */
      readonly rsv: number;
      readonly headers: ResponseHeaders;
    }
  | {
      readonly kind: "rejected";
      readonly status: number;
      readonly statusText: string;
      readonly headers: ResponseHeaders;
      /** De-chunked; cut at `MAX_RESPONSE_BODY`. */
      readonly body: Buffer;
    }
  /** `sent` is false when no byte was written, so that another endpoint may be tried. */
  | { readonly kind: "failed"; readonly reason: RefusalReason; readonly sent: boolean };

/** Interim answers (1xx other than 101, RFC 9110 §15.2) that are read over before the backend counts as broken. */
const MAX_INTERIM = 8;

/** Never rejects: a backend that cannot be reached, is too slow or answers nonsense is a value like any other. */
export function dial(options: DialOptions): Promise<Dialled> {
  return new Promise((resolve) => new Dialling(options, resolve).start());
}

function ignoreError(): void {}

class Dialling {
  private readonly options: DialOptions;
  private readonly resolve: (dialled: Dialled) => void;
  private readonly socket: Socket;
  private connectTimer: NodeJS.Timeout | undefined = undefined;
  private handshakeTimer: NodeJS.Timeout | undefined = undefined;
  private received: Buffer = Buffer.alloc(0);
  private rejection: ResponseHead | undefined = undefined;
  private interim = 0;
  private sent = false;

  constructor(options: DialOptions, resolve: (dialled: Dialled) => void) {
    this.options = options;
    this.resolve = resolve;
    const { address: host, port } = options.endpoint;
    this.socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
  }

  start(): void {
    const { signal, timeouts } = this.options;
    // Stays on for good: whoever takes the socket may do so a moment after it failed.
    this.socket.on("error", ignoreError);
    this.socket.on("connect", this.onConnect).on("data", this.onData).on("end", this.onGone).on("close", this.onGone);
    this.connectTimer = after(timeouts.connect, this.onTimeout);
    this.handshakeTimer = after(timeouts.handshake, this.onTimeout);
    signal.addEventListener("abort", this.onAbort, { once: true });
    if (signal.aborted) {
      this.onAbort();
    }
  }

  private readonly onConnect = (): void => {
    clearTimeout(this.connectTimer);
    this.sent = true;
    this.socket.write(this.options.head, "latin1");
  };

  private readonly onData = (chunk: Buffer): void => {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    if (this.rejection === undefined) {
      this.readHead();
    } else {
      this.readBody(this.rejection);
    }
  };

  /** The end of the stream ends a body that has no other end; before a whole head it is a refusal. */
  private readonly onGone = (): void => {
    if (this.rejection === undefined) {
      this.fail("BackendRefused");
    } else {
      this.reject(this.rejection, readResponseBody(this.rejection, this.received).body);
    }
  };

  private readonly onTimeout = (): void => this.fail("BackendTimeout");
  private readonly onAbort = (): void => this.fail("ClientGone");

  private readHead(): void {
    const head = parseResponseHead(this.received);
    if (head === "incomplete") {
      return;
    }
    if (head === "malformed") {
      this.fail("BackendBadHandshake");
      return;
    }
    this.received = this.received.subarray(head.length);
    if (head.status === 101) {
      this.open(head);
    } else if (head.status < 200) {
      this.skipInterim();
    } else {
      this.rejection = head;
      this.readBody(head);
    }
  }

  private skipInterim(): void {
    this.interim += 1;
    if (this.interim > MAX_INTERIM) {
      this.fail("BackendBadHandshake");
    } else {
      this.readHead();
    }
  }

  private readBody(head: ResponseHead): void {
    const { body, complete } = readResponseBody(head, this.received);
    if (complete) {
      this.reject(head, body);
    }
  }

  private open(head: ResponseHead): void {
    const agreed = checkSwitching(head, this.options);
    if (agreed === undefined) {
      this.fail("BackendBadHandshake");
      return;
    }
    this.letGo();
    this.socket.pause();
    this.resolve({ kind: "open", socket: this.socket, head: this.received, headers: head.headers, ...agreed });
  }

  private reject(head: ResponseHead, body: Buffer): void {
    this.letGo();
    this.socket.destroy();
    const { status, statusText, headers } = head;
    this.resolve({ kind: "rejected", status, statusText, headers, body });
  }

  private fail(reason: RefusalReason): void {
    this.letGo();
    this.socket.destroy();
    this.resolve({ kind: "failed", reason, sent: this.sent });
  }

  private letGo(): void {
    clearTimeout(this.connectTimer);
    clearTimeout(this.handshakeTimer);
    this.options.signal.removeEventListener("abort", this.onAbort);
    this.socket
      .off("connect", this.onConnect)
      .off("data", this.onData)
      .off("end", this.onGone)
      .off("close", this.onGone);
  }
}

function after(milliseconds: number, then: () => void): NodeJS.Timeout | undefined {
  return milliseconds > 0 ? setTimeout(then, milliseconds) : undefined;
}
