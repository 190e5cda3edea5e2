// Both far ends of the proxies under test, in one process of its own: an echoing WebSocket backend, and many clients that
// keep a window of messages under way. Speaks frames by hand, because only the proxy's CPU is to be measured.
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { acceptFor } from "../../gateway/backend/switching.ts";
import { maskFrame, textFrame } from "../../gateway/tunnel/frames.ts";

export type PeersRequest =
  | {
      readonly open: {
        readonly port: number;
        readonly connections: number;
        readonly size: number;
        readonly window: number;
      };
    }
  | { readonly count: true }
  | { readonly close: true };
export type PeersReply =
  | { readonly backend: number }
  | { readonly opened: true }
  | { readonly counted: number }
  | { readonly closed: true }
  | { readonly broken: string };

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const REQUEST =
  "GET / HTTP/1.1\r\nHost: bench.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`;
const END_OF_HEAD = "\r\n\r\n";
const MASK = Uint8Array.of(1, 2, 3, 4);

let size = 0;
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
function countMessages(socket: Socket, length: () => number, onMessages: (messages: number) => void): void {
  let left = 0;
  socket.on("data", (chunk: Buffer) => {
    left += chunk.length;
    const messages = Math.floor(left / length());
    left -= messages * length();
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

const backend = createServer((socket) => {
  socket.setNoDelay(true).on("error", () => undefined);
  readHead(socket, (head) => {
    const key = /^sec-websocket-key: *(.*?) *$/im.exec(head)?.[1] ?? "";
    const frame = textFrame(messageOf(size));
    const length = frame.length + MASK.length;
    countMessages(
      socket,
      () => length,
      (messages) => void socket.write(repeated(frame, messages)),
    );
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`,
    );
  });
});

/** Resolves when the proxy has switched; from then on `window` messages are under way, 0 for an idle connection. */
function openClient(port: number, window: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", reject).on("close", () => closing || reply({ broken: "the proxy closed a connection" }));
  socket.write(REQUEST);
  readHead(socket, (head) => {
    if (!head.startsWith("HTTP/1.1 101")) return reject(new Error(head));
    const frame = maskFrame(textFrame(messageOf(size)), MASK);
    const answer = frame.length - MASK.length;
    countMessages(
      socket,
      () => answer,
      (messages) => {
        echoed += messages;
        socket.write(repeated(frame, messages));
      },
    );
    if (window > 0) socket.write(repeated(frame, window));
    resolve(socket);
  });
  return promise;
}

async function open({ open: wanted }: Extract<PeersRequest, { open: unknown }>): Promise<void> {
  ({ size } = wanted);
  closing = false;
  echoed = 0;
  for (let opened = 0; opened < wanted.connections; opened += 50) {
    const batch = Math.min(50, wanted.connections - opened);
    clients.push(...(await Promise.all(Array.from({ length: batch }, () => openClient(wanted.port, wanted.window)))));
  }
  reply({ opened: true });
}

process.on("message", (request: PeersRequest) => {
  if ("open" in request) {
    open(request).catch((error: unknown) => reply({ broken: String(error) }));
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
