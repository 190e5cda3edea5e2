/** What a feature test is built of, all of it real and all of it stopped after each test. */
import { once } from "node:events";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { afterEach } from "@jest/globals";
import { type ClientOptions, WebSocket } from "ws";
import { type EchoBackend, startEchoBackend } from "./echo-backend.ts";
import { startTestGateway, type TestGateway, type TestGatewayOptions } from "./test-gateway.ts";

export interface Client {
  readonly socket: WebSocket;
  /** Headers of the 101. */
  readonly headers: IncomingHttpHeaders;
  /** Sends a message and resolves with the next one that comes. */
  ask(message: string | Buffer): Promise<Buffer>;
  /** Code and reason with which the connection ends, or ended. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  /** Closes with 1000 and resolves when it is closed. */
  close(): Promise<{ readonly code: number; readonly reason: string }>;
}

/** Opens a WebSocket; rejects when there is no 101. */
export async function openClient(url: string, options: ClientOptions & { protocols?: string[] } = {}): Promise<Client> {
  const { protocols = [], ...rest } = options;
  const socket = new WebSocket(url, protocols, rest);
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  const [[{ headers }]] = (await Promise.all([once(socket, "upgrade"), once(socket, "open")])) as [
    [IncomingMessage],
    [],
  ];
  socket.on("error", () => undefined);
  return {
    socket,
    headers,
    closed,
    async ask(message) {
      const reply = once(socket, "message") as Promise<[Buffer]>;
      socket.send(message);
      return (await reply)[0];
    },
    close() {
      socket.close(1000, "done");
      return closed;
    },
  };
}

export interface Rig {
  gateway(options: TestGatewayOptions): Promise<TestGateway>;
  backend(...options: Parameters<typeof startEchoBackend>): Promise<EchoBackend>;
  client(...options: Parameters<typeof openClient>): Promise<Client>;
  /** Has `stop` called after the test. */
  use<T>(part: T, stop: (part: T) => unknown): T;
}

export function createRig(): Rig {
  const stops: (() => unknown)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });
  const use = <T>(part: T, stop: (part: T) => unknown): T => {
    stops.push(() => stop(part));
    return part;
  };
  return {
    use,
    gateway: async (options) => use(await startTestGateway(options), (part) => part.stop()),
    backend: async (...options) => use(await startEchoBackend(...options), (part) => part.stop()),
    client: async (...options) => use(await openClient(...options), (part) => part.socket.terminate()),
  };
}
