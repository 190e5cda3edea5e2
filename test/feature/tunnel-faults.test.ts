import { afterEach, describe, expect, it } from "@jest/globals";
import { binaryFrame, closeFrame, maskFrame, textFrame } from "../../gateway/tunnel/frames.ts";
import { eventually } from "../support/eventually.ts";
import { closeRigs, openRig } from "../support/tunnel-rig.ts";

afterEach(closeRigs);

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
const KEY = hex("01020304");
const hello = hex("81 85 37fa213d 7f9f4d5158");
const limits = { maxMessageSize: 1 << 20, maxQueuedBytes: 1 << 20, onSlowClient: "Close" } as const;

function maskedCloseCode(frame: Buffer): number {
  expect([...frame.subarray(0, 2)]).toEqual([0x88, 0x82]);
  return frame.readUInt16BE(6) ^ frame.readUInt16BE(2);
}

describe("C2: the client's FIN", () => {
  it("is passed on behind a Close, and what the backend still sends arrives", async () => {
    const { client, backend, ended } = await openRig();
    client.send(hello);
    client.socket.end();
    expect(maskedCloseCode((await backend.got(19)).subarray(11))).toBe(1001);
    await eventually("FIN at the backend", () => backend.ended);
    backend.send(textFrame("last"));
    backend.send(closeFrame(1001));
    backend.socket.end();
    expect(await client.got(10)).toEqual(Buffer.concat([textFrame("last"), closeFrame(1001)]));
    expect(await ended).toEqual({ reason: "ClientLost", code: 1006 });
  });

  it("in mid-frame is passed on bare", async () => {
    const { client, backend } = await openRig();
    client.send(hello.subarray(0, 8));
    client.socket.end();
    await eventually("FIN at the backend", () => backend.ended);
    expect(backend.received).toEqual(hello.subarray(0, 8));
  });

  it("leaves no socket behind when the backend ignores it", async () => {
    const { client, ended, gatewaySockets } = await openRig({ closeWithin: 50 });
    client.socket.end();
    expect(await ended).toEqual({ reason: "ClientLost", code: 1006 });
    expect(gatewaySockets.client.destroyed && gatewaySockets.backend.destroyed).toBe(true);
  });
});

describe("C3: the client's reset", () => {
  it("is told to the backend with 1001", async () => {
    const { client, backend, ended } = await openRig();
    client.socket.resetAndDestroy();
    expect(maskedCloseCode(await backend.got(8))).toBe(1001);
    backend.socket.end();
    expect(await ended).toEqual({ reason: "ClientLost", code: 1006 });
  });
});

describe("C6: the backend dies", () => {
  it.each([
    ["by FIN", "end"],
    ["by reset", "resetAndDestroy"],
  ] as const)("%s at a boundary: the client gets 1014", async (_name, how) => {
    const { client, backend, ended } = await openRig();
    backend.send(textFrame("a"));
    await client.got(3);
    backend.socket[how]();
    const close = closeFrame(1014, "backend lost");
    expect((await client.got(3 + close.length)).subarray(3)).toEqual(close);
    expect(client.ended).toBe(false);
    client.send(maskFrame(closeFrame(1014), KEY));
    await eventually("FIN at the client", () => client.ended);
    client.socket.end();
    expect(await ended).toEqual({ reason: "BackendLost", code: 1014 });
  });

  it("between fragments: the client gets 1014", async () => {
    const { client, backend, ended } = await openRig({ closeWithin: 50 });
    backend.send("01 01 61");
    await client.got(3);
    backend.socket.end();
    expect((await client.got(19)).subarray(3)).toEqual(closeFrame(1014, "backend lost"));
    expect(await ended).toEqual({ reason: "BackendLost", code: 1014 });
  });

  it.each([
    ["by FIN", "end"],
    ["by reset", "resetAndDestroy"],
  ] as const)("%s in mid-frame: closed at once, counted apart", async (_name, how) => {
    const { client, backend, ended } = await openRig({ closeWithin: 60_000 });
    backend.send("81 05 61");
    await client.got(3);
    backend.socket[how]();
    expect(await ended).toEqual({ reason: "BackendLostMidFrame", code: 1006 });
    await eventually("the client's end", () => client.ended);
    expect(client.received).toEqual(hex("81 05 61"));
  });

  it.each([
    ["just", (): void => undefined],
    ["a while", (): Promise<void> => new Promise<void>((resolve) => setImmediate(resolve))],
  ] as const)("%s before the tunnel opened: the client gets 1014 all the same", async (_name, wait) => {
    const { client, ended } = await openRig({ closeWithin: 50 }, ({ backend }) => {
      backend.destroy();
      return wait();
    });
    expect(await client.got(16)).toEqual(closeFrame(1014, "backend lost"));
    expect(await ended).toEqual({ reason: "BackendLost", code: 1014 });
  });
});

describe("C15: messages over the limit", () => {
  const small = { ...limits, maxMessageSize: 100 };

  it("from the client: 1009, and no byte of it reaches the backend", async () => {
    const { client, backend, ended } = await openRig({ limits: small, closeWithin: 50 });
    client.send(maskFrame(binaryFrame(Buffer.alloc(101)), KEY));
    expect(await client.got(19)).toEqual(closeFrame(1009, "message too big"));
    expect(maskedCloseCode(await backend.got(8))).toBe(1001);
    expect(await ended).toEqual({ reason: "MessageTooBig", code: 1009 });
    expect(backend.received).toHaveLength(8);
  });

  it("from the backend: 1009 to both", async () => {
    const { client, backend, ended } = await openRig({ limits: small, closeWithin: 50 });
    backend.send(binaryFrame(Buffer.alloc(101)));
    expect(await client.got(27)).toEqual(closeFrame(1009, "backend message too big"));
    expect(maskedCloseCode(await backend.got(8))).toBe(1009);
    expect(await ended).toEqual({ reason: "BackendMessageTooBig", code: 1009 });
  });
});
