import { describe, expect, it } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { makeRoute } from "../../support/make-route.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, rawConnect } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();
const PING = Buffer.from([0x89, 0x00]);

describe("C3: a client vanishes without a FIN", () => {
  it("is pinged by 25 s and gone by 33 s; its backend is told, and a client that answers stays", async () => {
    const clock = createFakeClock();
    const echo = await rig.backend();
    const holdfast = await rig.gateway({ backends: { [CHAT]: [echo.port] }, gateway: { clock } });
    // A raw client answers no ping: to the gateway it looks like one that sleeps.
    const vanished = rig.use(await rawConnect(holdfast.port), ({ socket }) => socket.destroy());
    vanished.socket.write(handshakeText());
    await vanished.head();
    const alive = await rig.client(holdfast.url());
    const headLength = vanished.received().length;
    await clock.advance(24_000);
    expect(vanished.received()).toHaveLength(headLength);
    await clock.advance(1000);
    const bytes = await vanished.until((so_far) => so_far.length > headLength);
    expect(bytes.subarray(headLength)).toEqual(PING);
    const told = echo.nextClose();
    // The answering client's pong has to be in before the clock goes on.
    await alive.ask("I am here");
    await clock.advance(7000);
    expect(holdfast.gateway.connections).toBe(2);
    await clock.advance(1000);
    await eventually("only the client that answers is left", () => holdfast.gateway.connections === 1);
    expect(await told).toBe(1001);
    expect(await holdfast.line("connection")).toMatchObject({ reason: "KeepAliveTimeout", side: "client" });
    expect((await alive.ask("still here")).toString()).toBe("still here");
  });

  it("that is idle is closed with 3008, although it answers pings", async () => {
    const clock = createFakeClock();
    const echo = await rig.backend();
    const timeouts = { handshake: 10_000, connect: 5000, idle: 40_000, maxLifetime: 0 };
    const routes = [makeRoute({ timeouts })];
    const holdfast = await rig.gateway({ routes, backends: { [CHAT]: [echo.port] }, gateway: { clock } });
    const client = await rig.client(holdfast.url());
    const atBackend = echo.nextClose();
    const pinged = new Promise((resolve) => client.socket.once("ping", resolve));
    await clock.advance(25_000);
    await pinged;
    // The answer to the ping has to be there before the clock goes on: an echo comes behind it.
    await client.ask("and a message, which starts the time anew");
    await clock.advance(14_000);
    expect(holdfast.gateway.connections).toBe(1);
    const again = new Promise((resolve) => client.socket.once("ping", resolve));
    await clock.advance(11_000);
    await again;
    await eventually("the pong has arrived", async () => {
      const response = await fetch(`http://127.0.0.1:${holdfast.adminPort}/connections`);
      const { connections } = (await response.json()) as { connections: { silentSeconds: number }[] };
      return connections[0]?.silentSeconds === 0;
    });
    expect(holdfast.gateway.connections).toBe(1);
    await clock.advance(15_000);
    expect((await client.closed).code).toBe(3008);
    expect(await atBackend).toBe(1001);
    expect(await holdfast.line("connection")).toMatchObject({ reason: "IdleTimeout", side: "gateway", code: 3008 });
  });
});
