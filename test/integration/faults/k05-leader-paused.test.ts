// K5: two operators alive, the leader paused for four times as long as its Lease lives, while routes change all the time. The API
// server's audit log tells who wrote. HOLDFAST_TEST_LEASE=real runs it with the timing that operators have by default.
import { setInterval, setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { LEADER_LEASE } from "../../../operator/election.ts";
import { type AuditedWrite, type AuditLog, createAuditLog } from "../../support/audit.ts";
import { type ClusterRig, startClusterRig } from "../../support/cluster-rig.ts";
import { CONTROL_PLANE_TIMEOUT_MS } from "../../support/controlplane.ts";
import { eventually } from "../../support/eventually.ts";
import type { HoldfastProcess } from "../../support/holdfast.ts";
import { manifestsIn, routeTarget } from "../../support/operator.ts";

const REAL = { lease: 15_000, deadline: 10_000, retry: 2_000, pause: 60_000 };
const SCALED = { lease: 3_000, deadline: 2_000, retry: 400, pause: 12_000 };
const TIMING = process.env.HOLDFAST_TEST_LEASE === "real" ? REAL : SCALED;
/** From the leader's death until another one has written: the Lease, a look or two, and the work itself. */
const FAILOVER_MS = TIMING.lease + 2 * TIMING.retry + 1_000;

let audit: AuditLog;
let rig: ClusterRig;
let namespace: string;

beforeAll(async () => {
  audit = createAuditLog();
  rig = await startClusterRig({ apiServerArgs: audit.apiServerArgs });
  namespace = await rig.plane.newNamespace();
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(async () => {
  await rig?.stop();
  audit?.remove();
});

interface Operator {
  readonly name: string;
  readonly process: HoldfastProcess;
  /** Everything that it wrote, but for the Lease itself. */
  writes(): AuditedWrite[];
  /** 0 or 1, by its own metric. */
  leads(): Promise<number>;
  ready(): Promise<boolean>;
}

/** An operator with a name of its own at the API server. */
async function startOperator(name: string): Promise<Operator> {
  const user = `system:serviceaccount:${namespace}:${name}`;
  await rig.kubectl("create", "serviceaccount", name, "-n", namespace);
  const admin = ["create", "clusterrolebinding", name, "--clusterrole=cluster-admin"];
  await rig.kubectl(...admin, `--serviceaccount=${namespace}:${name}`);
  const kubeconfig = await rig.plane.serviceAccountKubeconfig({ namespace, name });
  const flags = {
    kubeconfig,
    identity: name,
    "leader-namespace": namespace,
    "leader-lease": `${TIMING.lease}ms`,
    "leader-renew-deadline": `${TIMING.deadline}ms`,
    "leader-retry": `${TIMING.retry}ms`,
  };
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
  const process = await rig.startOperator(...args);
  const { adminPort } = await process.line("its port", ({ msg }) => msg === "operator started", { timeout: 20_000 });
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  return {
    name,
    process,
    writes: () => audit.writes().filter((write) => write.user === user && write.name !== LEADER_LEASE),
    leads: async () => {
      const text = await (await fetch(`${adminUrl}/metrics`)).text();
      return Number(/^holdfast_operator_leader (\d)$/m.exec(text)?.[1]);
    },
    ready: async () => (await fetch(`${adminUrl}/readyz`)).ok,
  };
}

/** Changes one of ten routes ten times a second, until told to stop. */
function keepChanging(): () => Promise<number> {
  let stopped = false;
  const running = (async () => {
    let changes = 0;
    for await (const _tick of setInterval(100)) {
      if (stopped) break;
      const target = routeTarget(namespace, `route-${changes % 10}`);
      await rig.client.merge(target, { spec: { hostnames: [`v${changes++}.example.com`] } });
    }
    return changes;
  })();
  return () => {
    stopped = true;
    return running;
  };
}

const writtenSince = (operator: Operator, time: number) =>
  eventually(`${operator.name} writes`, () => operator.writes().find(({ at }) => at >= time), FAILOVER_MS + 10_000);

it("there is one writer at any time, through a pause, a crash and an orderly stop", async () => {
  const { gateway, route, service, endpoints } = manifestsIn(namespace);
  const routes = Array.from({ length: 10 }, (_, number) => route(`route-${number}`));
  const list = { apiVersion: "v1", kind: "List", items: [gateway(), service(), endpoints(), ...routes] };
  await rig.apply(JSON.stringify(list));
  const a = await startOperator("a");
  await writtenSince(a, 0);
  const b = await startOperator("b");
  await b.process.line("that it stands by", ({ msg }) => msg?.startsWith("standing by"));
  await eventually("the standby is ready: it has read everything", () => b.ready());
  expect([await a.leads(), await b.leads()]).toEqual([1, 0]);
  const changingAt = Date.now();
  const stopChanging = keepChanging();
  await writtenSince(a, changingAt);

  const pausedAt = Date.now();
  a.process.signal("SIGSTOP");
  const first = await writtenSince(b, pausedAt);
  const afterPause = first.at - pausedAt;
  await sleep(pausedAt + TIMING.pause - Date.now());
  const wokenAt = Date.now();
  a.process.signal("SIGCONT");
  await a.process.line("that it leads no more", ({ msg }) => msg?.startsWith("not leading"));
  // Long enough for whatever it had decided before, and for what its watches bring.
  await sleep(3_000);
  expect([await a.leads(), await b.leads()]).toEqual([0, 1]);
  expect(a.writes().filter(({ at }) => at >= wokenAt)).toEqual([]);
  expect(a.writes().at(-1)?.at).toBeLessThan(first.at);
  expect(b.writes()[0]?.at).toBe(first.at);

  const killedAt = Date.now();
  await b.process.kill();
  const afterKill = (await writtenSince(a, killedAt)).at - killedAt;

  const c = await startOperator("c");
  await c.process.line("that it stands by", ({ msg }) => msg?.startsWith("standing by"));
  await eventually("the new standby is ready", () => c.ready());
  const stoppedAt = Date.now();
  a.process.signal("SIGTERM");
  // It gives the Lease up when what it was writing is written, which is the API server's time and not the election's.
  const endedAt = a.process.ended.then((end) => {
    expect(end).toBe("code 0");
    return Date.now();
  });
  const next = await writtenSince(c, stoppedAt);
  const afterStop = next.at - stoppedAt;
  expect(next.at - (await endedAt)).toBeLessThan(2 * TIMING.retry + 1_000);
  expect(c.writes()[0]?.at).toBeGreaterThanOrEqual(a.writes().at(-1)?.at ?? Number.POSITIVE_INFINITY);

  const changes = await stopChanging();
  const figures = { changes, afterPause, afterKill, afterStop, writes: [a, b, c].map((each) => each.writes().length) };
  process.stdout.write(`K5 failover in ms: ${JSON.stringify(figures)}\n`);
  expect(afterPause).toBeLessThan(FAILOVER_MS);
  expect(afterKill).toBeLessThan(FAILOVER_MS);
  expect(afterStop).toBeLessThan(FAILOVER_MS);
}, 180_000);
