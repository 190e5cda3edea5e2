// K6: when nothing has changed, nothing is written, however often everything is read again; times change only on a flip.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { createKubeClient, type KubeClient } from "../../../kube/client.ts";
import { RESOURCES } from "../../../kube/resources.ts";
import { CONTROL_PLANE_TIMEOUT_MS, type ControlPlane, startControlPlane } from "../../support/controlplane.ts";
import { eventually } from "../../support/eventually.ts";
import {
  apply,
  condition,
  conditionOf,
  gatewayTarget,
  installDefinitions,
  manifestsIn,
  type PretendedPod,
  pretendPod,
  routeTarget,
  startTestOperator,
  type TestOperator,
} from "../../support/operator.ts";

/** Longer than a Lease lasts, so that only renewing it keeps the statuses as they are. */
const IDLE_MS = Number(process.env.HOLDFAST_IDLE_MS ?? 8_000);

let plane: ControlPlane;
let client: KubeClient;
let operator: TestOperator;
let namespace: string;
let pods: PretendedPod[];

beforeAll(async () => {
  plane = await startControlPlane();
  client = createKubeClient({ kubeconfig: plane.kubeconfig });
  await installDefinitions(plane);
  namespace = await plane.newNamespace();
  operator = await startTestOperator(client);
  pods = ["a", "b"].map((name) => pretendPod({ client, namespace, gateway: "public", name }));
  const { gateway, route, service, endpoints, secret } = manifestsIn(namespace);
  const apiKeys = { secretRef: { name: "keys" }, sources: [{ header: "X-Api-Key" }] };
  const routes = Array.from({ length: 20 }, (_, index) => route(`r${index}`));
  await apply(plane, gateway(), service(), endpoints(), secret("keys", { a: "1" }), ...routes);
  await apply(
    plane,
    route("keyed", { authentication: { apiKeys } }),
    route("lost", { backendRefs: [{ name: "nowhere", port: 1 }] }),
  );
  await condition(client, routeTarget(namespace, "keyed"), {
    type: "Ready",
    status: "True",
    message: "2/2 gateway pods serve generation 1",
  });
  await condition(client, routeTarget(namespace, "lost"), { type: "ResolvedRefs", status: "False" });
  await condition(client, gatewayTarget(namespace), { type: "Ready", status: "True" });
  await eventually("the last status and the last Event are written", settled, 20_000);
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(async () => {
  await Promise.all((pods ?? []).map((pod) => pod.leave()));
  await operator?.stop();
  client?.close();
  await plane?.stop();
});

/** Nothing has been written for a second. */
async function settled(): Promise<boolean> {
  const before = await operator.writes();
  await sleep(1_000);
  return (await operator.writes()) === before;
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
  const lists = await Promise.all(kinds.map((resource) => client.list({ resource, namespace })));
  const entries = lists.flatMap(({ items }, index) =>
    items.map(({ metadata }) => [`${kinds[index]?.plural}/${metadata.name}`, metadata.resourceVersion]),
  );
  return Object.fromEntries(entries);
}

async function decisions(): Promise<number> {
  const { text } = await operator.get("/metrics");
  return Number(/^holdfast_operator_pass_duration_seconds_count\{result="decided"\} (\d+)$/m.exec(text)?.[1]);
}

describe("an idle operator", () => {
  it(
    "writes nothing",
    async () => {
      const [before, count] = [await versions(), await operator.writes()];
      await sleep(IDLE_MS);
      expect(await versions()).toEqual(before);
      expect(await operator.writes()).toBe(count);
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
      await operator.stop();
      operator = await startTestOperator(client);
      await sleep(IDLE_MS);
      expect((await operator.get("/readyz")).status).toBe(200);
      expect(await versions()).toEqual(before);
      expect(await operator.writes()).toBe(0);
    },
    IDLE_MS + 10_000,
  );
});

describe("lastTransitionTime", () => {
  it("stays while the status of the condition does, and moves when it flips", async () => {
    const target = routeTarget(namespace, "r0");
    const before = await client.get(target);
    await sleep(1_100); // times have whole seconds
    const { route } = manifestsIn(namespace);
    await apply(plane, route("r0", { hostnames: ["moved.example.com"], backendRefs: [{ name: "nowhere", port: 1 }] }));
    const after = await condition(client, target, { type: "ResolvedRefs", status: "False" });
    const time = (object: typeof after, type: string) => conditionOf(object, type)?.lastTransitionTime;
    expect(time(after, "Accepted")).toBe(time(before, "Accepted"));
    expect(time(after, "ResolvedRefs")).not.toBe(time(before, "ResolvedRefs"));
  });
});
