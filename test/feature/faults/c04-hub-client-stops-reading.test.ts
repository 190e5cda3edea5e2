// C4: a hub client that does not read is bounded in what waits for it, and never holds up the others.
import { expect, it } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import { type HubGateway, hubRoute, listen, startHubGateway } from "../../support/hub-gateway.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();
const MESSAGE = "x".repeat(100_000);
/** More than the kernel takes for a loopback connection that nobody reads. */
const FLOOD = 200;

function startFor(onSlowClient: "Close" | "DropOldest"): Promise<HubGateway> {
  const limits = { ...hubRoute().limits, maxQueuedBytes: 500_000, onSlowClient };
  return startHubGateway(rig, { routes: [hubRoute({ limits })] });
}

it("is closed with 1008 and gone within 5 s, while others get every message", async () => {
  const gateway = await startFor("Close");
  const [slow, quick] = [await listen(rig, gateway.url()), await listen(rig, gateway.url())];
  slow.socket.pause();
  for (let count = 0; count < FLOOD; count++) {
    await gateway.send("news", `${count} ${MESSAGE}`);
    await quick.until(count + 1);
  }
  const floodedAt = performance.now();
  const line = await eventually("the slow client is gone", () => gateway.lines("connection")[0], 6_000);
  expect(performance.now() - floodedAt).toBeLessThan(5_000);
  // The Close frame stands behind what it does not read: it never gets it.
  expect(line).toMatchObject({ reason: "SlowClient", code: 1006, side: "gateway" });
  expect(quick.messages).toHaveLength(FLOOD);
  expect(await gateway.metric("holdfast_hub_dropped_total")).toBe(1);
});

it("loses the oldest messages with DropOldest and gets the newest, in order, when it reads again", async () => {
  const gateway = await startFor("DropOldest");
  const [slow, quick] = [await listen(rig, gateway.url()), await listen(rig, gateway.url())];
  slow.socket.pause();
  for (let count = 0; count < FLOOD; count++) {
    await gateway.send("news", `${count} ${MESSAGE}`);
    await quick.until(count + 1);
  }
  slow.socket.resume();
  await eventually("the newest has arrived", () => slow.messages.at(-1)?.startsWith(`${FLOOD - 1} `));
  const numbers = slow.messages.map((message) => Number.parseInt(message, 10));
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  expect(new Set(numbers).size).toBe(numbers.length);
  const dropped = await gateway.metric("holdfast_hub_dropped_total");
  expect(dropped).toBeGreaterThan(0);
  expect(numbers.length + dropped).toBe(FLOOD);
  await gateway.send("news", "and on");
  await eventually("it is served as before", () => slow.messages.at(-1) === "and on");
});
