// A rollout of gateways with clients that come back, on a real node: `make bench-rollout`. The chart is installed, kube-proxy leads
// clients to ready pods, and `kubectl rollout restart` replaces them all.
//   HOLDFAST_IMAGE=… test/in-netns.sh node test/bench/rollout.ts [--gateways 3] [--clients 3000] [--rate 100]
import { parseArgs } from "node:util";
import { GATEWAY, Release } from "../e2e/release.ts";
import { until } from "../support/controlplane/apiserver-client.ts";
import { type Outcome, ReturningClients } from "./returning-clients.ts";

const { values } = parseArgs({
  options: {
    gateways: { type: "string", default: "3" },
    clients: { type: "string", default: "3000" },
    /** drain.maxDisconnectsPerSecond, of each pod. */
    rate: { type: "string", default: "100" },
  },
});
const BUCKET_MS = 100;
/** A longer time without any return lies between two pods' drains, and is not part of the mean. */
const GAP_MS = 1_000;

/** Returns in each bucket of the times in which there were any. */
function buckets(returns: readonly number[]): number[] {
  const counts: number[] = [];
  let [bucket, last] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const at of returns) {
    const own = Math.floor(at / BUCKET_MS);
    if (at - last > GAP_MS) counts.push(0);
    else for (let missing = own - bucket; missing > 0; missing--) counts.push(0);
    counts[counts.length - 1] = (counts.at(-1) ?? 0) + 1;
    [bucket, last] = [own, at];
  }
  return counts;
}

function listed(counts: ReadonlyMap<string | number, number>): string {
  return [...counts].map(([what, times]) => `${times} × ${what}`).join(", ") || "none";
}

function report({ closes, failures, unanswered, returns }: Outcome, seconds: number): boolean {
  const abnormal = new Map([...closes].filter(([code]) => code !== 1012));
  const perBucket = buckets(returns);
  const peak = Math.max(...perBucket);
  const mean = returns.length / perBucket.length;
  const lines = [
    `rollout: ${seconds.toFixed(1)} s from the restart to the last pod's end`,
    `closes: ${listed(closes)}`,
    `abnormal closes: ${listed(abnormal)} (budget: none)`,
    `failed handshakes: ${listed(failures)} (budget: none)`,
    `messages without an answer: ${unanswered} (budget: 0)`,
    `returns: ${returns.length}; in ${BUCKET_MS} ms ${mean.toFixed(1)} in the mean, ${peak} at the peak: ${(peak / mean).toFixed(1)}×`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  return abnormal.size === 0 && failures.size === 0 && unanswered === 0;
}

async function measure(release: Release): Promise<boolean> {
  const count = Number(values.clients);
  await release.deploy(
    "install",
    `gateway.replicas=${values.gateways}`,
    `gateway.drain.maxDisconnectsPerSecond=${values.rate}`,
  );
  await release.applyApps();
  await release.apps("wait", "--for=condition=Ready", "wsr/echo", "--timeout=60s");
  await release.apps("wait", "--for=condition=Available", "deployment/echo", "--timeout=60s");
  // kube-proxy may be a moment behind the endpoints.
  await until("a client gets through", 10_000, async () => {
    const socket = await release.connect("/echo").catch(() => undefined);
    socket?.terminate();
    return socket !== undefined;
  });
  const clients = await ReturningClients.connect(await release.url("/echo"), count);
  process.stdout.write(
    `${values.gateways} gateways, ${count} clients, ${values.rate} closes a second from each pod that drains\n`,
  );

  const pods = (await release.gatewayPods()).map((name) => `pod/${name}`);
  const started = Date.now();
  await release.own("rollout", "restart", `deployment/${GATEWAY}`);
  await release.own("rollout", "status", `deployment/${GATEWAY}`, "--timeout=300s");
  await release.own("wait", "--for=delete", ...pods, "--timeout=120s");
  const seconds = (Date.now() - started) / 1000;
  await until("every client is connected", 30_000, async () => clients.connected === count);
  const isGood = report(clients.outcome, seconds);
  clients.end();
  return isGood;
}

const release = await Release.prepare();
try {
  process.exitCode = (await measure(release)) ? 0 : 1;
} finally {
  await release.node.stop();
}
