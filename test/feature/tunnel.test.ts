import { afterEach, describe, expect, it } from "@jest/globals";
import { bucketShape } from "../../gateway/limits/bucket.ts";
import { Meter } from "../../gateway/limits/meter.ts";
import { binaryFrame, closeFrame, maskFrame, textFrame } from "../../gateway/tunnel/frames.ts";
import { eventually } from "../support/eventually.ts";
import { openInspectedRig } from "../support/inspected-rig.ts";
import { closeRigs, openRig } from "../support/tunnel-rig.ts";

afterEach(closeRigs);

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
const KEY = hex("01020304");
const HELLO = "81 85 37fa213d 7f9f4d5158";
const hello = hex(HELLO);

/** What holds for both kinds of proxied connection. */
const KINDS = [
  { kind: "a tunnel", openRig },
  { kind: "an inspected connection", openRig: openInspectedRig },
];

/** The code of a masked Close frame. */
function maskedCloseCode(frame: Buffer): number {
  expect(frame[0]).toBe(0x88);
  expect(frame[1]).toBe(0x82);
  return frame.readUInt16BE(6) ^ frame.readUInt16BE(2);
}

describe("a tunnel", () => {
  it("passes bytes both ways as they came, and counts them", async () => {
    const { client, backend, session } = await openRig();
    client.send(HELLO);
    expect(await backend.got(11)).toEqual(hello);
    backend.send("01 03 48656c 80 02 6c6f");
    expect(await client.got(9)).toEqual(hex("01 03 48656c 80 02 6c6f"));
    expect(session.fromClient).toMatchObject({ messages: 1, bytes: 11 });
    expect(session.toClient).toMatchObject({ messages: 1, bytes: 9 });
  });

  it("passes what came behind the handshakes first", async () => {
    const { client, backend } = await openRig({ clientHead: hello, backendHead: textFrame("one") });
    client.send(HELLO);
    backend.send(textFrame("two"));
    expect(await backend.got(22)).toEqual(Buffer.concat([hello, hello]));
    expect(await client.got(10)).toEqual(Buffer.concat([textFrame("one"), textFrame("two")]));
  });

  it("carries megabytes both ways at once without a byte changed", async () => {
    const { client, backend, session } = await openRig({
      limits: { maxMessageSize: 1 << 20, maxQueuedBytes: 1 << 20, onSlowClient: "Pause" },
    });
    const message = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
    const up = Buffer.concat(Array<Buffer>(40).fill(maskFrame(binaryFrame(message), KEY)));
    const down = Buffer.concat(Array<Buffer>(40).fill(binaryFrame(message)));
    client.send(up);
    backend.send(down);
    expect((await backend.got(up.length)).equals(up)).toBe(true);
    expect((await client.got(down.length)).equals(down)).toBe(true);
    expect(session.fromClient.messages).toBe(40);
    expect(session.toClient.messages).toBe(40);
  });

  it("gives back the memory of what it has passed, and of nothing that still waits", async () => {
    const chunks: Buffer[] = [];
    const { client, backend } = await openRig(
      { limits: { maxMessageSize: 1 << 20, maxQueuedBytes: 1 << 24, onSlowClient: "Close" } },
      (sockets) => void sockets.backend.on("data", (chunk: Buffer) => chunks.push(chunk)),
    );
    backend.send(binaryFrame(Buffer.alloc(10_000, 1)));
    await client.got(10_004);
    expect(chunks.map(({ length }) => length)).toEqual(chunks.map(() => 0));

    client.socket.pause();
    const message = binaryFrame(Buffer.alloc(60_000, 2));
    const stream = Buffer.concat(Array<Buffer>(150).fill(message));
    backend.send(stream);
    await eventually("a chunk that waits", () => chunks.some(({ length }) => length > 0));
    client.socket.resume();
    expect((await client.got(10_004 + stream.length)).subarray(10_004).equals(stream)).toBe(true);
  });

  it("keeps what a rate holds back", async () => {
    const shape = bucketShape({ rate: 1, interval: 50, burst: 1 });
    const rule = { policy: "messages.perConnection", unit: "messages", shape, onExceeded: "Throttle" } as const;
    const meter = new Meter({ rules: [{ rule }], now: Date.now(), onExceeded: () => undefined });
    const { client, backend } = await openRig({ meter });
    client.send(Buffer.concat([hello, hello, hello]));
    expect(await backend.got(33)).toEqual(Buffer.concat([hello, hello, hello]));
  });

  it("holds time of the last data and of the last byte apart", async () => {
    const clock = { time: 1000, now: () => clock.time };
    const { client, backend, session } = await openRig({ clock });
    clock.time = 2000;
    client.send("89 80 00000000");
    await backend.got(6);
    expect(session).toMatchObject({ lastHeardAt: 2000, lastMessageAt: 1000 });
    clock.time = 3000;
    backend.send(textFrame("x"));
    await client.got(3);
    expect(session).toMatchObject({ lastHeardAt: 2000, lastMessageAt: 3000 });
  });
});

describe("a tunnel inserts", () => {
  it("a ping at once between frames, and behind the frame in progress otherwise", async () => {
    const { client, backend, session } = await openRig();
    session.ping();
    expect(await client.got(2)).toEqual(hex("89 00"));
    backend.send("81 03 61");
    await client.got(5);
    session.ping();
    backend.send("62 63 81 01 64");
    expect(await client.got(12)).toEqual(hex("89 00 81 03 616263 89 00 81 01 64"));
  });

  it("a ping between fragments but a message only behind the last one", async () => {
    const { client, backend, session } = await openRig();
    backend.send("01 02 61");
    await client.got(3);
    expect(session.push(textFrame("new"))).toBe(true);
    session.ping();
    backend.send("62 80 01 63 81 01 64");
    expect(await client.got(17)).toEqual(hex("01 02 6162 89 00 80 01 63 81 03 6e6577 81 01 64"));
  });

  it("a message while a header is held back, and the rest behind it", async () => {
    const { client, backend, session } = await openRig();
    backend.send("81 01 61 81");
    await client.got(3);
    session.push(textFrame("new"));
    backend.send("01 62");
    expect(await client.got(11)).toEqual(hex("81 01 61 81 03 6e6577 81 01 62"));
  });

  it("nothing behind a Close", async () => {
    const { client, backend, session } = await openRig();
    backend.send(closeFrame(1000));
    await client.got(4);
    expect(session.push(textFrame("late"))).toBe(false);
    session.ping();
    client.send(maskFrame(closeFrame(1000), KEY));
    await backend.got(8);
    expect(client.received).toEqual(closeFrame(1000));
  });
});

describe.each(KINDS)("$kind and the Close handshake", ({ openRig }) => {
  it.each([1000, 1001, 4001])("from the client with %d", async (code) => {
    const { client, backend, ended } = await openRig();
    client.send(maskFrame(closeFrame(code), KEY));
    expect(await backend.got(8)).toEqual(maskFrame(closeFrame(code), KEY));
    backend.send(closeFrame(code));
    backend.socket.end();
    expect(await client.got(4)).toEqual(closeFrame(code));
    client.socket.end();
    expect(await ended).toEqual({ reason: "ClientClosed", code });
  });

  it("from the backend, and the gateway closes TCP towards the client first", async () => {
    const { client, backend, ended } = await openRig({ closeWithin: 60_000 });
    client.socket.once("end", () => client.socket.end());
    backend.send(closeFrame(1012, "soon back"));
    await client.got(closeFrame(1012, "soon back").length);
    client.send(maskFrame(closeFrame(1012), KEY));
    await backend.got(8);
    backend.socket.end();
    expect(await ended).toEqual({ reason: "BackendClosed", code: 1012 });
  });

  it("without a code is told as 1005", async () => {
    const { client, backend, ended } = await openRig();
    client.send("88 80 01020304");
    await backend.got(6);
    backend.send("88 00");
    backend.socket.end();
    client.socket.end();
    expect(await ended).toEqual({ reason: "ClientClosed", code: 1005 });
  });

  it("that nobody answers ends within the bound", async () => {
    const { client, ended, gatewaySockets } = await openRig({ closeWithin: 50 });
    client.send(maskFrame(closeFrame(1000), KEY));
    expect(await ended).toEqual({ reason: "ClientClosed", code: 1000 });
    expect(gatewaySockets.client.destroyed && gatewaySockets.backend.destroyed).toBe(true);
  });

  it("that the backend answers with a FIN alone is answered to the client by the gateway", async () => {
    const { client, backend, ended } = await openRig();
    client.send(maskFrame(closeFrame(1000), KEY));
    await backend.got(8);
    backend.socket.end();
    expect(await client.got(4)).toEqual(closeFrame(1000));
    client.socket.end();
    expect(await ended).toEqual({ reason: "ClientClosed", code: 1000 });
  });
});

describe("a tunnel that the gateway closes", () => {
  it("tells both sides, each with its code, and waits for the client's answer", async () => {
    const { client, backend, session, ended } = await openRig({ closeWithin: 60_000 });
    session.close("Draining");
    session.close("IdleTimeout");
    expect(await client.got(19)).toEqual(closeFrame(1012, "service restart"));
    expect(maskedCloseCode(await backend.got(8))).toBe(1001);
    backend.send(closeFrame(1001));
    backend.socket.end();
    client.send(HELLO);
    client.send(maskFrame(closeFrame(1012), KEY));
    client.socket.once("end", () => client.socket.end());
    expect(await ended).toEqual({ reason: "Draining", code: 1012 });
    expect(backend.received).toHaveLength(8);
    expect(client.received).toHaveLength(19);
  });

  it("waits for the boundary on each side, and drops what comes behind", async () => {
    const { client, backend, session } = await openRig();
    client.send("81 85 37fa213d 7f");
    backend.send("81 03 61");
    await backend.got(7);
    await client.got(3);
    session.close("MaxLifetime");
    client.send("9f4d5158 81 80 00000000");
    backend.send("62 63 81 01 64");
    const close = closeFrame(1001, "maximum lifetime reached");
    expect(await client.got(5 + close.length)).toEqual(Buffer.concat([textFrame("abc"), close]));
    const told = await backend.got(19);
    expect(told.subarray(0, 11)).toEqual(hello);
    expect(maskedCloseCode(told.subarray(11))).toBe(1001);
  });

  it("is destroyed within the bound when nobody answers; no Close got through within a frame", async () => {
    const { client, backend, session, ended } = await openRig({ closeWithin: 50 });
    backend.send("81 03 61");
    await client.got(3);
    session.close("IdleTimeout");
    expect(await ended).toEqual({ reason: "IdleTimeout", code: 1006 });
    expect(client.received).toEqual(hex("81 03 61"));
  });

  it("is destroyed at once on demand", async () => {
    const { session, ended, gatewaySockets } = await openRig();
    session.destroy("KeepAliveTimeout");
    expect(await ended).toEqual({ reason: "KeepAliveTimeout", code: 1006 });
    expect(gatewaySockets.client.destroyed && gatewaySockets.backend.destroyed).toBe(true);
  });

  it("keeps the first reason when it is destroyed while it closes", async () => {
    const { session, ended } = await openRig();
    session.close("Draining");
    session.destroy("InternalError");
    expect(await ended).toEqual({ reason: "Draining", code: 1012 });
  });
});
