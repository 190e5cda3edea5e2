// K6: when nothing has changed, nothing is written, however often everything is read again; times change only on a flip.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { RESOURCES } from "../../../kube/resources.ts";
import { CONTROL_PLANE_TIMEOUT_MS } from "../../support/controlplane.ts";
import { eventually } from "../../support/eventually.ts";
import { conditionOf, routeTarget, startTestOperator } from "../../support/operator.ts";
import { type OperatorRig, startOperatorRig } from "../../support/operator-rig.ts";

/** Longer than a Lease lasts, so that only renewing it keeps the statuses as they are. */
const IDLE_MS = Number(process.env.HOLDFAST_IDLE_MS ?? 8_000);

let rig: OperatorRig;

beforeAll(async () => {
  rig = await startOperatorRig("a", "b");
  const { gateway, route, service, endpoints, secret } = rig.manifests;
  const apiKeys = { secretRef: { name: "keys" }, sources: [{ header: "X-Api-Key" }] };
  const routes = Array.from({ length: 20 }, (_, index) => route(`r${index}`));
  await rig.apply(gateway(), service(), endpoints(), secret("keys", { a: "1" }), ...routes);
  await rig.apply(
    route("keyed", { authentication: { apiKeys } }),
    route("lost", { backendRefs: [{ name: "nowhere", port: 1 }] }),
  );
  await rig.routeIs("keyed", {
    type: "Ready",
    status: "True",
    message: "2/2 gateway pods serve generation 1",
  });
  await rig.routeIs("lost", { type: "ResolvedRefs", status: "False" });
  await rig.gatewayIs({ type: "Ready", status: "True" });
  await eventually("the last status and the last Event are written", settled, 20_000);
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(() => rig?.stop());

/** Nothing has been written for a second. */
async function settled(): Promise<boolean> {
  const before = await rig.operator.writes();
  await sleep(1_000);
  return (await rig.operator.writes()) === before;
}

/** The version of every object that an operator may write. */
async function versions(): Promise<Record<string, string | undefined>> {
  const kinds = [
    RESOURCES.webSocketRoutes,
    RESOURCES.webSocketGateways,
    RESOURCES.configMaps,
    RESOURCES.secrets,
    RESOURCES.events,
  ];
  const lists = await Promise.all(kinds.map((resource) => rig.client.list({ resource, namespace: rig.namespace })));
  const entries = lists.flatMap(({ items }, index) =>
    items.map(({ metadata }) => [`${kinds[index]?.plural}/${metadata.name}`, metadata.resourceVersion]),
  );
  return Object.fromEntries(entries);
}

async function decisions(): Promise<number> {
  const { text } = await rig.operator.get("/metrics");
  return Number(/^holdfast_operator_pass_duration_seconds_count\{result="decided"\} (\d+)$/m.exec(text)?.[1]);
}

describe("an idle operator", () => {
  it(
    "writes nothing",
    async () => {
      const [before, count] = [await versions(), await rig.operator.writes()];
      await sleep(IDLE_MS);
      expect(await versions()).toEqual(before);
      expect(await rig.operator.writes()).toBe(count);
    },
    IDLE_MS + 10_000,
  );

  it(
    "does not decide again because Leases are renewed",
    async () => {
      const before = await decisions();
      await sleep(IDLE_MS);
      expect((await decisions()) - before).toBeLessThanOrEqual(1); // figures are looked at every 30 s
    },
    IDLE_MS + 10_000,
  );

  it(
    "writes nothing when it begins anew and reads everything again",
    async () => {
      const before = await versions();
      await rig.operator.stop();
      rig.operator = await startTestOperator(rig.client);
      await sleep(IDLE_MS);
      expect((await rig.operator.get("/readyz")).status).toBe(200);
      expect(await versions()).toEqual(before);
      expect(await rig.operator.writes()).toBe(0);
    },
    IDLE_MS + 10_000,
  );
});

describe("lastTransitionTime", () => {
  it("stays while the status of the condition does, and moves when it flips", async () => {
    const before = await rig.client.get(routeTarget(rig.namespace, "r0"));
    await sleep(1_100); // times have whole seconds
    const { route } = rig.manifests;
    await rig.apply(route("r0", { hostnames: ["moved.example.com"], backendRefs: [{ name: "nowhere", port: 1 }] }));
    const after = await rig.routeIs("r0", { type: "ResolvedRefs", status: "False" });
    const time = (object: typeof after, type: string) => conditionOf(object, type)?.lastTransitionTime;
    expect(time(after, "Accepted")).toBe(time(before, "Accepted"));
    expect(time(after, "ResolvedRefs")).not.toBe(time(before, "ResolvedRefs"));
  });
});
