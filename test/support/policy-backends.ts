/** The backends of the policy table: one that does what its clients tell it, and those that fail in each of their ways. */
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

export interface PolicyBackends {
  /** Port by the name of the Service; what has none has no endpoint. */
  readonly ports: Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

const FLOOD_MESSAGES = 512;
const FLOOD_MESSAGE_BYTES = 128 * 1024;
/** A final text frame without payload and with a bit that nobody has negotiated. */
const BAD_FRAME = Buffer.from("f100", "hex");
/** Two bytes of five. */
const CUT_FRAME = Buffer.from("81056865", "hex");
const SEEN_HEADERS = ["x-gateway", "x-debug", "x-user-id"];

/** Starts all of them at `host`. */
export async function startPolicyBackends(host: string): Promise<PolicyBackends> {
  const sockets = new Set<Socket>();
  const obedient = new WebSocketServer({ noServer: true, handleProtocols: (offered) => [...offered][0] ?? false });
  const chat = createHttpServer().on("upgrade", (request, socket, head) =>
    obedient.handleUpgrade(request, socket, head, (client) => {
      const { url, headers } = request;
      const seen = {
        url,
        host: headers.host,
        ...Object.fromEntries(SEEN_HEADERS.map((name) => [name, headers[name] ?? null])),
      };
      client.on("error", () => undefined);
      client.on("message", (data) =>
        obey(client, String(data), { seen: JSON.stringify(seen), socket: request.socket }),
      );
    }),
  );
  const answering = (text: string) => createServer((socket) => void socket.once("data", () => socket.end(text)));
  const servers: Record<string, Server> = {
    chat,
    silent: createServer(),
    "bad-101": answering(
      "HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n",
    ),
    rejecting: answering("HTTP/1.1 418 Teapot\r\nContent-Length: 6\r\nConnection: close\r\n\r\nshort."),
    closed: createServer(),
  };
  const ports: Record<string, number> = {};
  for (const [name, server] of Object.entries(servers)) {
    server.on("connection", (socket: Socket) => {
      sockets.add(socket.on("error", () => undefined));
    });
    server.listen(0, host);
    await once(server, "listening");
    ports[name] = (server.address() as AddressInfo).port;
  }
  await close(servers.closed as Server);
  return {
    ports,
    async stop() {
      for (const socket of sockets) socket.destroy();
      const open = Object.values(servers).filter(({ listening }) => listening);
      await Promise.all(open.map(close));
    },
  };
}

async function close(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}

interface Asked {
  /** What the handshake looked like from here. */
  readonly seen: string;
  readonly socket: Socket;
}

function obey(client: WebSocket, text: string, { seen, socket }: Asked): void {
  const [command, argument] = text.split(" ");
  if (command === "seen") client.send(seen);
  else if (command === "size") client.send("x".repeat(Number(argument)));
  else if (command === "close") client.close(Number(argument));
  else if (command === "die") socket.destroy();
  else if (command === "bad") socket.write(BAD_FRAME);
  else if (command === "cut") socket.end(CUT_FRAME);
  else if (command === "flood") flood(client);
  else client.send(text);
}

function flood(client: WebSocket): void {
  const message = "x".repeat(FLOOD_MESSAGE_BYTES);
  for (let sent = 0; sent < FLOOD_MESSAGES; sent++) client.send(message);
}

export interface TestAuthorizer {
  readonly url: string;
  stop(): Promise<void>;
}

/** An authoriser that allows, denies, fails or says nothing, by the path that it is asked at. */
export async function startAuthorizer(): Promise<TestAuthorizer> {
  const server = createHttpServer(({ url }, response) => {
    if (url === "/allow") response.writeHead(204, { "X-User-Id": "bob" }).end();
    else if (url === "/deny") response.writeHead(401, { "WWW-Authenticate": "Cookie" }).end("log in first");
    else if (url === "/broken") response.writeHead(500).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async stop() {
      server.closeAllConnections();
      await close(server);
    },
  };
}
