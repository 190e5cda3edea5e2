/**
 * A small chat: every message goes to everybody. It knows nothing of the gateway but one header, Holdfast-Connection-Id,
 * which it shows to people; a real backend would use it to find a client's state again after a reconnect.
 *
 *   node examples/chat/server.ts      (CHAT_PORT, default 3000; CHAT_HOST, default 127.0.0.1)
 */
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { type FromClient, readMessage, type Said, type ToClient } from "./messages.ts";

const RECENT = 30;
const MAX_MESSAGE_BYTES = 16 * 1024;
/** Bytes that may wait for somebody who does not read, before they are let go. */
const MAX_WAITING_BYTES = 1024 * 1024;

const page = readFileSync(new URL("index.html", import.meta.url));
/** Who has said hello, and under which name. */
const people = new Map<WebSocket, string>();
const recent: Said[] = [];

function names(): string[] {
  return [...people.values()].sort((a, b) => a.localeCompare(b));
}

function tell(socket: WebSocket, message: ToClient): void {
  if (socket.bufferedAmount > MAX_WAITING_BYTES) socket.terminate();
  else if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function tellEverybody(message: ToClient): void {
  for (const socket of people.keys()) tell(socket, message);
}

function enter(socket: WebSocket, name: string, connectionId: string | undefined): void {
  const before = people.get(socket);
  people.set(socket, name);
  if (before === undefined) {
    const id = connectionId === undefined ? {} : { connectionId };
    tell(socket, { type: "welcome", name, ...id, people: names(), recent });
    tellEverybody({ type: "joined", name, people: names() });
  } else if (before !== name) {
    tellEverybody({ type: "renamed", from: before, name, people: names() });
  }
}

function say(socket: WebSocket, text: string): void {
  const name = people.get(socket);
  if (name === undefined) return;
  const said: Said = { type: "said", name, text, at: Date.now() };
  recent.push(said);
  if (recent.length > RECENT) recent.shift();
  tellEverybody(said);
}

function leave(socket: WebSocket): void {
  const name = people.get(socket);
  people.delete(socket);
  if (name !== undefined) tellEverybody({ type: "left", name, people: names() });
}

function connected(socket: WebSocket, request: IncomingMessage): void {
  const connectionId = request.headers["holdfast-connection-id"]?.toString();
  socket.on("error", () => {}); // `close` follows
  socket.on("close", () => leave(socket));
  socket.on("message", (data) => {
    const message: FromClient | undefined = readMessage(data.toString());
    if (message === undefined) socket.close(1008, "not a chat message");
    else if (message.type === "hello") enter(socket, message.name, connectionId);
    else say(socket, message.text);
  });
}

function servePage(request: IncomingMessage, response: ServerResponse): void {
  const path = request.url?.split("?", 1)[0];
  if (path !== "/" || (request.method !== "GET" && request.method !== "HEAD")) {
    response.writeHead(404, { "Content-Type": "text/plain" }).end("The chat is at /\n");
    return;
  }
  const headers = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy":
      "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; connect-src ws: wss:",
    "X-Content-Type-Options": "nosniff",
  };
  response.writeHead(200, headers).end(page);
}

const server = createServer(servePage);
const sockets = new WebSocketServer({ server, maxPayload: MAX_MESSAGE_BYTES });
sockets.on("connection", connected);
server.listen(Number(process.env.CHAT_PORT ?? 3000), process.env.CHAT_HOST ?? "127.0.0.1", () => {
  const { address, port } = server.address() as AddressInfo;
  console.log(`the chat listens on http://${address}:${port}/`);
});

function stop(): void {
  for (const socket of sockets.clients) socket.close(1012, "service restart");
  server.close();
  server.closeIdleConnections();
  setTimeout(() => process.exit(0), 2_000).unref();
}
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
