import { describe, expect, it } from "@jest/globals";
import { maskFrame, textFrame } from "../../../gateway/tunnel/frames.ts";
import { eventually } from "../../support/eventually.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, rawConnect } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();
const KEY = Buffer.from("37fa213d", "hex");

/** A fragment that is not the last of its message. */
function fragment(opcode: number, payload: string): Buffer {
  const frame = textFrame(payload);
  frame[0] = opcode;
  return maskFrame(frame, KEY);
}

async function rawClient(port: number) {
  const client = rig.use(await rawConnect(port), ({ socket }) => socket.destroy());
  client.socket.write(handshakeText());
  await client.head();
  return client;
}

describe("C15: a message of endless tiny fragments", () => {
  it.each([
    ["empty", ""],
    ["one byte", "x"],
  ])("%s: 1008, long before the size of a message would end it", async (_, payload) => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({ backends: { [CHAT]: [echo.port] } });
    const client = await rawClient(holdfast.port);
    const many = Buffer.concat(Array.from({ length: 500 }, () => fragment(0x0, payload)));
    client.socket.write(fragment(0x1, "begin"));
    const ended = new Promise((resolve) => client.socket.once("end", resolve));
    for (let sent = 0; sent < 3_000; sent += 500) client.socket.write(many);
    await ended;
    const close = client.received().subarray(client.received().indexOf("\r\n\r\n") + 4);
    expect([close[0], close.readUInt16BE(2), close.subarray(4).toString()]).toEqual([
      0x88,
      1008,
      "too many small fragments",
    ]);
    expect(await holdfast.line("connection")).toMatchObject({ reason: "TooManyFragments", messagesFromClient: 0 });
  });

  it("as many that carry something pass", async () => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({ backends: { [CHAT]: [echo.port] } });
    const client = await rig.client(holdfast.url(), { perMessageDeflate: false });
    const part = "x".repeat(64);
    const got: string[] = [];
    client.socket.on("message", (data: Buffer) => void got.push(data.toString()));
    for (let sent = 1; sent < 1_020; sent += 1) client.socket.send(part, { fin: false });
    client.socket.send(part, { fin: true });
    await eventually("the message is back", () => got.length === 1);
    expect(got[0]).toHaveLength(1_020 * 64);
  });
});
