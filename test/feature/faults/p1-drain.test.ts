import { describe, expect, it } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import { startGatewayProcess } from "../../support/gateway-process.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { type Client, createRig, openClient } from "../../support/rig.ts";

const rig = createRig();

/** The whole figure is 5,000; each takes two descriptors in this process. */
const CONNECTIONS = Number(process.env.HOLDFAST_TEST_CONNECTIONS ?? 600);
const BATCH = 50;
/** What the pace comes to, and the milliseconds that are allowed for all. */
const SECONDS = 3;
const GRACE = 20_000;

async function setUp(options: { connections: number; drain: { timeout: number; maxDisconnectsPerSecond: number } }) {
  const echo = await rig.backend();
  const settings = { drain: options.drain };
  const holdfast = await startGatewayProcess({ backends: { [CHAT]: [echo.port] }, settings });
  rig.use(holdfast, (part) => part.stop());
  const clients: Client[] = [];
  while (clients.length < options.connections) {
    const batch = Array.from({ length: BATCH }, () => openClient(holdfast.url(), { perMessageDeflate: false }));
    clients.push(...(await Promise.all(batch)));
  }
  rig.use(clients, (all) => {
    for (const { socket } of all) socket.terminate();
  });
  return { echo, holdfast, clients };
}

describe("P1: SIGTERM", () => {
  it(`sends ${CONNECTIONS} clients away with 1012 at the pace that is allowed, cuts none, and exits 0`, async () => {
    const maxDisconnectsPerSecond = CONNECTIONS / SECONDS;
    const { holdfast, clients } = await setUp({
      connections: CONNECTIONS,
      drain: { timeout: GRACE, maxDisconnectsPerSecond },
    });
    let lastClosed = 0;
    const codes = clients.map(async ({ closed }) => {
      const { code, reason } = await closed;
      lastClosed = performance.now();
      return `${code} ${reason}`;
    });
    const started = performance.now();
    holdfast.signal("SIGTERM");
    const readiness = await eventually("it is not ready", async () => {
      const { status } = await fetch(`http://127.0.0.1:${holdfast.adminPort}/readyz`);
      return status !== 200 && status;
    });
    expect(readiness).toBe(503);
    expect(new Set(await Promise.all(codes))).toEqual(new Set(["1012 service restart"]));
    expect(await holdfast.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - started).toBeLessThan(GRACE);
    // What a busy machine does to the pace in between is left to `live.test.ts`, which has the clock in its hands.
    expect(lastClosed - started).toBeGreaterThan(0.9 * SECONDS * 1000);
    expect(holdfast.log()).toContain('"cut":0');
  }, 60_000);

  it("a second time ends at once", async () => {
    const { holdfast, clients } = await setUp({
      connections: BATCH,
      drain: { timeout: 60_000, maxDisconnectsPerSecond: 1 },
    });
    holdfast.signal("SIGTERM");
    const first = await Promise.race(clients.map(({ closed }) => closed));
    expect(first.code).toBe(1012);
    const second = performance.now();
    holdfast.signal("SIGTERM");
    expect((await holdfast.exited).code).toBe(0);
    expect(performance.now() - second).toBeLessThan(3000);
    await Promise.all(clients.map(({ closed }) => closed));
  });

  it("with more clients than the pace can send away in time: everybody is told, at the last call", async () => {
    const { holdfast, clients } = await setUp({
      connections: BATCH,
      drain: { timeout: 1500, maxDisconnectsPerSecond: 1 },
    });
    holdfast.signal("SIGTERM");
    const codes = await Promise.all(clients.map(async ({ closed }) => (await closed).code));
    expect(new Set(codes)).toEqual(new Set([1012]));
    expect((await holdfast.exited).code).toBe(0);
  });
});
