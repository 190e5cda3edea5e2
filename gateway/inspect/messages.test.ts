import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { binaryFrame, maskFrame, pingFrame, textFrame } from "../tunnel/frames.ts";
import { BINARY, encodeMessage, type Item, MessageReader, TEXT } from "./messages.ts";

function readAll(chunks: readonly Buffer[]): Item[] {
  const items: Item[] = [];
  const reader = new MessageReader();
  for (const chunk of chunks) reader.read(Buffer.from(chunk), items);
  return items;
}

const plain = (item: Item | undefined) =>
  item === undefined || "control" in item ? item : { ...item, payload: Buffer.from(item.payload) };

describe("messages", () => {
  it("are read as they were masked, however their payload is cut", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        fc.array(fc.nat(300), { maxLength: 4 }),
        fc.nat(7),
        (payload, key, cuts, shift) => {
          // Cut within the payload only: the walker shows whole headers. Shifted, so that alignment differs.
          const frame = maskFrame(binaryFrame(payload), key);
          const moved = Buffer.alloc(frame.length + shift).subarray(shift);
          frame.copy(moved);
          const header = frame.length - payload.length;
          const places = cuts.map((cut) => Math.min(frame.length, header + cut)).sort((a, b) => a - b);
          const edges = [0, ...places, frame.length];
          const chunks = edges.slice(1).map((end, index) => moved.subarray(edges[index], end));
          const [item] = readAll(chunks);
          expect(plain(item)).toEqual({ opcode: BINARY, isCompressed: false, payload: Buffer.from(payload) });
        },
      ),
    );
  });

  it("come whole from their fragments, with control frames where they stood", () => {
    const fragments = Buffer.concat([
      Buffer.from([0x01, 1, 0x61]),
      pingFrame(Buffer.from("p")),
      Buffer.from([0x00, 0]),
      Buffer.from([0x80, 1, 0x62]),
      textFrame(""),
    ]);
    expect(readAll([fragments]).map(plain)).toEqual([
      { control: pingFrame(Buffer.from("p")) },
      { opcode: TEXT, isCompressed: false, payload: Buffer.from("ab") },
      { opcode: TEXT, isCompressed: false, payload: Buffer.alloc(0) },
    ]);
  });

  it.each([0, 1, 125, 126, 65_535, 65_536])("of %d bytes are encoded as they are read, masked or not", (size) => {
    const payload = Buffer.alloc(size, "abcde");
    for (const isMasked of [true, false]) {
      const frame = encodeMessage({ opcode: TEXT, isCompressed: false, payload, isMasked });
      expect(((frame[1] as number) & 0x80) !== 0).toBe(isMasked);
      expect(readAll([frame]).map(plain)).toEqual([{ opcode: TEXT, isCompressed: false, payload }]);
    }
    expect(encodeMessage({ opcode: TEXT, isCompressed: false, payload, isMasked: false })).toEqual(textFrame(payload));
  });
});
