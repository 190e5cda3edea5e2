/** A TCP client that sends what it is told, byte for byte, and reads what comes. For everything that `ws` would not do. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { SAMPLE_KEY } from "./make-route.ts";

export interface RawClient {
  readonly socket: Socket;
  /** All bytes received so far. */
  received(): Buffer;
  /** Resolves with all bytes received as soon as `done` says that they are enough, or the connection has ended. */
  until(done: (bytes: Buffer) => boolean): Promise<Buffer>;
  /** The answer's head as text. */
  head(): Promise<string>;
  /** Everything that came until the other side ended. */
  rest(): Promise<Buffer>;
  /** The code of the error that the connection ended with, if any: `ECONNRESET` where it was reset. */
  failure(): string | undefined;
}

export async function rawConnect(port: number, options: { readonly allowHalfOpen?: boolean } = {}): Promise<RawClient> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: options.allowHalfOpen ?? false });
  const chunks: Buffer[] = [];
  let ended = false;
  const wake: (() => void)[] = [];
  const ring = (): void => {
    for (const resolve of wake.splice(0)) resolve();
  };
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    ring();
  });
  const end = (): void => {
    ended = true;
    ring();
  };
  let failure: string | undefined;
  socket.on("error", (error: NodeJS.ErrnoException) => {
    failure = error.code;
  });
  socket.on("end", end).on("close", end);
  await once(socket, "connect");
  const received = (): Buffer => Buffer.concat(chunks);
  const until = async (done: (bytes: Buffer) => boolean): Promise<Buffer> => {
    while (!ended && !done(received())) await new Promise<void>((resolve) => wake.push(resolve));
    return received();
  };
  return {
    socket,
    received,
    until,
    async head() {
      const bytes = await until((so_far) => so_far.includes("\r\n\r\n"));
      const end = bytes.indexOf("\r\n\r\n");
      return bytes.subarray(0, end < 0 ? bytes.length : end).toString("latin1");
    },
    rest: () => until(() => false),
    failure: () => failure,
  };
}

/** The text of an opening handshake; `headers` replace those of the same name, or leave them out where undefined. */
export function handshakeText(
  options: {
    readonly method?: string;
    readonly target?: string;
    readonly headers?: Readonly<Record<string, string | undefined>>;
    readonly extra?: string;
  } = {},
): string {
  const headers: Record<string, string | undefined> = {
    Host: "chat.example.com",
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": SAMPLE_KEY,
    ...options.headers,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
  const first = `${options.method ?? "GET"} ${options.target ?? "/"} HTTP/1.1`;
  return `${[first, ...lines].join("\r\n")}\r\n${options.extra ?? ""}\r\n`;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export function parseReply(bytes: Buffer): HttpReply {
  const text = bytes.toString("latin1");
  const end = text.indexOf("\r\n\r\n");
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(first.split(" ")[1]), headers: new Map(headers), body: text.slice(end + 4) };
}

/** Sends one request and resolves with the whole reply, once the gateway has ended the connection. */
export async function rawRequest(port: number, text: string): Promise<HttpReply> {
  const client = await rawConnect(port);
  client.socket.write(text, "latin1");
  const bytes = await client.rest();
  client.socket.destroy();
  return parseReply(bytes);
}
