// Measures the tunnel beside other proxies, alternating in one run, and prints medians and ratios against the budgets.
//   node test/bench/run.ts [--rounds 5] [--seconds 2] [--connections 50] [--idle 4000] [--only holdfast,nginx]
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { IDLE_BUDGET, LIMITS_BUDGET, SCENARIOS, type Scenario } from "./budgets.ts";
import {
  type Contender,
  collectGarbage,
  HAPROXY,
  HOLDFAST,
  HTTP_PROXY,
  INSPECTED,
  NGINX,
  type Running,
  start,
  WITH_LIMITS,
} from "./contenders.ts";
import { median } from "./median.ts";
import { Peers } from "./peers-control.ts";
import { cpuSeconds, residentBytes } from "./process-usage.ts";

const PROXY_CPU = 0;
const PEERS_CPU = 1;
const WARM_UP = 500;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    connections: { type: "string", default: "50" },
    idle: { type: "string", default: "4000" },
    only: { type: "string", default: "holdfast,with-limits,inspected,nginx,haproxy,http-proxy" },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const wanted = new Set(values.only.split(","));
const contenders = [HOLDFAST, WITH_LIMITS, INSPECTED, NGINX, HAPROXY, HTTP_PROXY].filter(({ name }) =>
  wanted.has(name),
);

/** Microseconds of the proxy's CPU for each message that went there and back. */
async function measureCpu(proxy: Running, peers: Peers, scenario: Scenario): Promise<number> {
  await peers.open({ ...scenario, port: proxy.port, connections: Number(values.connections) });
  await sleep(WARM_UP);
  const [cpuBefore, countBefore] = [cpuSeconds(proxy.pid), await peers.count()];
  await sleep(seconds * 1000);
  const [cpu, count] = [cpuSeconds(proxy.pid) - cpuBefore, (await peers.count()) - countBefore];
  await peers.close();
  return (cpu * 1e6) / count;
}

/** Bytes that each idle connection adds to a process that has served some before. */
async function measureIdle(contender: Contender, peers: Peers, where: Parameters<typeof start>[1]): Promise<number> {
  const proxy = await start(contender, where);
  const idle = { port: proxy.port, size: 128, window: 0 };
  try {
    await peers.open({ ...idle, connections: 50 });
    await peers.close();
    await collectGarbage(proxy);
    const before = residentBytes(proxy.pid);
    await peers.open({ ...idle, connections: Number(values.idle) });
    await collectGarbage(proxy);
    const after = residentBytes(proxy.pid);
    await peers.close();
    return (after - before) / Number(values.idle);
  } finally {
    await proxy.stop();
  }
}

function verdict(value: number, budget: number | undefined): string {
  if (budget === undefined) return "";
  return value <= budget ? ` (≤ ${budget}: holds)` : ` (≤ ${budget}: OVER)`;
}

async function benchCpu(peers: Peers, where: Parameters<typeof start>[1]): Promise<void> {
  const running: Running[] = [];
  try {
    for (const contender of contenders) running.push(await start(contender, where));
    for (const scenario of SCENARIOS) {
      const costs = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
      // The round before the first one only warms up.
      for (let round = 0; round <= rounds; round += 1) {
        for (const proxy of running) {
          const cost = await measureCpu(proxy, peers, scenario);
          if (round > 0) costs.get(proxy.contender.name)?.push(cost);
        }
      }
      printCpu(scenario, costs);
    }
  } finally {
    await Promise.all(running.map((proxy) => proxy.stop()));
  }
}

function printCpu({ name, budgets }: Scenario, costs: ReadonlyMap<string, readonly number[]>): void {
  console.log(`\n${name}, CPU a message there and back, median of ${rounds} rounds (lowest to highest)`);
  const ours = median(costs.get(HOLDFAST.name) ?? []);
  for (const [contender, all] of costs) {
    const range = `${Math.min(...all).toFixed(2)} to ${Math.max(...all).toFixed(2)}`;
    const ratio = ours / median(all);
    const note = contender === HOLDFAST.name ? "" : noteOf(contender, ratio, budgets);
    console.log(`  ${contender.padEnd(12)} ${median(all).toFixed(2).padStart(8)} µs  ${range.padEnd(18)}${note}`);
  }
}

/** With limits or with messages read, Holdfast is compared with itself; otherwise with the contender. */
function noteOf(contender: string, ratio: number, budgets: Scenario["budgets"]): string {
  if (contender === WITH_LIMITS.name)
    return `  ${(1 / ratio).toFixed(2)}× holdfast${verdict(1 / ratio, LIMITS_BUDGET)}`;
  if (contender === INSPECTED.name) return `  ${(1 / ratio).toFixed(2)}× holdfast`;
  return `  holdfast ${ratio.toFixed(2)}×${verdict(ratio, budgets[contender])}`;
}

async function benchIdle(peers: Peers, where: Parameters<typeof start>[1]): Promise<void> {
  console.log(`\nMemory an idle connection, ${values.idle} of them`);
  for (const contender of contenders) {
    const bytes = await measureIdle(contender, peers, where);
    const note = contender === HOLDFAST ? verdict(bytes / 1024, IDLE_BUDGET / 1024) : "";
    console.log(`  ${contender.name.padEnd(12)} ${(bytes / 1024).toFixed(1).padStart(8)} KiB${note}`);
  }
}

const [load = 0] = loadavg();
if (load > 1) console.log(`This machine is busy (load ${load.toFixed(1)}): ratios will scatter.`);
const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
const peers = new Peers(PEERS_CPU);
try {
  const where = { folder, backend: await peers.backendPort(), cpu: PROXY_CPU };
  await benchCpu(peers, where);
  if (Number(values.idle) > 0) await benchIdle(peers, where);
} finally {
  peers.stop();
  rmSync(folder, { recursive: true, force: true });
}
