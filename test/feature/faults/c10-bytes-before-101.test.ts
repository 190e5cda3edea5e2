import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, expect, it } from "@jest/globals";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, parseReply, rawConnect, rawRequest } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();
/** A masked text frame: "hi". */
const FRAME = "\x81\x82\x00\x00\x00\x00hi";

describe("C10: an upgrade that brings bytes with it", () => {
  it.each([
    ["a Content-Length", `${handshakeText({ headers: { "Content-Length": "5" } })}hello`],
    ["a chunked body", `${handshakeText({ headers: { "Transfer-Encoding": "chunked" } })}5\r\nhello\r\n0\r\n\r\n`],
    ["a frame behind the request", handshakeText() + FRAME],
    ["a second request behind the first", handshakeText() + handshakeText({ target: "/admin" })],
  ])("%s: 400, and the backend sees nothing of it", async (_, text) => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({ backends: { [CHAT]: [echo.port] } });
    const reply = await rawRequest(holdfast.port, text);
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([400, "BodyNotAllowed"]);
    expect(echo.requests).toHaveLength(0);
  });

  it("a long body: the answer comes whole and the connection ends without a reset, which could have eaten it", async () => {
    const holdfast = await rig.gateway({});
    const chunk = Buffer.alloc(20_000);
    const client = await rawConnect(holdfast.port, { allowHalfOpen: true });
    client.socket.write(handshakeText({ headers: { "Content-Length": "100000" } }));
    client.socket.write(chunk);
    const reply = parseReply(await client.rest());
    expect(JSON.parse(reply.body)).toMatchObject({ reason: "BodyNotAllowed" });
    // What a client still sends is read away: a socket that is closed for good would answer it with a reset.
    for (let i = 0; i < 4; i += 1) await new Promise((resolve) => client.socket.write(chunk, resolve));
    const closed = once(client.socket, "close");
    client.socket.end();
    await closed;
    expect(client.failure()).toBeUndefined();
  });

  it("Content-Length: 0 is no body", async () => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({ backends: { [CHAT]: [echo.port] } });
    const client = await rig.client(holdfast.url(), { headers: { "Content-Length": "0" } });
    expect((await client.ask("hello")).toString()).toBe("hello");
  });

  it("a frame while the backend is dialled: 400, and the dial is given up", async () => {
    const silent = rig.use(createServer().listen(0, "127.0.0.1"), (server) => server.close());
    await once(silent, "listening");
    const dialled = once(silent, "connection");
    const { port } = silent.address() as AddressInfo;
    const holdfast = await rig.gateway({ backends: { [CHAT]: [port] } });
    const client = rig.use(await rawConnect(holdfast.port), ({ socket }) => socket.destroy());
    client.socket.write(handshakeText());
    const [backendSocket] = await dialled;
    backendSocket.on("error", () => undefined);
    const gone = once(backendSocket.resume(), "close");
    client.socket.write(FRAME, "latin1");
    const reply = parseReply(await client.rest());
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([400, "BodyNotAllowed"]);
    await gone;
  });
});
