import { setInterval } from "node:timers";
import { describe, expect, it } from "@jest/globals";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, parseReply, rawConnect, rawRequest } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();

const requestLimits = { headTimeout: 300, maxHeadBytes: 4096, keepAliveTimeout: 300, checkInterval: 50 };

async function setUp() {
  const echo = await rig.backend();
  return rig.gateway({ backends: { [CHAT]: [echo.port] }, gateway: { requestLimits } });
}

describe("C12: a request that does not arrive as it should", () => {
  it("trickles in: 408 within the bound", async () => {
    const holdfast = await setUp();
    const client = rig.use(await rawConnect(holdfast.port), ({ socket }) => socket.destroy());
    const text = handshakeText({ headers: { "X-Long": "a".repeat(1000) } });
    let sent = 0;
    const started = performance.now();
    const timer = setInterval(() => client.socket.write(text[sent++] ?? ""), 10);
    rig.use(timer, clearInterval);
    const reply = parseReply(await client.rest());
    expect(performance.now() - started).toBeLessThan(5 * requestLimits.headTimeout);
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([408, "HandshakeTimeout"]);
    expect(reply.headers.get("connection")).toBe("close");
    expect(await holdfast.metric("holdfast_handshakes_total", { code: "408" })).toBe(1);
  });

  it("has headers that are too large: 431", async () => {
    const holdfast = await setUp();
    const headers = { "X-Large": "a".repeat(2 * requestLimits.maxHeadBytes) };
    const reply = await rawRequest(holdfast.port, handshakeText({ headers }));
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([431, "HeadersTooLarge"]);
  });

  it("has headers that never end: 431, and the rest is not read for ever", async () => {
    const holdfast = await setUp();
    const client = rig.use(await rawConnect(holdfast.port), ({ socket }) => socket.destroy());
    client.socket.write("GET / HTTP/1.1\r\n");
    const flood = (): void => {
      while (!client.socket.destroyed && client.socket.write(`X-${"a".repeat(10_000)}: b\r\n`));
    };
    client.socket.on("drain", flood);
    flood();
    const reply = parseReply(await client.rest());
    expect(reply.status).toBe(431);
  });

  it("does not come at all: closed without a word", async () => {
    const holdfast = await setUp();
    const client = rig.use(await rawConnect(holdfast.port), ({ socket }) => socket.destroy());
    const started = performance.now();
    expect(await client.rest()).toHaveLength(0);
    expect(performance.now() - started).toBeLessThan(5 * requestLimits.headTimeout);
    expect(await holdfast.metric("holdfast_handshakes_total")).toBe(0);
  });

  it("is no HTTP: 400", async () => {
    const holdfast = await setUp();
    const reply = await rawRequest(holdfast.port, "\x16\x03\x01 hello\r\n\r\n");
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([400, "BadRequest"]);
  });

  it("comes in small pieces but in time: 101", async () => {
    const holdfast = await setUp();
    const client = rig.use(await rawConnect(holdfast.port), ({ socket }) => socket.destroy());
    const text = handshakeText();
    const half = text.length / 2;
    client.socket.write(text.slice(0, half), () => client.socket.write(text.slice(half)));
    expect(await client.head()).toContain(" 101 ");
  });
});
