// K10, smaller than `make bench-operator`: many routes, one change, a storm of changes, endpoint churn, and a route of 1 MiB.
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { GATEWAY_NAMESPACE, populate, type Scale, ScaleRun } from "../../bench/operator-scale.ts";
import { type ClusterRig, startClusterRig } from "../../support/cluster-rig.ts";
import { CONTROL_PLANE_TIMEOUT_MS } from "../../support/controlplane.ts";
import { apply, condition, manifestsIn, routeTarget } from "../../support/operator.ts";

const SCALE: Scale = {
  namespaces: 40,
  routes: 1_000,
  changes: 10,
  perSecond: 50,
  stormSeconds: 5,
  churnPerSecond: 20,
  churnSeconds: 3,
};
/** The design's budget for the operator's work on one change, of ten times as many routes. */
const ONE_CHANGE_MS = 100;

let rig: ClusterRig;
let run: ScaleRun;

beforeAll(async () => {
  rig = await startClusterRig();
  run = new ScaleRun(rig, SCALE);
  await populate(rig, SCALE);
  await run.start();
}, 2 * CONTROL_PLANE_TIMEOUT_MS);
afterAll(async () => {
  run?.stop();
  await rig?.stop();
});

/** A route's status waits and is served, and so does its gateway's; the faster the machine, the less of that falls together. */
const STATUSES_A_CHANGE = 4;
const total = (writes: Readonly<Record<string, number>>) => Object.values(writes).reduce((sum, each) => sum + each, 0);

it("start-up decides a few times, not once for each status that it writes", async () => {
  const figures = await run.operator();
  expect(figures.sum("holdfast_operator_writes_total")).toBeGreaterThanOrEqual(SCALE.routes);
  expect(figures.sum("holdfast_operator_pass_duration_seconds_count")).toBeLessThan(100);
});

it("one change costs its part, the index and its status, and little of the operator's time", async () => {
  const { writes, cpuMs, acknowledged } = await run.changeOneByOne();
  expect(acknowledged).toHaveLength(SCALE.changes);
  expect(writes).toMatchObject({ index: SCALE.changes, part: SCALE.changes });
  expect(writes.status).toBeLessThanOrEqual(STATUSES_A_CHANGE * SCALE.changes);
  expect(cpuMs).toBeLessThan(ONE_CHANGE_MS);
}, 60_000);

it("a storm of changes leaves nothing behind, at a few writes a change", async () => {
  const { changes, writes, passes } = await run.storm();
  expect(changes).toBe(SCALE.perSecond * SCALE.stormSeconds);
  expect(writes.status).toBeLessThanOrEqual(STATUSES_A_CHANGE * changes);
  expect(total(writes)).toBeLessThanOrEqual((STATUSES_A_CHANGE + 2) * changes);
  expect(passes).toBeLessThan(2 * changes);
}, 60_000);

it("endpoint churn writes endpoints, and not one route's status", async () => {
  const { changes, writes, revisions } = await run.churn();
  expect(revisions).toBeGreaterThan(0);
  expect(writes.index).toBe(revisions);
  expect(writes.part).toBeLessThanOrEqual(changes);
  // The gateway's, which tells the revision and who serves it; each slice is behind 25 routes.
  expect(writes.status).toBeLessThanOrEqual(2 * revisions + 2);
}, 60_000);

it("a route of 1 MiB is refused with a message, and the others are served on", async () => {
  const name = (number: number) => ({ name: `X-Tenant-${number}`, value: "v".repeat(1_024) });
  const headers = Array.from({ length: 16 }, (_, number) => name(number));
  const matches = Array.from({ length: 16 * 4 }, (_, number) => ({ path: { value: `/p${number}` }, headers }));
  const parentRefs = [{ name: "public", namespace: GATEWAY_NAMESPACE }];
  const large = manifestsIn("team-0").route("large", { parentRefs, matches });
  expect(JSON.stringify(large).length).toBeGreaterThan(1_048_576);
  await rig.client.create({ ...routeTarget("team-0", "large"), name: undefined }, large);
  const told = await condition(
    rig.client,
    routeTarget("team-0", "large"),
    { type: "Programmed", status: "False", reason: "ConfigTooLarge" },
    10_000,
  );
  expect(JSON.stringify(told.status)).toMatch(/the route takes \d+ characters .* split its hostnames and matches/);
  const change = { parentRefs, hostnames: ["after.example.com"] };
  await apply(rig.plane, manifestsIn("team-0").route("after", change));
  await condition(rig.client, routeTarget("team-0", "after"), { type: "Ready", status: "True" }, 10_000);
}, 60_000);
