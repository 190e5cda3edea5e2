import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "@jest/globals";
import { startGatewayProcess } from "../../support/gateway-process.ts";
import { makeRoute, prefixMatch } from "../../support/make-route.ts";
import { CHAT, type SnapshotParts } from "../../support/make-snapshot.ts";
import { type Client, createRig, openClient } from "../../support/rig.ts";

const rig = createRig();

/** The whole figure is 5,000; each takes two descriptors in this process. */
const SOCKETS = Number(process.env.HOLDFAST_TEST_SOCKETS ?? 500);
const SWAPS = 1000;
const NEIGHBOURS = 100;
const BATCH = 50;
/** Bytes by which the heap may differ between two collections for reasons of its own. */
const HEAP_NOISE = 4 * 1024 * 1024;

/** Snapshot number `n`: the served route itself changes, a neighbour comes and another one goes. */
function snapshot(n: number, port: number): SnapshotParts {
  const changed = { set: [{ name: "X-Generation", value: String(n) }], add: [], remove: [] };
  const served = makeRoute({ generation: n, matches: [prefixMatch("/chat")], requestHeaders: changed });
  const neighbours = Array.from({ length: NEIGHBOURS }, (_, i) =>
    makeRoute({ name: `neighbour-${n + i}`, order: i + 1, matches: [prefixMatch(`/neighbour/${n + i}`)] }),
  );
  return { sequence: n, routes: [served, ...neighbours], backends: { [CHAT]: [port] } };
}

/** Sends and awaits echoes on one socket until told to stop; together the sockets send some 1,600 messages a second. */
async function converse({ socket }: Client, until: AbortSignal): Promise<number> {
  let sent = 0;
  let echoed = 0;
  let wake = (): void => undefined;
  socket.on("message", (data: Buffer) => {
    if (data.toString() === `message ${echoed}`) echoed += 1;
    wake();
  });
  while (!until.aborted && socket.readyState === socket.OPEN) {
    const reply = new Promise<void>((resolve) => {
      wake = resolve;
    });
    socket.send(`message ${sent}`);
    sent += 1;
    await reply;
    await sleep(SOCKETS * (0.4 + Math.random() * 0.4));
  }
  expect(echoed).toBe(sent);
  return echoed;
}

describe("P4: the snapshot is swapped", () => {
  it(`${SWAPS} times with ${SOCKETS} sockets under traffic: 0 closes, 0 failed handshakes, memory flat`, async () => {
    const echo = await rig.backend();
    const holdfast = await startGatewayProcess(snapshot(1, echo.port));
    rig.use(holdfast, (part) => part.stop());
    const open = () => openClient(holdfast.url("/chat"), { perMessageDeflate: false });
    const clients: Client[] = [];
    rig.use(clients, (all) => {
      for (const { socket } of all) socket.terminate();
    });
    while (clients.length < SOCKETS) clients.push(...(await Promise.all(Array.from({ length: BATCH }, open))));
    let closed = 0;
    for (const client of clients) void client.closed.then(() => (closed += 1));
    const stop = new AbortController();
    const conversations = Promise.all(clients.map((client) => converse(client, stop.signal)));
    const newcomers: Promise<Client>[] = [];
    let before = 0;
    for (let n = 2; n <= SWAPS + 1; n += 1) {
      await holdfast.offer(snapshot(n, echo.port));
      if (n % 10 === 0) newcomers.push(open());
      if (n === SWAPS / 5) before = (await holdfast.measure()).heapUsed;
    }
    clients.push(...(await Promise.all(newcomers)), await open());
    expect(echo.requests.at(-1)?.headers["x-generation"]).toBe(String(SWAPS + 1));
    const after = await holdfast.measure();
    stop.abort();
    const echoes = await conversations;
    expect(closed).toBe(0);
    expect(after.connections).toBe(clients.length);
    expect(Math.min(...echoes)).toBeGreaterThan(0);
    expect(await holdfast.metric("holdfast_closes_total")).toBe(0);
    const handshakes = await holdfast.metric("holdfast_handshakes_total");
    expect(handshakes).toBe(clients.length);
    expect(await holdfast.metric("holdfast_handshakes_total", { code: "101" })).toBe(handshakes);
    expect(await holdfast.metric("holdfast_snapshot_sequence")).toBe(SWAPS + 1);
    const grownByNewcomers = newcomers.length * 16 * 1024;
    expect(after.heapUsed - before).toBeLessThan(HEAP_NOISE + grownByNewcomers);
  }, 280_000);
});
