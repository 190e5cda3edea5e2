import { once } from "node:events";
import { describe, expect, it } from "@jest/globals";
import { CHAT } from "../../support/make-snapshot.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();

describe("C6: the backend dies", () => {
  it("at a frame boundary: the client gets a Close with 1014", async () => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({ backends: { [CHAT]: [echo.port] } });
    const client = await rig.client(holdfast.url());
    await client.ask("hello");
    for (const socket of echo.sockets) socket.resetAndDestroy();
    expect(await client.closed).toEqual({ code: 1014, reason: "backend lost" });
    expect(await holdfast.line("connection")).toMatchObject({ reason: "BackendLost", side: "backend", code: 1014 });
  });

  it("within a frame: the client is closed at once, and it is counted apart", async () => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({ backends: { [CHAT]: [echo.port] } });
    const client = await rig.client(holdfast.url());
    await client.ask("hello");
    const [socket] = echo.sockets;
    // The head of a text frame of 100 bytes, and 3 of them.
    const passed = holdfast.line("connection");
    socket!.write(Buffer.from([0x81, 100, 0x61, 0x62, 0x63]), () => socket!.end());
    await once(client.socket, "close");
    expect((await client.closed).code).toBe(1006);
    expect(await passed).toMatchObject({ reason: "BackendLostMidFrame", side: "backend", code: 1006 });
    const labels = { reason: "BackendLostMidFrame", code: "1006", side: "backend" };
    expect(await holdfast.metric("holdfast_closes_total", labels)).toBe(1);
  });
});
