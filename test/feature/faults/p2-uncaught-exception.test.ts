import { describe, expect, it } from "@jest/globals";
import { startGatewayProcess } from "../../support/gateway-process.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { createRig, openClient } from "../../support/rig.ts";

const rig = createRig();

describe("P2: an uncaught exception", () => {
  it("is logged; the process is not ready, drains within 5 s, and exits 1", async () => {
    const echo = await rig.backend();
    const settings = { drain: { timeout: 60_000, maxDisconnectsPerSecond: 1 } };
    const holdfast = await startGatewayProcess({ backends: { [CHAT]: [echo.port] }, settings });
    rig.use(holdfast, (part) => part.stop());
    const clients = await Promise.all(Array.from({ length: 40 }, () => openClient(holdfast.url())));
    rig.use(clients, (all) => {
      for (const { socket } of all) socket.terminate();
    });
    const started = performance.now();
    holdfast.throwUncaught();
    const first = await Promise.race(clients.map(({ closed }) => closed));
    expect(first.code).toBe(1012);
    const readiness = await fetch(`http://127.0.0.1:${holdfast.adminPort}/readyz`).then(({ status }) => status);
    expect(readiness).toBe(503);
    const codes = await Promise.all(clients.map(async ({ closed }) => (await closed).code));
    expect(new Set(codes)).toEqual(new Set([1012]));
    expect(await holdfast.exited).toEqual({ code: 1, signal: null });
    expect(performance.now() - started).toBeLessThan(6000);
    expect(holdfast.log()).toContain("a fault that the test asked for");
  });
});
