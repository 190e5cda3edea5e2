// A tunnel between two real TCP connections, with a raw peer at each end.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { Session, SessionEnd } from "../../gateway/session.ts";
import { openTunnel, type TunnelOptions } from "../../gateway/tunnel/tunnel.ts";
import { eventually } from "./eventually.ts";

/** The far end of one side: what it sends are bytes, what it got are bytes. */
export class Peer {
  readonly socket: Socket;
  private readonly chunks: Buffer[] = [];
  private length = 0;
  /** Whether a FIN came. */
  ended = false;
  /** Whether the connection is gone, by FIN from both sides or by a reset. */
  closed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.length += chunk.length;
    });
    socket.on("end", () => {
      this.ended = true;
    });
    socket.on("close", () => {
      this.closed = true;
    });
    socket.on("error", () => undefined);
  }

  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }

  send(bytes: Buffer | string): void {
    this.socket.write(typeof bytes === "string" ? Buffer.from(bytes.replaceAll(" ", ""), "hex") : bytes);
  }

  /** Resolves with all that came, once it is at least `length` bytes. */
  async got(length: number): Promise<Buffer> {
    await eventually(`${length} bytes (got ${this.received.toString("hex")})`, () => this.length >= length);
    return this.received;
  }
}

export interface Rig {
  readonly client: Peer;
  readonly backend: Peer;
  readonly session: Session;
  readonly ended: Promise<SessionEnd>;
  /** The gateway's own two sockets. */
  readonly gatewaySockets: { readonly client: Socket; readonly backend: Socket };
}

const open: Socket[] = [];

/** Two connected TCP sockets: ours, and the peer's. */
async function pair(): Promise<[ours: Socket, theirs: Socket]> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not a TCP server");
  const theirs = connect({ port: address.port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
  const [[ours]] = (await Promise.all([once(server, "connection"), once(theirs, "connect")])) as [[Socket], unknown];
  server.close();
  ours.setNoDelay(true);
  open.push(ours, theirs);
  return [ours, theirs];
}

/**
 * `before` runs on the gateway's sockets when they are connected and the tunnel is not open yet; `openSession` opens another kind
 * of session between them.
 */
export async function openRig(
  options: Partial<TunnelOptions> = {},
  before: (sockets: Rig["gatewaySockets"]) => void | Promise<void> = () => undefined,
  openSession: (options: TunnelOptions) => Session = openTunnel,
): Promise<Rig> {
  const [client, farClient] = await pair();
  const [backend, farBackend] = await pair();
  await before({ client, backend });
  const { promise: ended, resolve: onEnd } = Promise.withResolvers<SessionEnd>();
  const session = openSession({
    client,
    backend,
    clientHead: Buffer.alloc(0),
    backendHead: Buffer.alloc(0),
    limits: { maxMessageSize: 1 << 20, maxQueuedBytes: 1 << 20, onSlowClient: "Close" },
    rsv: 0,
    clock: Date,
    onEnd,
    ...options,
  });
  return {
    client: new Peer(farClient),
    backend: new Peer(farBackend),
    session,
    ended,
    gatewaySockets: { client, backend },
  };
}

/** Call after each test: nothing stays open. */
export function closeRigs(): void {
  for (const socket of open.splice(0)) socket.destroy();
}
