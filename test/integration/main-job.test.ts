/**
 * The main job, end to end on real parts: a route applied with kubectl serves real clients through two gateway processes, and
 * changes, losses and an API server that is away close nothing.
 */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { RESOURCES } from "../../kube/resources.ts";
import { type ClusterRig, type GatewayProcess, startClusterRig } from "../support/cluster-rig.ts";
import { CONTROL_PLANE_TIMEOUT_MS } from "../support/controlplane.ts";
import { type EchoBackend, startEchoBackend } from "../support/echo-backend.ts";
import { eventually } from "../support/eventually.ts";
import type { HoldfastProcess } from "../support/holdfast.ts";
import { startTraffic, tryHandshake } from "../support/traffic.ts";

const CHANGES = 200;
const SOCKETS = 500;
/** More of either on request, to measure. */
const LATENCY_CHANGES = Number(process.env.HOLDFAST_TEST_CHANGES ?? 100);
const GATEWAYS = ["gw-a", "gw-b", "gw-c"].slice(0, Number(process.env.HOLDFAST_TEST_GATEWAYS ?? 2));
const OUTAGE_MS = 60_000;
const POD_ADDRESSES = [11, 12].map((last) => `${process.env.HOLDFAST_TEST_SUBNET}.${last}`);

const GATEWAY = `
apiVersion: holdfast.dev/v1alpha1
kind: WebSocketGateway
metadata: {name: public, namespace: holdfast}
spec:
  listeners: [{name: ws, port: 8080, protocol: WS}]
  allowedRoutes: {namespaces: {from: All}}
`;

function service(name: string, port: number): string {
  return `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: apps}
spec: {clusterIP: None, ports: [{name: ws, port: 3000, targetPort: ${port}}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, namespace: apps, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
ports: [{name: ws, port: ${port}, protocol: TCP}]
endpoints: [${POD_ADDRESSES.map((address) => `{addresses: [${address}], conditions: {ready: true}}`).join(", ")}]
`;
}

interface RouteChange {
  readonly name?: string;
  readonly path?: string;
  readonly extra?: string;
}

function routeObject({ name = "chat", path = "/ws/chat", extra = "none" }: RouteChange) {
  return {
    apiVersion: "holdfast.dev/v1alpha1",
    kind: "WebSocketRoute",
    metadata: { name, namespace: "apps" },
    spec: {
      parentRefs: [{ name: "public", namespace: "holdfast" }],
      hostnames: ["chat.example.com"],
      matches: [{ path: { type: "PathPrefix", value: path } }],
      backendRefs: [{ name: "chat", port: 3000 }],
      requestHeaders: { set: [{ name: "X-Change", value: extra }] },
    },
  };
}

let rig: ClusterRig;
let operator: HoldfastProcess;
let gateways: GatewayProcess[];
let backends: EchoBackend[];

const host = { host: "chat.example.com" };
const applyRoute = (change: RouteChange) => {
  const object = routeObject(change);
  return rig.client.apply(
    { resource: RESOURCES.webSocketRoutes, namespace: "apps", name: object.metadata.name },
    object,
    { conflicts: "force" },
  );
};
const kubectlWait = (condition: string, name: string, seconds = 10) =>
  rig.kubectl("wait", "-n", "apps", `--for=condition=${condition}`, `wsr/${name}`, `--timeout=${seconds}s`);
const statusOf = async (name: string) =>
  JSON.parse(await rig.kubectl("get", "wsr", "-n", "apps", name, "-o", "json")).status;
const condition = (status: { conditions: { type: string }[] }, type: string) =>
  status.conditions.find((one) => one.type === type) as unknown as { status: string; reason: string; message: string };

beforeAll(async () => {
  rig = await startClusterRig({ controllerManager: "on" });
  await Promise.all(["holdfast", "apps"].map((namespace) => rig.kubectl("create", "namespace", namespace)));
  const [first = "", second = ""] = POD_ADDRESSES;
  const backend = await startEchoBackend({ host: first });
  backends = [backend, await startEchoBackend({ host: second, port: backend.port })];
  await rig.apply([GATEWAY, service("chat", backend.port), JSON.stringify(routeObject({}))].join("\n---\n"));
  operator = await rig.startOperator();
  gateways = await Promise.all(GATEWAYS.map((name) => rig.startGateway(name, "holdfast/public")));
  const running = [operator, ...gateways.map(({ process }) => process)];
  await Promise.all(
    running.map((one) => one.line("its start", ({ msg }) => /started/.test(String(msg)), { timeout: 30_000 })),
  );
}, CONTROL_PLANE_TIMEOUT_MS);

afterAll(async () => {
  await Promise.all((backends ?? []).map((backend) => backend.stop()));
  await rig?.stop();
});

it("becomes Ready, serves clients through both gateways, and kubectl explains it", async () => {
  await kubectlWait("Ready", "chat");
  for (const { url } of gateways) expect(await tryHandshake(`${url}/ws/chat`, host)).toBe("open");
  const wide = await rig.kubectl("get", "wsr", "-n", "apps", "-o", "wide");
  expect(wide).toMatch(/NAME\s+HOSTNAMES\s+READY\s+PODS\s+REASON\s+BACKENDS\s+AGE/);
  expect(wide).toMatch(/chat\s+\["chat\.example\.com"\]\s+True\s+2\/2\s+Ready\s+chat:3000/);
  const described = await rig.kubectl("describe", "wsr", "-n", "apps", "chat");
  expect(described).toContain("2/2 gateway pods serve generation 1");
  expect(described).toMatch(/Events:[\s\S]*Normal\s+\w+/);
});

it(`changes a route ${CHANGES} times while ${SOCKETS} sockets talk, without a close, a lost message or a failed handshake`, async () => {
  for (const name of ["one", "two"]) await applyRoute({ name, path: `/ws/${name}` });
  for (const name of ["one", "two"]) await kubectlWait("Ready", name);
  const urls = gateways.flatMap(({ url }) => ["chat", "one", "two"].map((path) => `${url}/ws/${path}`));
  const traffic = await startTraffic({ urls, headers: host, count: SOCKETS, period: 250 });
  const handshakes: string[] = [];
  const started = Date.now();
  for (let change = 1; change <= CHANGES; change++) {
    await applyRoute({ extra: `change-${change}` });
    const { url } = gateways[change % gateways.length] as GatewayProcess;
    handshakes.push(await tryHandshake(`${url}/ws/chat`, host));
  }
  const seconds = (Date.now() - started) / 1000;
  await kubectlWait("Ready", "chat");
  const seen = backends.flatMap(({ requests }) => requests.map(({ headers }) => headers["x-change"]));
  const { closes, faults, echoes } = await traffic.stop();
  console.info(`${CHANGES} changes in ${seconds.toFixed(1)} s, ${echoes} echoes over ${SOCKETS} sockets`);
  expect({ closes, faults }).toEqual({ closes: [], faults: [] });
  expect(handshakes.filter((outcome) => outcome !== "open")).toEqual([]);
  expect(echoes).toBeGreaterThan(SOCKETS * 10);
  // The changes were really served, not just accepted.
  expect(new Set(seen).size).toBeGreaterThan(CHANGES / 10);
}, 120_000);

it("serves a change within a second on every gateway", async () => {
  const milliseconds: number[] = [];
  for (let change = 1; change <= LATENCY_CHANGES; change++) {
    const path = `/ws/latency-${change}`;
    const started = performance.now();
    await applyRoute({ name: "latency", path });
    await Promise.all(
      gateways.map(({ url }) =>
        eventually(`${path} is served`, async () => (await tryHandshake(url + path, host)) === "open"),
      ),
    );
    milliseconds.push(performance.now() - started);
  }
  milliseconds.sort((a, b) => a - b);
  const at = (quantile: number) => milliseconds[Math.ceil(quantile * milliseconds.length) - 1] ?? Number.NaN;
  console.info(
    `apply to served on ${gateways.length} gateways, ${LATENCY_CHANGES} changes: ` +
      `p50 ${at(0.5).toFixed(0)} ms, p99 ${at(0.99).toFixed(0)} ms, longest ${at(1).toFixed(0)} ms`,
  );
  expect(at(0.99)).toBeLessThan(1_000);
  await rig.kubectl("delete", "wsr", "-n", "apps", "latency");
}, 120_000);

it("tells when a gateway is lost, and when it is back", async () => {
  await gateways[1]?.process.kill();
  const status = await eventually(
    "the status tells the loss",
    async () => {
      const now = await statusOf("chat");
      return now.pods === "1/2" && now;
    },
    20_000,
  );
  expect(condition(status, "Ready")).toMatchObject({ status: "False", reason: "PodsUnavailable" });
  expect(condition(status, "Ready").message).toContain("gw-b");
  expect(condition(status, "Programmed").status).toBe("True");
  gateways[1] = (await gateways[1]?.restart()) as GatewayProcess;
  await kubectlWait("Ready", "chat", 20);
  expect((await statusOf("chat")).pods).toBe("2/2");
}, 60_000);

describe("an API server that is away for a minute", () => {
  it("stops no traffic and no handshake, lets a gateway restart, and is caught up with", async () => {
    const urls = gateways.map(({ url }) => `${url}/ws/chat`);
    const traffic = await startTraffic({ urls: urls.slice(0, 1), headers: host, count: 50, period: 250 });
    await rig.plane.stopApiServer();
    const back = Date.now() + OUTAGE_MS;
    await gateways[1]?.process.kill();
    gateways[1] = (await gateways[1]?.restart()) as GatewayProcess;
    await gateways[1].process.line("that it serves the stored snapshot", ({ msg }) =>
      /stored snapshot/.test(String(msg)),
    );
    const outcomes = new Map<string, number>();
    await eventually(
      "the minute is over",
      async () => {
        for (const url of urls) {
          const outcome = await tryHandshake(url, host);
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        }
        return Date.now() > back;
      },
      OUTAGE_MS + 10_000,
    );
    await rig.plane.startApiServer();
    await applyRoute({ extra: "after-the-outage" });
    await kubectlWait("Ready", "chat", 30);
    const { closes, faults, echoes } = await traffic.stop();
    console.info(
      `${OUTAGE_MS / 1000} s without an API server: ${echoes} echoes, handshakes ${JSON.stringify([...outcomes])}`,
    );
    expect({ closes, faults }).toEqual({ closes: [], faults: [] });
    expect([...outcomes.keys()]).toEqual(["open"]);
    for (const url of urls) expect(await tryHandshake(url, host)).toBe("open");
    expect(backends.flatMap(({ requests }) => requests.at(-1)?.headers["x-change"])).toContain("after-the-outage");
    expect(operator.lines().filter(({ level }) => level === 60)).toEqual([]);
  }, 180_000);
});
