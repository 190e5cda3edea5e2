/** A WebSocket backend that sends back what it gets, and remembers how it was asked. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type ServerOptions, WebSocketServer } from "ws";

export interface EchoBackend {
  readonly port: number;
  /** Handshakes in the order of their arrival. */
  readonly requests: readonly IncomingMessage[];
  /** TCP sockets of the connections that are open now. */
  readonly sockets: ReadonlySet<Socket>;
  /** Close codes of connections that ended, in order. */
  readonly closes: readonly number[];
  /** Close code of the next connection that ends. */
  nextClose(): Promise<number>;
  stop(): Promise<void>;
}

export async function startEchoBackend(options: ServerOptions = {}): Promise<EchoBackend> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, ...options });
  await once(server, "listening");
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const closes: number[] = [];
  const waiting: ((code: number) => void)[] = [];
  server.on("connection", (client, request) => {
    requests.push(request);
    const { socket } = request;
    sockets.add(socket);
    client.on("error", () => undefined);
    client.on("message", (data, isBinary) => client.send(data, { binary: isBinary }));
    client.on("close", (code) => {
      sockets.delete(socket);
      closes.push(code);
      for (const resolve of waiting.splice(0)) resolve(code);
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    sockets,
    closes,
    nextClose: () => new Promise((resolve) => waiting.push(resolve)),
    async stop() {
      for (const client of server.clients) client.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
