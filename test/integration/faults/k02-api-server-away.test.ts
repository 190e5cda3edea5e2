// K2, the operator's half: the API server goes away and comes back, and the operator catches up by itself.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { CONTROL_PLANE_TIMEOUT_MS } from "../../support/controlplane.ts";
import { eventually } from "../../support/eventually.ts";
import { type OperatorRig, startOperatorRig } from "../../support/operator-rig.ts";

/** Long enough for every watch to fail and for every Lease to run out. HOLDFAST_OUTAGE_MS=600000 makes it ten minutes. */
const OUTAGE_MS = Number(process.env.HOLDFAST_OUTAGE_MS ?? 8_000);
/** Tries to begin with, which follow each other quickly, and the least time between those that come then. */
const QUICK_TRIES = 12;
const SLOW_TRY_MS = 5_000;

let rig: OperatorRig;

beforeAll(async () => {
  rig = await startOperatorRig("a");
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(() => rig?.stop());

it(
  "an operator outlives its API server and serves what is changed after it came back",
  async () => {
    const { gateway, route, service, endpoints } = rig.manifests;
    await rig.apply(gateway(), service(), endpoints(), route("chat"));
    await rig.routeIs("chat", { type: "Ready", status: "True" });

    const failures = async () =>
      Number(
        /^holdfast_operator_watch_failures_total\{resource="websocketroutes"\} (\d+)$/m.exec(
          (await rig.operator.get("/metrics")).text,
        )?.[1] ?? 0,
      );
    await rig.plane.stopApiServer();
    const stoppedAt = Date.now();
    await eventually("its watches fail", async () => (await failures()) >= 3, 20_000);
    await sleep(stoppedAt + OUTAGE_MS - Date.now());
    expect((await rig.operator.get("/healthz")).status).toBe(200);
    // Backoff: it does not hammer a server that is down.
    expect(await failures()).toBeLessThan(QUICK_TRIES + OUTAGE_MS / SLOW_TRY_MS);
    await rig.plane.startApiServer();

    await rig.apply(route("chat", { hostnames: ["moved.example.com"] }));
    await rig.routeIs("chat", { type: "Ready", status: "True" }, 20_000);
    const { routes } = await rig.snapshot();
    expect(routes.get("chat")?.hostnames).toEqual(["moved.example.com"]);
  },
  OUTAGE_MS + 60_000,
);
