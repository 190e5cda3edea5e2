/** C14 in tunnels: an invalid frame ends the connection, and the backend never sees any of it. */
import { afterEach, describe, expect, it } from "@jest/globals";
import { closeFrame } from "../../../gateway/tunnel/frames.ts";
import { eventually } from "../../support/eventually.ts";
import { closeRigs, openRig } from "../../support/tunnel-rig.ts";

afterEach(closeRigs);

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
const hello = hex("81 85 37fa213d 7f9f4d5158");

function maskedCloseCode(frame: Buffer): number {
  expect([...frame.subarray(0, 2)]).toEqual([0x88, 0x82]);
  return frame.readUInt16BE(6) ^ frame.readUInt16BE(2);
}

describe("an invalid frame", () => {
  it.each([
    ["unmasked", "81 01 61"],
    ["RSV1", "c1 81 00000000 61"],
    ["RSV2", "a1 81 00000000 61"],
    ["a reserved opcode", "83 81 00000000 61"],
    ["a length over 2^53", "82 ff 8000000000000000 00000000"],
    ["a control frame over 125 bytes", "89 fe 007e 00000000"],
    ["a bare continuation", "80 81 00000000 61"],
    ["a fragmented ping", "09 80 00000000"],
  ])("from the client (%s): 1002, and the backend never sees the frame", async (_name, bad) => {
    const { client, backend, ended } = await openRig();
    client.send(Buffer.concat([hello, hex(bad), hello]));
    expect(await client.got(18)).toEqual(closeFrame(1002, "protocol error"));
    const told = await backend.got(19);
    expect(told.subarray(0, 11)).toEqual(hello);
    expect(maskedCloseCode(told.subarray(11))).toBe(1001);
    await eventually("FIN at the client", () => client.ended);
    client.socket.end();
    backend.socket.end();
    expect(await ended).toEqual({ reason: "ProtocolError", code: 1002 });
    expect(backend.received).toHaveLength(19);
  });

  it("from the client (a message within a message): 1002, and the backend sees the first fragment only", async () => {
    const { client, backend, ended } = await openRig({ closeWithin: 50 });
    const first = hex("01 81 00000000 61");
    client.send(Buffer.concat([first, hex("81 81 00000000 62"), hello]));
    expect(await client.got(18)).toEqual(closeFrame(1002, "protocol error"));
    expect(await ended).toEqual({ reason: "ProtocolError", code: 1002 });
    expect(backend.received.subarray(0, 7)).toEqual(first);
    expect(maskedCloseCode(backend.received.subarray(7))).toBe(1001);
    expect(backend.received).toHaveLength(15);
  });

  it("from the backend: the client gets 1014, the backend 1002", async () => {
    const { client, backend, ended } = await openRig({ closeWithin: 50 });
    backend.send("81 81 00000000 61");
    expect(await client.got(26)).toEqual(closeFrame(1014, "backend protocol error"));
    expect(maskedCloseCode(await backend.got(8))).toBe(1002);
    expect(await ended).toEqual({ reason: "BackendProtocolError", code: 1014 });
  });
});
