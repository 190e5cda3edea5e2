import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { binaryFrame, closeFrame, maskFrame, NO_CODE, pingFrame } from "./frames.ts";
import { FrameWalker } from "./walker.ts";

const LIMIT = 1000;
const fromClient = (rsv = 0) => new FrameWalker({ masked: true, rsv, maxMessageSize: LIMIT });
const fromServer = (rsv = 0) => new FrameWalker({ masked: false, rsv, maxMessageSize: LIMIT });
const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

/** Everything that comes out behind the walker when the chunks go in. */
function pass(walker: FrameWalker, chunks: readonly Buffer[]): Buffer {
  const out: Buffer[] = [];
  for (const chunk of chunks) {
    const passed = walker.walk(chunk);
    if (walker.released !== undefined) out.push(Buffer.from(walker.released));
    out.push(Buffer.from(chunk.subarray(0, passed)));
  }
  return Buffer.concat(out);
}

function outcome(walker: FrameWalker, chunks: readonly Buffer[]) {
  const out = pass(walker, chunks).toString("hex");
  const { messages, bytes, violation, closeCode, atFrameBoundary, atMessageBoundary } = walker;
  return { out, messages, bytes, violation, closeCode, atFrameBoundary, atMessageBoundary };
}

describe("FrameWalker on what RFC 6455 §5.7 shows", () => {
  it.each([
    ["an unmasked text message", "81 05 48 65 6c 6c 6f", fromServer, 1],
    ["a masked text message", "81 85 37 fa 21 3d 7f 9f 4d 51 58", fromClient, 1],
    ["a message in two fragments", "01 03 48 65 6c 80 02 6c 6f", fromServer, 1],
    ["a ping and its masked answer's shape", "89 05 48 65 6c 6c 6f", fromServer, 0],
    ["a masked pong", "8a 85 37 fa 21 3d 7f 9f 4d 51 58", fromClient, 0],
    ["a control frame between fragments", "01 01 61 89 00 80 01 62", fromServer, 1],
    ["an empty message", "82 00", fromServer, 1],
    ["a fragmented message with an empty end", "02 01 61 80 00", fromServer, 1],
  ])("passes %s", (_name, bytes, make, messages) => {
    const walker = make();
    expect(pass(walker, [hex(bytes)])).toEqual(hex(bytes));
    expect(walker).toMatchObject({ messages, bytes: hex(bytes).length, violation: undefined, closeCode: 0 });
    expect(walker.atMessageBoundary).toBe(true);
  });

  it("passes lengths of 16 and 64 bits, also when they are longer than needed", () => {
    const walker = fromServer();
    const frames = [hex(`82 7e 0100 ${"00".repeat(256)}`), hex("82 7e 0001 ff"), hex("82 7f 0000000000000001 ff")];
    expect(pass(walker, frames)).toEqual(Buffer.concat(frames));
    expect(walker).toMatchObject({ messages: 3, violation: undefined });
  });

  it("passes a frame of more than 4 GiB by its header alone", () => {
    const walker = new FrameWalker({ masked: false, rsv: 0, maxMessageSize: Number.MAX_SAFE_INTEGER });
    walker.walk(hex("82 7f 0000000100000000"));
    const chunk = Buffer.alloc(1 << 20);
    for (let sent = 0; sent < 2 ** 32; sent += chunk.length) {
      expect(walker.atFrameBoundary).toBe(false);
      walker.walk(chunk);
    }
    expect(walker).toMatchObject({ messages: 1, bytes: 2 ** 32 + 10, atFrameBoundary: true });
  });
});

describe("FrameWalker refuses, and passes only the frames before", () => {
  const good = "81 81 00000000 61";
  it.each([
    ["an unmasked frame from a client", "81 01 61"],
    ["RSV1 that was not negotiated", "c1 81 00000000 61"],
    ["RSV2", "a1 81 00000000 61"],
    ["RSV3", "91 81 00000000 61"],
    ["a reserved data opcode", "83 81 00000000 61"],
    ["a reserved control opcode", "8b 80 00000000"],
    ["a length with the top bit", "82 ff 8000000000000000 00000000"],
    ["a length of 2^53", "82 ff 0020000000000000 00000000"],
    ["a control frame over 125 bytes", "89 fe 007e 00000000"],
    ["a fragmented control frame", "09 80 00000000"],
    ["a continuation of nothing", "80 81 00000000 61"],
    ["a new message within a fragmented one", "01 81 00000000 61 81 81 00000000 61", 7],
    ["a Close of one byte", "88 81 00000000 03"],
    ["a Close with code 1005", "88 82 00000000 03ed"],
    ["a Close with code 999", "88 82 00000000 03e7"],
    ["a Close with code 1015", "88 82 00000000 03f7"],
    ["a Close with code 2000", "88 82 00000000 07d0"],
    ["a Close with code 5000", "88 82 00000000 1388"],
  ])("%s", (_name, bad, before = 0) => {
    const walker = fromClient();
    const stream = hex(good + bad);
    expect(pass(walker, [stream])).toEqual(stream.subarray(0, hex(good).length + before));
    expect(walker).toMatchObject({ violation: "ProtocolError", atFrameBoundary: true, closeCode: 0 });
    expect(pass(walker, [hex(good)])).toHaveLength(0);
  });

  it("a masked frame from a server", () => {
    const walker = fromServer();
    expect(pass(walker, [hex(good)])).toHaveLength(0);
    expect(walker.violation).toBe("ProtocolError");
  });

  it("without a byte of the bad header having passed, when it trickles in", () => {
    const walker = fromClient();
    const chunks = [...hex(`${good} 82 ff 80`)].map((byte) => Buffer.from([byte]));
    expect(pass(walker, chunks)).toEqual(hex(good));
    expect(walker.violation).toBeUndefined();
    expect(pass(walker, [hex("00000000000000 00000000")])).toHaveLength(0);
    expect(walker.violation).toBe("ProtocolError");
  });

  it("a message over the limit, by its header", () => {
    const walker = fromServer();
    expect(pass(walker, [hex("82 7e 03e9")])).toHaveLength(0);
    expect(walker.violation).toBe("MessageTooBig");
  });

  it("a message that only its fragments together put over the limit", () => {
    const walker = fromServer();
    const first = hex(`02 7e 03e7 ${"00".repeat(999)} 00 01 00`);
    expect(pass(walker, [first, hex("80 01 00")])).toEqual(first);
    expect(walker.violation).toBe("MessageTooBig");
  });

  it("nothing at the limit itself, and counts each message afresh", () => {
    const walker = fromServer();
    const message = hex(`82 7e 03e8 ${"00".repeat(1000)}`);
    pass(walker, [message, message]);
    expect(walker).toMatchObject({ messages: 2, violation: undefined });
  });
});

describe("FrameWalker with extensions", () => {
  it("lets permessage-deflate set RSV1 on the first frame of a message only", () => {
    const allowed = fromServer(0x40);
    pass(allowed, [hex("41 01 61 80 01 62 c1 01 61")]);
    expect(allowed).toMatchObject({ messages: 2, violation: undefined });
    const continued = fromServer(0x40);
    pass(continued, [hex("41 01 61 c0 01 62")]);
    expect(continued.violation).toBe("ProtocolError");
    const control = fromServer(0x40);
    pass(control, [hex("c9 00")]);
    expect(control.violation).toBe("ProtocolError");
  });
});

describe("FrameWalker and Close", () => {
  it.each([
    ["unmasked", "88 02 03e8", fromServer, 1000],
    ["masked", "88 82 37fa213d 3412", fromClient, 1000],
    ["of an application", "88 04 0fa0 6f6b", fromServer, 4000],
    ["without a code", "88 00", fromServer, NO_CODE],
    ["masked without a code", "88 80 37fa213d", fromClient, NO_CODE],
  ])("%s: tells the code and passes nothing behind it", (_name, bytes, make, code) => {
    const walker = make();
    expect(pass(walker, [Buffer.concat([hex(bytes), hex(bytes)])])).toEqual(hex(bytes));
    expect(walker.closeCode).toBe(code);
    expect(pass(walker, [hex(bytes)])).toHaveLength(0);
  });

  it("holds back a Close until all of it is there", () => {
    const walker = fromServer();
    expect(walker.walk(hex("88 04 0f"))).toBe(0);
    expect(walker.closeCode).toBe(0);
    expect(pass(walker, [hex("a0 6f"), hex("6b")])).toEqual(hex("88 04 0fa0 6f6b"));
    expect(walker.closeCode).toBe(4000);
  });
});

describe("FrameWalker's boundaries", () => {
  it("tells where the frame in progress and the first message ended", () => {
    const walker = fromServer();
    walker.walk(hex("01 03 61"));
    expect(walker).toMatchObject({ frameBoundary: -1, messageBoundary: -1, atFrameBoundary: false });
    walker.walk(hex("62 63 80 01 64 81 05 65"));
    expect(walker).toMatchObject({ frameBoundary: 2, messageBoundary: 5, atFrameBoundary: false });
  });

  it("stands at a frame boundary but not at a message boundary between fragments", () => {
    const walker = fromServer();
    walker.walk(hex("01 01 61"));
    expect(walker).toMatchObject({ atFrameBoundary: true, atMessageBoundary: false });
  });

  it("stands at a boundary while a header is held back", () => {
    const walker = fromServer();
    walker.walk(hex("81 7e 01"));
    expect(walker).toMatchObject({ atFrameBoundary: true, carriedData: false });
  });

  it("knows data from control frames", () => {
    const walker = fromServer();
    walker.walk(hex("89 00"));
    expect(walker.carriedData).toBe(false);
    walker.walk(hex("81 02 61"));
    expect(walker.carriedData).toBe(true);
    walker.walk(hex("62"));
    expect(walker.carriedData).toBe(true);
  });
});

describe("FrameWalker on any split", () => {
  const payload = fc.uint8Array({ maxLength: 140 });
  const message = fc.record({ parts: fc.array(payload, { minLength: 1, maxLength: 3 }), ping: fc.boolean() });
  const fragments = ({ parts, ping }: { parts: Uint8Array[]; ping: boolean }) =>
    parts.flatMap((part, index) => {
      const frame = binaryFrame(part);
      frame[0] = (index === 0 ? 2 : 0) | (index === parts.length - 1 ? 0x80 : 0);
      return ping ? [frame, pingFrame(Buffer.from("are you there"))] : [frame];
    });
  const key = Uint8Array.of(1, 2, 3, 4);
  const cutAt = (stream: Buffer, cuts: readonly number[]) => {
    const points = [0, ...[...cuts].map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length];
    return points.slice(1).map((point, index) => stream.subarray(points[index], point));
  };

  it("passes whole valid streams unchanged and counts their messages", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), fc.array(fc.nat(2000)), (messages, cuts) => {
        const stream = Buffer.concat(messages.flatMap(fragments).map((frame) => maskFrame(frame, key)));
        const walker = fromClient();
        expect(pass(walker, cutAt(stream, cuts))).toEqual(stream);
        expect(walker).toMatchObject({ messages: messages.length, bytes: stream.length, atMessageBoundary: true });
      }),
    );
  });

  it("sees the same in any bytes, valid or not, however they are cut", () => {
    const damage = fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 2 });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), damage, fc.array(fc.nat(2000)), (messages, changes, cuts) => {
        const stream = Buffer.concat([...messages.flatMap(fragments), closeFrame(1000, "bye")]);
        for (const [at, value] of changes) stream[at % stream.length] = value;
        expect(outcome(fromServer(), cutAt(stream, cuts))).toEqual(outcome(fromServer(), [stream]));
      }),
      { numRuns: 500 },
    );
  });
});
