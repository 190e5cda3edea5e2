import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { WatchDecoder } from "./watch-stream.ts";

const event = (name: string) => ({ type: "ADDED", object: { metadata: { name } } });

describe("the decoder of a watch", () => {
  it("gives the same events however the network cuts the bytes", () => {
    const names = fc.array(fc.string({ unit: "grapheme" }), { maxLength: 8 });
    fc.assert(
      fc.property(names, fc.array(fc.nat(64), { maxLength: 40 }), (names, cuts) => {
        const bytes = Buffer.from(names.map((name) => `${JSON.stringify(event(name))}\n`).join(""));
        const decoder = new WatchDecoder();
        const events = [];
        let start = 0;
        for (const length of cuts) {
          events.push(...decoder.push(bytes.subarray(start, start + length)));
          start = Math.min(bytes.length, start + length);
        }
        events.push(...decoder.push(bytes.subarray(start)));
        expect(events).toEqual(names.map(event));
      }),
    );
  });

  it("keeps back a line that has not ended", () => {
    const decoder = new WatchDecoder();
    expect(decoder.push(Buffer.from(JSON.stringify(event("a"))))).toEqual([]);
    expect(decoder.push(Buffer.from("\n"))).toEqual([event("a")]);
  });

  it("refuses a line that is not JSON", () => {
    expect(() => new WatchDecoder().push(Buffer.from("<html>\n"))).toThrow(SyntaxError);
  });
});
