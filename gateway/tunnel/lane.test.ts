// What becomes of messages that exceed a rate, frame by frame and however the network cuts them.
import { Duplex, PassThrough, Writable } from "node:stream";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { bucketShape } from "../limits/bucket.ts";
import { Meter, type OnExceeded } from "../limits/meter.ts";
import { binaryFrame, maskFrame, pingFrame, textFrame } from "./frames.ts";
import { Lane } from "./lane.ts";

const KEY = Buffer.from("37fa213d", "hex");
const FIN = 0x80;

/** A message as its frames, with a ping between two fragments where there are several. */
interface Message {
  readonly sizes: readonly number[];
  readonly pinged: boolean;
}
const message: fc.Arbitrary<Message> = fc.record({
  sizes: fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 4 }),
  pinged: fc.boolean(),
});

const PING = maskFrame(pingFrame(Buffer.from("p")), KEY);

function fragments({ sizes }: Message, fill: number): Buffer[] {
  return sizes.map((size, index) => {
    const frame = binaryFrame(Buffer.alloc(size, fill));
    frame[0] = (index === 0 ? 0x2 : 0x0) | (index === sizes.length - 1 ? FIN : 0);
    return maskFrame(frame, KEY);
  });
}

function laneTo(written: Buffer[], onExceeded: OnExceeded, burst: number) {
  const sink = new Writable({
    write(chunk: Buffer, _, done) {
      written.push(chunk);
      done();
    },
  });
  const shape = bucketShape({ rate: 1, interval: 100, burst });
  const rule = { policy: "messages.perConnection", unit: "messages", shape, onExceeded } as const;
  const meter = new Meter({ rules: [{ rule }], now: 0, onExceeded: () => undefined });
  const to = Duplex.from({ writable: sink, readable: new PassThrough() });
  const rules = { masked: true, rsv: 0, maxMessageSize: 65_536 };
  return { meter, lane: new Lane({ from: new PassThrough(), to }, rules, meter) };
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const cuts = [0, ...at.map((fraction) => Math.floor(fraction * bytes.length)).sort((a, b) => a - b), bytes.length];
  return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end));
}

const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a lane with a rate", () => {
  it("leaves whole messages out, lets control frames through, and keeps every other byte", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 8 }), fc.nat(5), cuts, async (messages, burst, at) => {
        const sent: Buffer[] = [];
        const wanted: Buffer[] = [];
        messages.forEach((one, index) => {
          const passes = index < burst + 1;
          fragments(one, index).forEach((frame, position) => {
            if (position > 0 && one.pinged) {
              sent.push(PING);
              wanted.push(PING);
            }
            sent.push(frame);
            if (passes) wanted.push(frame);
          });
        });
        const written: Buffer[] = [];
        const { lane } = laneTo(written, "Drop", burst + 1);
        for (const chunk of cut(Buffer.concat(sent), at)) lane.receive(chunk);
        await settled();
        expect(Buffer.concat(written).equals(Buffer.concat(wanted))).toBe(true);
        expect(lane.walker.messages).toBe(Math.min(messages.length, burst + 1));
        expect(lane.walker.bytes).toBe(Buffer.concat(wanted).length);
        expect(lane.walker.atMessageBoundary).toBe(true);
      }),
    );
  });

  it("holds back what exceeds the rate, in order and without losing a byte", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 8 }), cuts, async (messages, at) => {
        const sent = Buffer.concat(messages.flatMap((one, index) => fragments(one, index)));
        const written: Buffer[] = [];
        const { lane, meter } = laneTo(written, "Throttle", 2);
        for (const chunk of cut(sent, at)) lane.receive(chunk);
        expect(lane.walker.messages).toBe(Math.min(messages.length, 2));
        for (let count = 3; count <= messages.length; count += 1) {
          expect([lane.isStalled, meter.wait]).toEqual([true, 100]);
          meter.now += 100;
          lane.receive(Buffer.alloc(0));
          expect(lane.walker.messages).toBe(count);
        }
        await settled();
        expect(lane.isStalled).toBe(false);
        expect(Buffer.concat(written).equals(sent)).toBe(true);
      }),
    );
  });

  it("inserts the gateway's own frames while a message is left out, since nothing is under way then", async () => {
    const written: Buffer[] = [];
    const { lane } = laneTo(written, "Drop", 1);
    const [first, dropped] = [
      fragments({ sizes: [3], pinged: false }, 1),
      fragments({ sizes: [9, 9], pinged: false }, 2),
    ];
    lane.receive(Buffer.concat([...first, (dropped[0] as Buffer).subarray(0, 8)]));
    lane.insertControl(PING);
    lane.insertMessage(maskFrame(textFrame("pushed"), KEY));
    lane.receive(Buffer.concat([(dropped[0] as Buffer).subarray(8), ...dropped.slice(1)]));
    await settled();
    const wanted = Buffer.concat([...first, PING, maskFrame(textFrame("pushed"), KEY)]);
    expect(Buffer.concat(written).toString("hex")).toBe(wanted.toString("hex"));
  });
});
