import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { type DataType, decodeEnvelope, encodeEnvelope, everyoneChannel, groupChannel } from "./envelope.ts";

const origin = Buffer.from("0123456789abcdef", "hex");

describe("envelope", () => {
  it("has a wire form that other versions can rely on", () => {
    const wire = encodeEnvelope({ origin, message: { type: "json", data: Buffer.from("{}") } });
    expect(wire.toString("hex")).toBe("01010123456789abcdef7b7d");
  });

  it("gives back what went in", () => {
    const types = fc.constantFrom<DataType>("text", "json", "binary");
    fc.assert(
      fc.property(types, fc.uint8Array(), (type, bytes) => {
        const data = Buffer.from(bytes);
        expect(decodeEnvelope(encodeEnvelope({ origin, message: { type, data } }))).toEqual({
          origin,
          message: { type, data },
        });
      }),
    );
  });

  it.each([
    ["nothing", ""],
    ["another version", "02000123456789abcdef7b7d"],
    ["an unknown data type", "01030123456789abcdef7b7d"],
    ["a cut header", "01000123456789abcd"],
  ])("is undefined for %s", (_what, hex) => {
    expect(decodeEnvelope(Buffer.from(hex, "hex"))).toBeUndefined();
  });
});

describe("channels", () => {
  it("differ for different hubs and groups, whatever their names", () => {
    const channels = [
      everyoneChannel("a"),
      everyoneChannel("a:all"),
      groupChannel("a", "all"),
      groupChannel("a", "b"),
      groupChannel("a:group:b", "c"),
      groupChannel("a", "b:group:c"),
      groupChannel("a", ""),
      groupChannel("", "a"),
    ];
    expect(new Set(channels).size).toBe(channels.length);
  });
});
