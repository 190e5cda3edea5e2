// A TCP proxy that can swallow everything, as a network does that drops packets: sockets stay open and silent.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface TcpProxy {
  readonly port: number;
  /** From now on bytes vanish in both directions, also those of new connections. Nothing is closed. */
  swallow(): void;
  /** New connections work again; those that lost bytes stay silent. */
  restore(): void;
  close(): Promise<void>;
}

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let swallowing = false;
  const server = createServer((client) => {
    const target = connect(targetPort, "127.0.0.1");
    let lost = swallowing;
    const pass = (to: Socket) => (chunk: Buffer) => {
      lost ||= swallowing;
      if (!lost) to.write(chunk);
    };
    client.on("data", pass(target));
    target.on("data", pass(client));
    for (const [socket, peer] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        if (!lost) peer.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    swallow() {
      swallowing = true;
    },
    restore() {
      swallowing = false;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
