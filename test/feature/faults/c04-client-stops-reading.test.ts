/** C4: what waits for a client that does not read is bounded, and its sockets are gone within five seconds. */
import { afterEach, describe, expect, it } from "@jest/globals";
import { binaryFrame, maskFrame } from "../../../gateway/tunnel/frames.ts";
import { CLOSE_WITHIN_MS } from "../../../gateway/tunnel/tunnel.ts";
import { eventually } from "../../support/eventually.ts";
import { closeRigs, openRig } from "../../support/tunnel-rig.ts";

afterEach(closeRigs);

const KEY = Buffer.from([1, 2, 3, 4]);
const limits = { maxMessageSize: 1 << 20, maxQueuedBytes: 1 << 20, onSlowClient: "Close" } as const;

function maskedCloseCode(frame: Buffer): number {
  expect([...frame.subarray(0, 2)]).toEqual([0x88, 0x82]);
  return frame.readUInt16BE(6) ^ frame.readUInt16BE(2);
}

it("bounds every end below five seconds", () => {
  expect(CLOSE_WITHIN_MS).toBeLessThan(5000);
});

describe("a tunnel's client", () => {
  const message = binaryFrame(Buffer.alloc(60_000));

  it("is closed when its queue is full, and gone within the bound", async () => {
    const { client, backend, session, ended, gatewaySockets } = await openRig({ closeWithin: 200 });
    client.socket.pause();
    let most = 0;
    const pump = () => {
      while (!backend.ended && backend.socket.write(message)) most = Math.max(most, session.queuedBytes);
    };
    backend.socket.on("drain", pump);
    pump();
    await eventually("a Close at the backend", () => backend.received.length > 0, 10_000);
    expect(maskedCloseCode(backend.received)).toBe(1001);
    expect(session.queuedBytes).toBeGreaterThan(limits.maxQueuedBytes);
    expect(session.queuedBytes).toBeLessThan(limits.maxQueuedBytes + 3 * 65_536);
    expect((await ended).reason).toBe("SlowClient");
    expect(gatewaySockets.client.destroyed && gatewaySockets.backend.destroyed).toBe(true);
  });

  it("is waited for with Pause: the backend is not read on, and nothing is lost", async () => {
    const { client, backend, session, gatewaySockets } = await openRig({
      limits: { ...limits, onSlowClient: "Pause" },
    });
    client.socket.pause();
    const stream = Buffer.concat(Array<Buffer>(300).fill(message));
    backend.send(stream);
    await eventually("the backend paused", () => gatewaySockets.backend.isPaused());
    expect(session.queuedBytes).toBeLessThan(3 * 65_536);
    client.socket.resume();
    expect((await client.got(stream.length)).equals(stream)).toBe(true);
  });

  it("gets no pushed message over its limit", async () => {
    const { client, session } = await openRig({
      limits: { ...limits, maxQueuedBytes: 200_000, onSlowClient: "DropOldest" },
    });
    client.socket.pause();
    await eventually("a message dropped", () => !session.push(message), 10_000);
    expect(session.queuedBytes).toBeLessThanOrEqual(200_000);
  });

  it("is not held to be silent while a slow backend keeps the gateway from reading it", async () => {
    const clock = { time: 1000, now: () => clock.time };
    const { client, backend, session, gatewaySockets } = await openRig({ clock });
    backend.socket.pause();
    const up = maskFrame(message, KEY);
    const sent = Buffer.concat(Array<Buffer>(300).fill(up));
    client.send(sent);
    await eventually("the client paused", () => gatewaySockets.client.isPaused());
    clock.time = 99_000;
    expect(session.lastHeardAt).toBe(99_000);
    backend.socket.resume();
    expect((await backend.got(sent.length)).equals(sent)).toBe(true);
  });
});
