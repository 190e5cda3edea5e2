import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "@jest/globals";
import { type Dialled, type DialOptions, dial } from "../../gateway/backend/dial.ts";
import { BLACK_HOLE } from "../support/black-hole.ts";
import { freePort } from "../support/free-port.ts";

// RFC 6455 §1.3
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const SWITCH =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
const HEAD = "GET /caf\xe9 HTTP/1.1\r\nHost: x\r\n\r\n";

const servers: Server[] = [];
const sockets: { destroy(): void }[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A backend that calls `answer` once it has the whole request head. */
async function backend(answer: (socket: Socket, request: string) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    let request = "";
    socket.on("error", () => undefined).setEncoding("latin1");
    socket.on("data", (text: string) => {
      const before = request.includes("\r\n\r\n");
      request += text;
      if (!before && request.includes("\r\n\r\n")) answer(socket, request);
    });
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as { port: number }).port;
}

async function dialPort(port: number, options: Partial<DialOptions> = {}): Promise<Dialled> {
  const dialled = await dial({
    endpoint: { address: "127.0.0.1", port },
    head: HEAD,
    key: KEY,
    offered: { protocols: ["chat.v1"], extensions: "permessage-deflate" },
    timeouts: { connect: 5000, handshake: 5000 },
    signal: new AbortController().signal,
    ...options,
  });
  if (dialled.kind === "open") sockets.push(dialled.socket);
  return dialled;
}

describe("dial", () => {
  it("sends the head as it is and opens on a valid 101", async () => {
    let seen = "";
    const port = await backend((socket, request) => {
      seen = request;
      socket.write(`${SWITCH}Sec-WebSocket-Protocol: chat.v1\r\nX-Pod: a\r\n\r\n\x81\x01a`, "latin1");
    });
    const dialled = await dialPort(port);
    expect(seen).toBe(HEAD);
    if (dialled.kind !== "open") throw new Error(dialled.kind);
    expect(dialled).toMatchObject({ protocol: "chat.v1", rsv: 0, head: Buffer.from("\x81\x01a", "latin1") });
    expect(dialled.headers).toContainEqual(["X-Pod", "a"]);
  });

  it("opens on a 101 that trickles in, and loses nothing that comes before somebody reads", async () => {
    const port = await backend(async (socket) => {
      for (const byte of `${SWITCH}\r\n`) {
        socket.write(byte);
        await new Promise((resolve) => setImmediate(resolve));
      }
      socket.end("behind");
    });
    const dialled = await dialPort(port);
    if (dialled.kind !== "open") throw new Error(dialled.kind);
    const chunks = [dialled.head, ...(await dialled.socket.toArray())];
    expect(Buffer.concat(chunks).toString()).toBe("behind");
  });

  it("reads over interim answers, but not over many", async () => {
    const hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    const few = await backend((socket) => socket.write(`${hints}${hints}${SWITCH}\r\n`));
    expect((await dialPort(few)).kind).toBe("open");
    const many = await backend((socket) => socket.write(hints.repeat(100)));
    expect(await dialPort(many)).toEqual({ kind: "failed", reason: "BackendBadHandshake", sent: true });
  });

  it("survives a backend that dies right behind its 101", async () => {
    const port = await backend((socket) => socket.write(`${SWITCH}\r\n`, () => socket.resetAndDestroy()));
    const dialled = await dialPort(port);
    if (dialled.kind !== "open") throw new Error(dialled.kind);
    dialled.socket.resume();
    await new Promise((resolve) => dialled.socket.once("close", resolve));
  });
});

describe("C5: dial and a backend that", () => {
  it("refuses: not sent, so that another one may be tried", async () => {
    expect(await dialPort(await freePort())).toEqual({ kind: "failed", reason: "BackendRefused", sent: false });
  });

  it("does not accept within the connect timeout: not sent", async () => {
    const dialled = await dialPort(3000, {
      endpoint: { address: BLACK_HOLE, port: 3000 },
      timeouts: { connect: 50, handshake: 5000 },
    });
    expect(dialled).toEqual({ kind: "failed", reason: "BackendTimeout", sent: false });
  });

  it("accepts and says nothing: sent", async () => {
    const port = await backend(() => undefined);
    const dialled = await dialPort(port, { timeouts: { connect: 5000, handshake: 50 } });
    expect(dialled).toEqual({ kind: "failed", reason: "BackendTimeout", sent: true });
  });

  it.each([
    ["closes", (socket: Socket) => void socket.end()],
    ["closes within the head", (socket: Socket) => void socket.end(SWITCH)],
    ["resets", (socket: Socket) => void socket.resetAndDestroy()],
  ])("%s without an answer", async (_name, answer) => {
    const port = await backend(answer);
    expect(await dialPort(port)).toEqual({ kind: "failed", reason: "BackendRefused", sent: true });
  });
});

describe("dial and a client that goes away", () => {
  it("while it waits: the backend is hung up on", async () => {
    const gone = Promise.withResolvers<void>();
    const client = new AbortController();
    const port = await backend((socket) => {
      socket.once("end", gone.resolve).once("close", gone.resolve);
      client.abort();
    });
    const dialled = await dialPort(port, { signal: client.signal });
    expect(dialled).toEqual({ kind: "failed", reason: "ClientGone", sent: true });
    await gone.promise;
  });

  it("before it began", async () => {
    const port = await backend(() => undefined);
    const dialled = await dialPort(port, { signal: AbortSignal.abort() });
    expect(dialled).toEqual({ kind: "failed", reason: "ClientGone", sent: false });
  });
});

describe("C7: dial and another answer than 101", () => {
  it("gives it back whole, without tunnelling", async () => {
    const closed = Promise.withResolvers<void>();
    const port = await backend((socket) => {
      socket.once("end", closed.resolve);
      socket.write("HTTP/1.1 403 No Entry\r\nX-Why: full\r\nContent-Length: 4\r\n\r\nno");
      setImmediate(() => socket.write("pe"));
    });
    expect(await dialPort(port)).toEqual({
      kind: "rejected",
      status: 403,
      statusText: "No Entry",
      headers: [
        ["X-Why", "full"],
        ["Content-Length", "4"],
      ],
      body: Buffer.from("nope"),
    });
    await closed.promise;
  });

  it.each([
    ["chunked", "Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\n2\r\npe\r\n0\r\n\r\n"],
    ["ended by FIN", "\r\nnope"],
  ])("reads a body that is %s", async (_name, rest) => {
    const port = await backend((socket) => socket.end(`HTTP/1.1 200 OK\r\n${rest}`));
    expect(await dialPort(port)).toMatchObject({ kind: "rejected", status: 200, body: Buffer.from("nope") });
  });

  it("does not wait for a body for ever", async () => {
    const port = await backend((socket) => socket.write("HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\nno"));
    const dialled = await dialPort(port, { timeouts: { connect: 5000, handshake: 50 } });
    expect(dialled).toEqual({ kind: "failed", reason: "BackendTimeout", sent: true });
  });

  it("takes no endless body", async () => {
    const port = await backend((socket) => {
      const more = (error?: Error | null): void => {
        if (!error) socket.write("a".repeat(65_536), more);
      };
      socket.write("HTTP/1.1 200 OK\r\n\r\n", more);
    });
    const dialled = await dialPort(port);
    expect(dialled).toMatchObject({ kind: "rejected", body: { length: 65_536 } });
  });
});

describe("C8: dial and a 101 that nobody asked for", () => {
  it.each([
    ["a wrong accept value", SWITCH.replace("s3p", "xxx")],
    ["a protocol nobody offered", `${SWITCH}Sec-WebSocket-Protocol: other\r\n`],
    ["an extension nobody offered", `${SWITCH}Sec-WebSocket-Extensions: other\r\n`],
    ["something that is not HTTP", "hello\r\n"],
    ["an endless head", `${SWITCH}X: ${"a".repeat(20_000)}\r\n`],
  ])("%s", async (_name, head) => {
    const port = await backend((socket) => socket.write(`${head}\r\n`));
    expect(await dialPort(port)).toEqual({ kind: "failed", reason: "BackendBadHandshake", sent: true });
  });
});
