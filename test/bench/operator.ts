// The operator with many routes, on a real API server: `make bench-operator`. The budgets are the ones of the design.
//   node test/bench/operator.ts [--routes 10000] [--namespaces 200] [--storm 60]
import { parseArgs } from "node:util";
import { startClusterRig } from "../support/cluster-rig.ts";
import { type LongestPause, populate, ScaleRun } from "./operator-scale.ts";

const { values } = parseArgs({
  options: {
    routes: { type: "string", default: "10000" },
    namespaces: { type: "string", default: "200" },
    storm: { type: "string", default: "60" },
  },
});
const scale = {
  routes: Number(values.routes),
  namespaces: Number(values.namespaces),
  changes: 50,
  perSecond: 100,
  stormSeconds: Number(values.storm),
  churnPerSecond: 20,
  churnSeconds: 15,
};

const ms = (value: number) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
const quantile = (list: readonly number[], at: number) =>
  [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(at * list.length))] ?? Number.NaN;
const held = (value: number, budget: number) => `${ms(value)} (≤ ${budget} ms: ${value <= budget ? "holds" : "OVER"})`;
const say = (what: string, figures: Readonly<Record<string, string | number>>) =>
  process.stdout.write(
    `${what}: ${Object.entries(figures)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ")}\n`,
  );

type Steady = Awaited<ReturnType<ScaleRun["storm"]>>;

const paused = ({ ownMs, clockMs }: LongestPause) => `${held(ownMs, 20)}, ${ms(clockMs)} by the clock`;

function saySteady(what: string, steady: Steady, pause: LongestPause): void {
  say(what, {
    changes: steady.changes,
    "a second": steady.ratePerSecond.toFixed(0),
    revisions: steady.revisions,
    passes: steady.passes,
    pass: ms(steady.passMs),
    "CPU a change": ms(steady.cpuMsPerChange),
    writes: JSON.stringify(steady.writes),
    "writes a change": (Object.values(steady.writes).reduce((a, b) => a + b, 0) / steady.changes).toFixed(2),
    "status queue": `${Math.max(...steady.depths)} at most`,
    "settled after": ms(steady.settledMs),
    "gateway's longest pause": paused(pause),
  });
}

const rig = await startClusterRig();
const run = new ScaleRun(rig, scale);
try {
  const populateAt = Date.now();
  await populate(rig, scale);
  say(`${scale.routes} routes in ${scale.namespaces} namespaces`, { "created in": ms(Date.now() - populateAt) });
  const { indexMs, servedMs, statusesMs } = await run.start();
  say("start-up", { "first index": ms(indexMs), "gateway serves": ms(servedMs), "all statuses": ms(statusesMs) });
  const { operator, gateway } = await run.residentMemory();
  say("memory then", { operator: mib(operator), "a gateway": mib(gateway) });
  run.longestPause();
  const { written, acknowledged, passMs, cpuMs } = await run.changeOneByOne();
  say("one change", {
    "operator's passes": held(passMs, 100),
    "its CPU": ms(cpuMs),
    "written p50": ms(quantile(written, 0.5)),
    "acknowledged p50": ms(quantile(acknowledged, 0.5)),
    p99: held(quantile(acknowledged, 0.99), 1000),
    "gateway's longest pause": paused(run.longestPause()),
  });
  saySteady("storm", await run.storm(), run.longestPause());
  saySteady("endpoint churn", await run.churn(), run.longestPause());
} finally {
  run.stop();
  await rig.stop();
}
