import { connect, type Socket } from "node:net";
import { describe, expect, it } from "@jest/globals";
import { startGatewayProcess } from "../../support/gateway-process.ts";
import { makeRoute } from "../../support/make-route.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();
const CLIENTS = 10_000;
const RATE = { rate: 200, interval: 1_000, burst: 200 };
/** Milliseconds that the event loop of the gateway may be late, for 99 of 100 looks. */
const P99 = 100;
const REQUEST = handshakeText();

interface Answer {
  readonly status: number;
  readonly retryAfter: number | undefined;
}

/** Connects, shakes hands, and keeps the connection where there is a 101. */
async function comeBack(port: number, kept: Socket[]): Promise<Answer> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  kept.push(socket);
  socket.write(REQUEST);
  let text = "";
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (text.includes("\r\n\r\n")) break;
  }
  const after = /^retry-after: (\d+)\r$/im.exec(text)?.[1];
  const answer = { status: Number(text.split(" ")[1]), retryAfter: after === undefined ? undefined : Number(after) };
  if (answer.status !== 101) socket.destroy();
  return answer;
}

describe(`C17: ${CLIENTS} clients come back at once`, () => {
  it("are let in at the handshake rate; the others are told when to come again, and nobody holds up the event loop", async () => {
    const echo = await rig.backend();
    const route = makeRoute();
    const routes = [{ ...route, limits: { ...route.limits, handshakes: { total: RATE } } }];
    const holdfast = await startGatewayProcess({ routes, backends: { [CHAT]: [echo.port] } });
    rig.use(holdfast, (part) => part.stop());
    const kept: Socket[] = rig.use([], (all: Socket[]) => {
      for (const socket of all) socket.destroy();
    });
    const before = await rig.client(holdfast.url());
    // The lag of the start does not count: the histogram begins anew when it is read.
    await holdfast.metric("nodejs_eventloop_lag_p99_seconds");
    const begun = performance.now();
    const answers = await Promise.all(Array.from({ length: CLIENTS }, () => comeBack(holdfast.port, kept)));
    const seconds = (performance.now() - begun) / 1_000;
    expect(1_000 * (await holdfast.metric("nodejs_eventloop_lag_p99_seconds"))).toBeLessThan(P99);
    const admitted = answers.filter(({ status }) => status === 101).length;
    expect(admitted).toBeGreaterThanOrEqual(RATE.burst - 1);
    expect(admitted).toBeLessThanOrEqual(RATE.burst + RATE.rate * seconds + 1);
    const refused = answers.filter(({ status }) => status !== 101);
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([503]));
    const waits = new Map<number | undefined, number>();
    for (const { retryAfter } of refused) waits.set(retryAfter, (waits.get(retryAfter) ?? 0) + 1);
    // Spread over several seconds, and no second gets more than half of them.
    expect(Math.min(...[...waits.keys()].map(Number))).toBeGreaterThanOrEqual(1);
    expect(Math.max(...waits.values())).toBeLessThan(refused.length / 2);
    expect((await before.ask("still here")).toString()).toBe("still here");
    const labels = { route: "apps/chat", code: "101", reason: "Accepted" };
    expect(await holdfast.metric("holdfast_handshakes_total", labels)).toBe(admitted + 1);
  });
});
