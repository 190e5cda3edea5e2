/** C14 on inspected connections: an invalid frame or payload ends the connection, and the backend never sees any of it. */
import { deflateRawSync } from "node:zlib";
import { afterEach, describe, expect, it } from "@jest/globals";
import { binaryFrame, closeFrame, maskFrame, textFrame } from "../../../gateway/tunnel/frames.ts";
import { eventually } from "../../support/eventually.ts";
import { openInspectedRig } from "../../support/inspected-rig.ts";
import { closeRigs } from "../../support/tunnel-rig.ts";

afterEach(closeRigs);

const KEY = Buffer.from([1, 2, 3, 4]);
const NO_KEY = Buffer.alloc(4);
const masked = (frame: Buffer) => maskFrame(frame, NO_KEY);
const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

/** Payloads of whole frames that a server got, unmasked. */
function payloads(bytes: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = (bytes[at + 1] as number) & 0x7f;
    const key = bytes.subarray(at + 2, at + 6);
    const payload = Buffer.from(bytes.subarray(at + 6, at + 6 + length));
    for (const [index, byte] of payload.entries()) payload[index] = byte ^ (key[index & 3] as number);
    found.push((bytes[at] as number) === 0x88 ? `close ${payload.readUInt16BE(0)}` : payload.toString());
    at += 6 + length;
  }
  return found;
}

describe("from the client", () => {
  it.each([
    ["RSV1 without compression", hex("c1 80 00000000"), 1002],
    ["RSV2", hex("a1 80 00000000"), 1002],
    ["an unknown opcode", hex("83 80 00000000"), 1002],
    ["an unmasked frame", textFrame("a"), 1002],
    ["a length over 2^53", hex("81 ff 0020000000000000 00000000"), 1002],
    ["a control frame over 125", hex("89 fe 007e 00000000"), 1002],
    ["a fragmented ping", hex("09 80 00000000"), 1002],
    ["a continuation of nothing", hex("80 80 00000000"), 1002],
    ["a message within a message", hex("01 80 00000000 81 80 00000000"), 1002],
    ["a Close with half a code", hex("88 81 00000000 03"), 1002],
    ["text that is no UTF-8", masked(binaryFrame(hex("c3 28"))).fill(0x81, 0, 1), 1007],
    ["text cut within a character", masked(binaryFrame(hex("e2 82"))).fill(0x81, 0, 1), 1007],
    ["a surrogate", masked(binaryFrame(hex("ed a0 80"))).fill(0x81, 0, 1), 1007],
    ["a text whose fragments make no UTF-8", hex("01 81 00000000 c3 80 81 00000000 28"), 1007],
    ["one byte too many", masked(textFrame("a".repeat(1025))), 1009],
  ])("%s", async (_name, bytes, code) => {
    const { client, backend, ended } = await openInspectedRig({
      limits: { maxMessageSize: 1024, maxQueuedBytes: 1 << 20, onSlowClient: "Close" },
    });
    client.send(Buffer.concat([maskFrame(textFrame("good"), KEY), bytes, maskFrame(textFrame("late"), KEY)]));
    await eventually("the client is told", () => client.received.length >= 4);
    expect(client.received[0]).toBe(0x88);
    expect(client.received.readUInt16BE(2)).toBe(code);
    await eventually("the backend is told", () => payloads(backend.received).length === 2);
    expect(payloads(backend.received)).toEqual(["good", "close 1001"]);
    client.socket.end();
    backend.send(closeFrame(1001));
    backend.socket.end();
    expect(await ended).toMatchObject({ code });
  });

  it("what the characters of a split text make is whole again", async () => {
    const { client, backend } = await openInspectedRig();
    client.send("01 82 00000000 e2 82");
    client.send("80 81 00000000 ac");
    await eventually("the message is whole", () => backend.received.length > 0);
    expect(payloads(backend.received)).toEqual(["€"]);
  });
});

it("a backend's bad UTF-8 is not passed on: the client is told 1014, the backend 1002", async () => {
  const { client, backend } = await openInspectedRig();
  backend.send("81 02 c3 28");
  await eventually("the client is told", () => client.received.length >= 4);
  expect(client.received.readUInt16BE(2)).toBe(1014);
  await eventually("the backend is told", () => backend.received.length === 8);
  expect(payloads(backend.received)).toEqual(["close 1002"]);
});

describe("compressed (C15)", () => {
  const limits = { maxMessageSize: 10_000, maxQueuedBytes: 1 << 20, onSlowClient: "Close" } as const;
  const deflate = { client: true, backend: false };
  const compressed = (payload: Buffer) => {
    const frame = masked(binaryFrame(deflateRawSync(payload, { finishFlush: 2 }).subarray(0, -4)));
    frame[0] = 0xc1;
    return frame;
  };

  it.each([
    ["a bomb of a gigabyte's kind", compressed(Buffer.alloc(5_000_000)), 1009],
    ["one byte too many, inflated", compressed(Buffer.alloc(10_001, "a")), 1009],
    ["what is no deflate", hex("c1 83 00000000 ffffff"), 1007],
    ["bad UTF-8, inflated", compressed(hex("c328")), 1007],
    ["RSV1 on a continuation", hex("01 80 00000000 c0 80 00000000"), 1002],
  ])("%s", async (_name, bytes, code) => {
    const { client, backend } = await openInspectedRig({ limits, deflate });
    client.send(bytes);
    await eventually("the client is told", () => client.received.length >= 4);
    expect(client.received.readUInt16BE(2)).toBe(code);
    await eventually("the backend is told", () => backend.received.length === 8);
    expect(payloads(backend.received)).toEqual(["close 1001"]);
  });

  it("many bombs that each fit are worked on as the backend takes them", async () => {
    const { client, backend, session, gatewaySockets } = await openInspectedRig({
      limits: { ...limits, maxMessageSize: 1 << 20 },
      deflate,
    });
    const count = 40;
    backend.socket.pause();
    const bomb = compressed(Buffer.alloc(1 << 20, "a"));
    client.send(Buffer.concat(Array<Buffer>(count).fill(bomb)));
    await eventually("the gateway stops", () => client.socket.writableLength === 0 && session.fromClient.messages > 0);
    expect(gatewaySockets.backend.writableLength).toBeLessThan(3 << 20);
    let got = 0;
    backend.socket.on("data", (chunk: Buffer) => {
      got += chunk.length;
    });
    backend.socket.resume();
    await eventually("all of them", () => got === count * (14 + (1 << 20)), 15_000);
  });
});
