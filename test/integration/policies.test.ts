/**
 * Every policy through the whole path: a manifest on a real API server, its status, a real client's outcome, the metric, the log
 * line. The rows stand in `test/support/policy-table.ts`; all of them are applied and played at once, and each is looked at apart.
 */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { KubeObject } from "../../kube/objects.ts";
import { RESOURCES } from "../../kube/resources.ts";
import { BLACK_HOLE } from "../support/black-hole.ts";
import { makeCertificate } from "../support/certificate.ts";
import { type ClusterRig, type GatewayProcess, startClusterRig } from "../support/cluster-rig.ts";
import { CONTROL_PLANE_TIMEOUT_MS } from "../support/controlplane.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import type { HoldfastProcess, LogLine } from "../support/holdfast.ts";
import { type Issuer, startIssuer } from "../support/jwks-server.ts";
import { scrape } from "../support/metrics.ts";
import { conditionOf } from "../support/operator.ts";
import {
  type PolicyBackends,
  startAuthorizer,
  startPolicyBackends,
  type TestAuthorizer,
} from "../support/policy-backends.ts";
import { type Played, play } from "../support/policy-client.ts";
import { type Credentials, makeCredentials } from "../support/policy-credentials.ts";
import {
  backendManifests,
  gatewayManifest,
  type Places,
  routeManifests,
  secretManifest,
} from "../support/policy-manifests.ts";
import { type End, hostOf, NAMESPACE, type Row } from "../support/policy-table/row.ts";
import { POLICY_TABLE } from "../support/policy-table.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

const COMMAND = resolve(import.meta.dirname, "../../bin/holdfast");
const ADDRESS = `${process.env.HOLDFAST_TEST_SUBNET}.21`;
const ROWS = POLICY_TABLE.flatMap(({ rows }) => rows);
/** Rows that are played at the same time. */
const AT_ONCE = 12;

let rig: ClusterRig;
let operator: HoldfastProcess;
let gateway: GatewayProcess;
let redis: RedisServer;
let issuer: Issuer;
let authorizer: TestAuthorizer;
let backends: PolicyBackends;
let credentials: Credentials;
/** What clients and servers were answered. */
const answers: string[] = [];
const played = new Map<Row, Promise<Played>>();

beforeAll(async () => {
  [rig, redis, issuer, authorizer, backends] = await Promise.all([
    startClusterRig(),
    startRedis("--requirepass", "redis-pass-word"),
    startIssuer(),
    startAuthorizer(),
    startPolicyBackends(ADDRESS),
  ]);
  const away = `http://127.0.0.1:${await freePort()}/`;
  credentials = await makeCredentials({ issuer, away });
  credentials.know("redis-password", "redis-pass-word");
  const urls = {
    "https://id.example/": issuer.issuer,
    "https://away.example/": away,
    "http://authz.example/": authorizer.url,
  };
  await applyAll({ address: ADDRESS, lost: BLACK_HOLE, ports: backends.ports, urls });
  operator = await rig.startOperator();
  gateway = await rig.startGateway("gw", "holdfast/public");
  await allReady();
  const secret = await rig.kubectl("get", "secret", "-n", "holdfast", "holdfast-public", "-o", "json");
  for (const [key, value] of Object.entries<string>(JSON.parse(secret).data))
    if (key === "api-token" || key === "connection-id.key")
      credentials.know(key, Buffer.from(value, "base64").toString());
  playAll();
}, CONTROL_PLANE_TIMEOUT_MS);

afterAll(async () => {
  await Promise.all([...played.values()].map((one) => one.then(({ leave }) => leave()).catch(() => undefined)));
  await Promise.all([redis, issuer, authorizer, backends].map((part) => part?.stop()));
  await rig?.stop();
});

async function applyAll(places: Places): Promise<void> {
  for (const namespace of ["holdfast", NAMESPACE, "elsewhere"]) await rig.kubectl("create", "namespace", namespace);
  const certificate = makeCertificate("tls.example.com");
  credentials.know("tls-key", certificate.key);
  const wss = { name: "wss", port: await freePort(), protocol: "WSS", tls: { certificateRefs: [{ name: "tls" }] } };
  const { spec, ...rest } = gatewayManifest({ redis: { secretRef: { name: "redis", key: "url" } } }) as unknown as {
    spec: { listeners: object[] };
  };
  const items = [
    { ...rest, spec: { ...spec, listeners: [...spec.listeners, wss] } },
    secretManifest("redis", { url: redis.url.replace("://", "://:redis-pass-word@") }, "holdfast"),
    secretManifest("tls", { "tls.crt": certificate.cert, "tls.key": certificate.key }, "holdfast"),
    ...Object.entries(credentials.secrets).map(([name, values]) => secretManifest(name, values)),
    ...backendManifests(places),
    ...ROWS.flatMap((row) => routeManifests(row, places)),
  ];
  await rig.apply(JSON.stringify({ apiVersion: "v1", kind: "List", items }));
}

type RouteObject = KubeObject & { readonly metadata: { readonly generation: number } };

const routeOf = (name: string) =>
  rig.client.get<RouteObject>({ resource: RESOURCES.webSocketRoutes, namespace: NAMESPACE, name });

/** Every route has the status that its row says, and limits of the fleet are shared. */
async function allReady(): Promise<void> {
  const waiting = new Set(ROWS);
  const complaint = () => [...waiting].map(({ name }) => name).join(", ");
  const settled = async () => {
    const { items } = await rig.client.list<RouteObject>({ resource: RESOURCES.webSocketRoutes, namespace: NAMESPACE });
    for (const row of waiting) {
      const object = items.find(({ metadata }) => metadata.name === row.name);
      const { type, status } = { type: row.status?.type ?? "Ready", status: row.status ? "False" : "True" };
      if (object && conditionOf(object, type)?.status === status) waiting.delete(row);
    }
    return waiting.size === 0;
  };
  await eventually("every route is settled", settled, 30_000).catch((error) => {
    throw new Error(`${(error as Error).message}; not yet: ${complaint()}`);
  });
  const shared = async () => (await scrape(adminPort(), "holdfast_limits_fleet_up", {})) === 1;
  await eventually("limits of the fleet are shared", shared, 10_000);
}

const adminPort = () => Number(new URL(gateway.adminUrl).port);

/** Starts every row's client, a few at a time, in the order of the table. */
function playAll(): void {
  const port = Number(new URL(gateway.url).port);
  const running: Promise<unknown>[] = Array.from({ length: AT_ONCE }, () => Promise.resolve());
  for (const [index, row] of ROWS.entries()) {
    const { client, end } = row;
    if (client === undefined) continue;
    const stage = {
      port,
      host: hostOf(row),
      apiUrl: gateway.apiUrl,
      fill: credentials.fill,
      waits: end !== undefined && "code" in end ? ("for its end" as const) : ("for nothing" as const),
      onAnswer: (text: string) => void answers.push(text),
    };
    const before = running[index % AT_ONCE];
    const agent = { ...client, headers: { "User-Agent": row.name, ...client.headers } };
    const own = Promise.resolve(before).then(() => play(agent, stage));
    // Told by the row's own test.
    running[index % AT_ONCE] = own.catch(() => undefined);
    played.set(row, own);
  }
}

const routeLabel = (row: Row): string => (row.routed === "no" ? "" : `${NAMESPACE}/${row.name}`);

function seenAs(end: End): object {
  if ("status" in end) return { kind: "refused", reply: { status: end.status } };
  if ("code" in end) return { kind: "closed", code: end.code };
  return { kind: "open", protocol: end.protocol };
}

/** The metric's line and the log's that an end leaves. */
function traces(end: End): { metric: string; labels: Record<string, string>; line: Record<string, unknown> } {
  if ("status" in end) {
    const { status, reason } = end;
    const line = { event: "refusal", reason, code: status };
    return { metric: "holdfast_handshakes_total", labels: { code: `${status}`, reason }, line };
  }
  if ("code" in end) {
    const { code, reason, side, label } = end;
    const line = { event: "connection", reason, code, side };
    return { metric: "holdfast_closes_total", labels: { code: label ?? `${code}`, reason, side }, line };
  }
  const line = { event: "connection", reason: "ClientClosed", code: 1000 };
  return { metric: "holdfast_handshakes_total", labels: { code: "101", reason: "Accepted" }, line };
}

const holds = (line: LogLine, wanted: object): boolean =>
  Object.entries(wanted).every(([key, value]) => line[key] === value);

async function expectStatus(row: Row): Promise<void> {
  const object = await routeOf(row.name);
  const { type, reason } = row.status ?? { type: "Ready", reason: "Ready" };
  const found = conditionOf(object, type);
  expect(found).toMatchObject({
    status: row.status ? "False" : "True",
    reason,
    observedGeneration: object.metadata.generation,
  });
  expect(found?.message).toContain(row.status?.says ?? "");
}

async function expectEnd(row: Row, end: End): Promise<void> {
  const { seen, leave } = await (played.get(row) as Promise<Played>);
  // Who reads nothing any more stays: it is the gateway that has to end that.
  if (seen.kind !== "unseen") {
    await leave();
    expect(seen).toMatchObject(seenAs(end));
  }
  if (seen.kind === "refused" && "status" in end) {
    const { headers, body } = seen.reply;
    // What somebody behind the gateway has answered is relayed as it is.
    if (headers.get("content-type") === "application/problem+json")
      expect(JSON.parse(body)).toMatchObject({ reason: end.reason });
    else expect(["BackendRejected", "AuthorizerDenied"]).toContain(end.reason);
    for (const [name, value] of Object.entries(end.headers ?? {})) expect(headers.get(name)).toMatch(value);
  }
}

async function expectTraces(row: Row, end: End): Promise<void> {
  const { metric, labels, line } = traces(end);
  const route = routeLabel(row);
  await gateway.process.line(
    `${row.name}: ${JSON.stringify(line)}`,
    (found) => holds(found, { ...line, route }) && (found.userAgent ?? row.name) === row.name,
  );
  const count = await scrape(adminPort(), metric, { route, ...labels });
  if (row.routed === "no") expect(count).toBeGreaterThan(0);
  else expect(count).toBe(metric === "holdfast_handshakes_total" && "open" in end ? 1 + (row.client?.earlier ?? 0) : 1);
  const { extra } = row;
  if (extra === undefined) return;
  expect(await scrape(adminPort(), extra.metric, { route, ...extra.labels })).toBeGreaterThan(0);
  const { log } = extra;
  if (log) await gateway.process.line(JSON.stringify(log), (found) => holds(found, { ...log, route }));
}

for (const { title, rows } of POLICY_TABLE) {
  describe(title, () => {
    it.each(rows.map((row): [string, string, Row] => [row.name, row.client?.does ?? "is not served", row]))(
      "%s: %s",
      async (_name, _does, row) => {
        await expectStatus(row);
        if (row.end === undefined) return;
        await expectEnd(row, row.end);
        await expectTraces(row, row.end);
      },
    );
  });
}

it("holdfast describe shows a route's status and its policy in effect", async () => {
  const { stdout } = await promisify(execFile)(COMMAND, [
    ...["describe", "wsr", `${NAMESPACE}/idle`],
    ...["--kubeconfig", rig.plane.kubeconfig],
  ]);
  expect(stdout).toMatch(/^WebSocketRoute apps\/idle\n {2}Accepted=True\n {2}ResolvedRefs=True\n/);
  expect(stdout).toMatch(/ {2}Ready=True.*\n/);
  expect(stdout).toContain("  pods: 1/1\n");
  expect(stdout).toMatch(
    /Policy at holdfast\/public:\n {4}origins +\["https:\/\/default.example"\] +gateway's defaults\n/,
  );
  expect(stdout).toMatch(/ {4}timeouts.idle +1s +route\n/);
  expect(stdout).toMatch(/ {4}timeouts.connect +5s +default\n/);
});

describe("what is confidential", () => {
  /** Everything that Holdfast shows to anybody but the gateway's own pods, by what it is. */
  async function everythingShown(): Promise<Map<string, string>> {
    const shown = new Map<string, string>([["answers", answers.join("\n")]]);
    for (const kind of ["configmaps", "events", "leases", "wsr", "wsg"])
      shown.set(kind, await rig.kubectl("get", kind, "--all-namespaces", "-o", "json"));
    for (const { binaryData = {} } of JSON.parse(shown.get("configmaps") ?? "").items)
      for (const [key, value] of Object.entries<string>(binaryData))
        shown.set(`inflated ${key}`, gunzipSync(Buffer.from(value, "base64")).toString());
    for (const file of readdirSync(rig.dir).filter((name) => name.endsWith(".log")))
      shown.set(file, readFileSync(join(rig.dir, file), "utf8"));
    const operatorPort = operator.lines().find(({ msg }) => msg === "operator started")?.adminPort;
    for (const [name, url] of [
      ["the gateway's metrics", `${gateway.adminUrl}/metrics`],
      ["its connections", `${gateway.adminUrl}/connections?limit=1000`],
      ["its readiness", `${gateway.adminUrl}/readyz`],
      ["the operator's metrics", `http://127.0.0.1:${operatorPort}/metrics`],
    ] as const)
      shown.set(name, await (await fetch(url)).text());
    return shown;
  }

  /** A credential as it is, and as it stands in a Secret. A token's signature alone would give it away too. */
  const formsOf = (value: string): string[] => [
    value,
    value.replaceAll("\n", "\\n"),
    Buffer.from(value).toString("base64"),
    encodeURIComponent(value),
    value.split(".").at(-1) ?? value,
  ];
  const leaks = (text: string) =>
    [...credentials.confidential()].filter((value) => formsOf(value).some((form) => text.includes(form)));

  it("is in no ConfigMap, status, Event, log, metric, answer or list of connections", async () => {
    const stage = {
      port: Number(new URL(gateway.url).port),
      apiUrl: gateway.apiUrl,
      fill: credentials.fill,
      waits: "for nothing" as const,
      onAnswer: () => undefined,
    };
    const inQuery = await play(
      { does: "", target: "/?key=<api-key>&a=1" },
      { ...stage, host: "key-in-query.example.com" },
    );
    const byToken = await play(
      { does: "", headers: { Authorization: "Bearer <valid>" } },
      { ...stage, host: "jwt.example.com" },
    );
    const shown = await everythingShown();
    expect(JSON.parse(shown.get("its connections") ?? "").total).toBeGreaterThanOrEqual(2);
    for (const [what, text] of shown) {
      expect(text.length).toBeGreaterThan(0);
      expect({ what, leaks: leaks(text) }).toEqual({ what, leaks: [] });
    }
    await Promise.all([inQuery, byToken].map(({ leave }) => leave()));
  });

  it("would have been found: the Secrets hold it", async () => {
    const found = leaks(await rig.kubectl("get", "secrets", "--all-namespaces", "-o", "json"));
    for (const values of Object.values(credentials.secrets))
      expect(found).toEqual(expect.arrayContaining(Object.values(values)));
    expect(found).toContain("redis-pass-word");
  });
});
