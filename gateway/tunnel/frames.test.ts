import { describe, expect, it } from "@jest/globals";
import { binaryFrame, closeFrame, maskFrame, NO_CODE, pingFrame, pongFrame, textFrame } from "./frames.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

describe("frames that the gateway makes", () => {
  it.each([
    ["text", textFrame("Hello"), "81 05 48 65 6c 6c 6f"],
    ["binary", binaryFrame(hex("00ff")), "82 02 00 ff"],
    ["ping", pingFrame(), "89 00"],
    ["pong", pongFrame(hex("01")), "8a 01 01"],
    ["close", closeFrame(1012, "ok"), "88 04 03f4 6f6b"],
    ["empty close", closeFrame(NO_CODE), "88 00"],
  ])("%s", (_name, frame, bytes) => {
    expect(frame).toEqual(hex(bytes));
  });

  it.each([
    [125, "82 7d"],
    [126, "82 7e 007e"],
    [65535, "82 7e ffff"],
    [65536, "82 7f 0000000000010000"],
  ])("a header for %d bytes", (length, header) => {
    const frame = binaryFrame(Buffer.alloc(length, 7));
    expect(frame.subarray(0, hex(header).length)).toEqual(hex(header));
    expect(frame).toHaveLength(hex(header).length + length);
  });

  it("cuts a close reason at a character, within 125 bytes", () => {
    const frame = closeFrame(1008, "é".repeat(100));
    expect(frame[1]).toBe(2 + 122);
    expect(frame.subarray(4).toString()).toBe("é".repeat(61));
  });

  it("masks as RFC 6455 §5.7 shows", () => {
    expect(maskFrame(textFrame("Hello"), hex("37fa213d"))).toEqual(hex("81 85 37fa213d 7f9f4d5158"));
    const long = maskFrame(binaryFrame(Buffer.alloc(300)), hex("01020304"));
    expect(long.subarray(0, 12)).toEqual(hex("82 fe 012c 01020304 01020304"));
  });
});
