// K2, the operator's half: the API server goes away and comes back, and the operator catches up by itself.
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { createKubeClient, type KubeClient } from "../../../kube/client.ts";
import { CONTROL_PLANE_TIMEOUT_MS, type ControlPlane, startControlPlane } from "../../support/controlplane.ts";
import { eventually } from "../../support/eventually.ts";
import {
  apply,
  condition,
  installDefinitions,
  manifestsIn,
  type PretendedPod,
  pretendPod,
  readSnapshot,
  routeTarget,
  startTestOperator,
  type TestOperator,
} from "../../support/operator.ts";

/** Long enough for every watch to fail and for every Lease to run out. */
const AWAY_MS = 8_000;

let plane: ControlPlane;
let client: KubeClient;
let operator: TestOperator;
let namespace: string;
let pod: PretendedPod;

beforeAll(async () => {
  plane = await startControlPlane();
  client = createKubeClient({ kubeconfig: plane.kubeconfig });
  await installDefinitions(plane);
  namespace = await plane.newNamespace();
  operator = await startTestOperator(client);
  pod = pretendPod({ client, namespace, gateway: "public", name: "a" });
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(async () => {
  await pod?.leave();
  await operator?.stop();
  client?.close();
  await plane?.stop();
});

it("an operator outlives its API server and serves what is changed after it came back", async () => {
  const { gateway, route, service, endpoints } = manifestsIn(namespace);
  await apply(plane, gateway(), service(), endpoints(), route("chat"));
  await condition(client, routeTarget(namespace, "chat"), { type: "Ready", status: "True" });

  const failures = async () =>
    Number(
      /^holdfast_operator_watch_failures_total\{resource="websocketroutes"\} (\d+)$/m.exec(
        (await operator.get("/metrics")).text,
      )?.[1] ?? 0,
    );
  await plane.stopApiServer();
  const stoppedAt = Date.now();
  await eventually("its watches fail", async () => (await failures()) >= 3 && Date.now() - stoppedAt > AWAY_MS, 20_000);
  expect((await operator.get("/healthz")).status).toBe(200);
  expect(await failures()).toBeLessThan(12); // backoff: it does not hammer a server that is down
  await plane.startApiServer();

  await apply(plane, route("chat", { hostnames: ["moved.example.com"] }));
  await condition(client, routeTarget(namespace, "chat"), { type: "Ready", status: "True" }, 15_000);
  const { routes } = await readSnapshot(client, namespace, "public");
  expect(routes.get("chat")?.hostnames).toEqual(["moved.example.com"]);
}, 60_000);
