// Both far ends of the proxies under test, in one process of its own: an echoing WebSocket backend, and many clients that
// keep a window of messages under way. Speaks frames by hand, because only the proxy's CPU is to be measured.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { acceptFor } from "../../gateway/backend/switching.ts";
import { closeFrame, maskFrame, textFrame } from "../../gateway/tunnel/frames.ts";

export interface Load {
  readonly port: number;
  readonly connections: number;
  /** Bytes of each message's payload. */
  readonly size: number;
  /** Messages under way on each connection at any time; 0 for idle connections. */
  readonly window: number;
}

/** Connections that are closed as soon as they are there. */
export interface Handshakes {
  readonly port: number;
  readonly path: string;
  readonly count: number;
  /** At any time. */
  readonly underWay: number;
  /** Bearer tokens, used in turn; none for handshakes without one. */
  readonly tokens: readonly string[];
}

export type PeersRequest =
  | { readonly open: Load }
  | { readonly count: true }
  | { readonly close: true }
  | { readonly shake: Handshakes };
export type PeersReply =
  | { readonly backend: number }
  | { readonly opened: true }
  | { readonly counted: number }
  | { readonly closed: true }
  | { readonly shaken: true }
  | { readonly broken: string };

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const requestFor = (path: string, token?: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: bench.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n` +
  `${token === undefined ? "" : `Authorization: Bearer ${token}\r\n`}\r\n`;
const END_OF_HEAD = "\r\n\r\n";
const MASK = Uint8Array.of(1, 2, 3, 4);

const NORMAL_CLOSE = maskFrame(closeFrame(1000), MASK);

/** Bytes of each message's payload; undefined where clients send nothing but a Close. */
let size: number | undefined;
let echoed = 0;
let closing = false;
let clients: Socket[] = [];

const reply = (message: PeersReply): void => void process.send?.(message);

/** JSON of so many bytes, so that a proxy that reads messages has something to read. */
function messageOf(bytes: number): string {
  const empty = JSON.stringify({ type: "say", body: "" });
  return JSON.stringify({ type: "say", body: "a".repeat(Math.max(0, bytes - empty.length)) });
}

/** Calls `onMessages` with how many whole messages each chunk completes, `length` bytes each. */
function countMessages(socket: Socket, length: number, onMessages: (messages: number) => void): void {
  let left = 0;
  socket.on("data", (chunk: Buffer) => {
    left += chunk.length;
    const messages = Math.floor(left / length);
    left -= messages * length;
    if (messages > 0) onMessages(messages);
  });
}

/** Reads up to the end of the head; what the proxies pass on is never split from anything that follows it here. */
function readHead(socket: Socket, then: (head: string) => void): void {
  let head = "";
  const onData = (chunk: Buffer): void => {
    head += chunk.toString("latin1");
    if (!head.includes(END_OF_HEAD)) return;
    socket.off("data", onData);
    then(head);
  };
  socket.on("data", onData);
}

function repeated(frame: Buffer, times: number): Buffer {
  return times === 1 ? frame : Buffer.concat(Array<Buffer>(times).fill(frame));
}

function echo(socket: Socket, frame: Buffer): void {
  countMessages(socket, frame.length + MASK.length, (messages) => void socket.write(repeated(frame, messages)));
}

/** The server ends the connection first (RFC 6455 §7.1.1), so that the port that waits for stray packets is the one it listens on. */
function answerClose(socket: Socket): void {
  socket.once("data", () => socket.end(closeFrame(1000)));
}

const backend = createServer((socket) => {
  socket.setNoDelay(true).on("error", () => undefined);
  readHead(socket, (head) => {
    const key = /^sec-websocket-key: *(.*?) *$/im.exec(head)?.[1] ?? "";
    if (size === undefined) answerClose(socket);
    else echo(socket, textFrame(messageOf(size)));
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`,
    );
  });
});

/** Resolves when the proxy has switched. */
function switchedClient(port: number, request: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", reject).on("close", () => reject(new Error("the proxy closed a connection")));
  socket.write(request);
  readHead(socket, (head) => (head.startsWith("HTTP/1.1 101") ? resolve(socket) : reject(new Error(head))));
  return promise;
}

/** From then on `window` messages are under way, 0 for an idle connection. */
async function openClient({ port, window }: Load, message: Buffer): Promise<Socket> {
  const socket = await switchedClient(port, requestFor("/"));
  socket.on("close", () => closing || reply({ broken: "the proxy closed a connection" }));
  countMessages(socket, message.length - MASK.length, (messages) => {
    echoed += messages;
    socket.write(repeated(message, messages));
  });
  if (window > 0) socket.write(repeated(message, window));
  return socket;
}

async function shakeHand({ port, path }: Handshakes, token: string | undefined): Promise<void> {
  const socket = await switchedClient(port, requestFor(path, token));
  socket.write(NORMAL_CLOSE);
  await once(socket, "close");
}

async function shakeHands(wanted: Handshakes): Promise<void> {
  const { count, underWay, tokens } = wanted;
  size = undefined;
  let begun = 0;
  const hand = async (): Promise<void> => {
    while (begun < count) await shakeHand(wanted, tokens[begun++ % tokens.length]);
  };
  await Promise.all(Array.from({ length: underWay }, hand));
  reply({ shaken: true });
}

async function open(wanted: Load): Promise<void> {
  ({ size } = wanted);
  closing = false;
  echoed = 0;
  const message = maskFrame(textFrame(messageOf(wanted.size)), MASK);
  for (let opened = 0; opened < wanted.connections; opened += 50) {
    const batch = Math.min(50, wanted.connections - opened);
    clients.push(...(await Promise.all(Array.from({ length: batch }, () => openClient(wanted, message)))));
  }
  reply({ opened: true });
}

const breaks = (error: unknown): void => reply({ broken: String(error) });

process.on("message", (request: PeersRequest) => {
  if ("open" in request) {
    open(request.open).catch(breaks);
  } else if ("shake" in request) {
    shakeHands(request.shake).catch(breaks);
  } else if ("count" in request) {
    reply({ counted: echoed });
  } else {
    closing = true;
    for (const socket of clients) socket.destroy();
    clients = [];
    reply({ closed: true });
  }
});
process.on("disconnect", () => process.exit());
backend.listen(0, "127.0.0.1", () => reply({ backend: (backend.address() as AddressInfo).port }));
