// Alerts and dashboard: that Prometheus takes them, that they fire when they should, and that they ask for what is really exported.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { Registry } from "prom-client";
import { parse, stringify } from "yaml";
import { addProcessMetrics, Metrics } from "../../gateway/observe/metrics.ts";
import { CLOSES, REFUSALS } from "../../gateway/refusals.ts";
import { createClusterStore } from "../../operator/cluster.ts";
import { createMetrics } from "../../operator/metrics.ts";
import { CHART, findHelms, HELM_TIMEOUT_MS, type Helms, type Manifest, pick } from "../support/chart.ts";
import { runCommand } from "../support/controlplane/command.ts";

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}
interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Alert[] }[];
}

const ALERTS = join(CHART, "files/alerts.yaml");
const alerts = (parse(readFileSync(ALERTS, "utf8")) as RuleFile).groups.flatMap(({ rules }) => rules);

let folder: string;
let helms: Helms;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-alerts-"));
  helms = await findHelms();
}, HELM_TIMEOUT_MS);
afterAll(() => {
  helms?.clean();
  rmSync(folder, { recursive: true, force: true });
});

const promtool = async (command: string, content: object) => {
  const file = join(folder, "file.yaml");
  writeFileSync(file, stringify(content));
  const { code, stdout, stderr } = await runCommand("promtool", [command, "rules", file]);
  return { code, words: stdout + stderr };
};

const rendered = async (rules: object) =>
  pick<Manifest & { spec: RuleFile }>(
    await helms.latest.template({ monitoring: { rules: { enabled: true, ...rules } } }),
    "PrometheusRule",
  ).spec;

const pod = 'namespace="holdfast",pod="holdfast-public-a"';
const pods = (state: string) => `holdfast_operator_gateway_pods{gateway="holdfast/public",state="${state}"}`;

/** Series (a sample each minute) with which an alert fires, and some with which it does not. */
const CASES: readonly (readonly [alert: string, fires: Record<string, string>, rests: Record<string, string>])[] = [
  [
    "HoldfastPodsMissing",
    { [pods("serving")]: "2x30", [pods("known")]: "3x30" },
    { [pods("serving")]: "3x30", [pods("known")]: "3x30" },
  ],
  ["HoldfastNoPods", { [pods("serving")]: "0x30" }, { [pods("serving")]: "1x30" }],
  [
    "HoldfastSnapshotRefused",
    { [`holdfast_snapshot_refused_total{${pod}}`]: "0x20 1x10" },
    { [`holdfast_snapshot_refused_total{${pod}}`]: "4x30" },
  ],
  [
    "HoldfastConfigurationStale",
    {
      'holdfast_snapshot_sequence{namespace="holdfast",pod="a",holdfast_dev_gateway="public"}': "7x30",
      'holdfast_snapshot_sequence{namespace="holdfast",pod="b",holdfast_dev_gateway="public"}': "6x30",
    },
    {
      'holdfast_snapshot_sequence{namespace="holdfast",pod="a",holdfast_dev_gateway="public"}': "7x30",
      'holdfast_snapshot_sequence{namespace="holdfast",pod="b",holdfast_dev_gateway="other"}': "6x30",
    },
  ],
  ["HoldfastBusDown", { [`holdfast_bus_up{${pod}}`]: "0x30" }, { [`holdfast_bus_up{${pod}}`]: "1x30" }],
  [
    "HoldfastHandshakesFail",
    {
      'holdfast_handshakes_total{route="apps/chat",code="101",reason="Accepted"}': "0+90x30",
      'holdfast_handshakes_total{route="apps/chat",code="502",reason="BackendRefused"}': "0+10x30",
    },
    {
      'holdfast_handshakes_total{route="apps/chat",code="101",reason="Accepted"}': "0+90x30",
      'holdfast_handshakes_total{route="apps/chat",code="503",reason="Draining"}': "0+10x30",
    },
  ],
  [
    "HoldfastConnectionsRefused",
    { 'holdfast_handshakes_total{route="apps/chat",code="503",reason="TooManyConnections"}': "0+120x30" },
    { 'holdfast_handshakes_total{route="apps/chat",code="403",reason="OriginDenied"}': "0+120x30" },
  ],
  [
    "HoldfastBackendsLost",
    { 'holdfast_closes_total{route="apps/chat",code="1014",reason="BackendLost",side="backend"}': "0+120x30" },
    { 'holdfast_closes_total{route="apps/chat",code="1000",reason="BackendClosed",side="backend"}': "0+120x30" },
  ],
  [
    "HoldfastEventLoopHeld",
    { [`nodejs_eventloop_lag_p99_seconds{${pod}}`]: "0.2x30", [`holdfast_snapshot_sequence{${pod}}`]: "1x30" },
    { 'nodejs_eventloop_lag_p99_seconds{namespace="apps",pod="somebody-else"}': "0.2x30" },
  ],
  [
    "HoldfastHandshakesSlow",
    {
      'holdfast_handshake_duration_seconds_bucket{route="apps/chat",le="1"}': "0+90x30",
      'holdfast_handshake_duration_seconds_bucket{route="apps/chat",le="5"}': "0+100x30",
      'holdfast_handshake_duration_seconds_bucket{route="apps/chat",le="+Inf"}': "0+100x30",
    },
    {
      'holdfast_handshake_duration_seconds_bucket{route="apps/chat",le="0.1"}': "0+100x30",
      'holdfast_handshake_duration_seconds_bucket{route="apps/chat",le="+Inf"}': "0+100x30",
    },
  ],
  [
    "HoldfastDescriptorsShort",
    { [`holdfast_client_drops_total{${pod}}`]: "0x20 5x10" },
    { [`holdfast_client_drops_total{${pod}}`]: "5x30" },
  ],
  [
    "HoldfastOperatorCannotWatch",
    { 'holdfast_operator_watch_failures_total{resource="secrets"}': "0+6x30" },
    { 'holdfast_operator_watch_failures_total{resource="secrets"}': "0+1x30" },
  ],
  [
    "HoldfastOperatorNotSynced",
    { 'holdfast_operator_synced{pod="a"}': "0x30" },
    { 'holdfast_operator_synced{pod="a"}': "1x30" },
  ],
  [
    "HoldfastNoLeader",
    { 'holdfast_operator_leader{pod="a"}': "0x30" },
    { 'holdfast_operator_leader{pod="a"}': "0x30", 'holdfast_operator_leader{pod="b"}': "1x30" },
  ],
  [
    "HoldfastOperatorCannotWrite",
    { 'holdfast_operator_write_errors_total{kind="object"}': "0+1x40" },
    { 'holdfast_operator_write_errors_total{kind="object"}': "3x40" },
  ],
  [
    "HoldfastRoutesNotReady",
    { 'holdfast_operator_routes{pod="a",condition="Ready",status="False"}': "2x40" },
    { 'holdfast_operator_routes{pod="a",condition="Ready",status="True"}': "2x40" },
  ],
];

describe("the alerts", () => {
  it("are rules that Prometheus takes, as they are and as the chart makes them", async () => {
    expect(await promtool("check", parse(readFileSync(ALERTS, "utf8")))).toMatchObject({ code: 0 });
    const checked = await promtool("check", await rendered({ alertLabels: { team: "platform" } }));
    expect(checked).toMatchObject({ code: 0, words: expect.stringContaining(`SUCCESS: ${alerts.length} rules found`) });
  });

  it("can be left out one by one, and get labels of one's own that win", async () => {
    const { groups } = await rendered({
      disabled: ["HoldfastBusDown"],
      alertLabels: { severity: "page", team: "edge" },
    });
    const kept = groups.flatMap(({ rules }) => rules);
    expect(kept.map(({ alert }) => alert)).toEqual(
      alerts.map(({ alert }) => alert).filter((name) => name !== "HoldfastBusDown"),
    );
    for (const { labels } of kept) expect(labels).toEqual({ severity: "page", team: "edge" });
  });

  it("have a case here, each of them", () => {
    expect(CASES.map(([name]) => name).sort()).toEqual(alerts.map(({ alert }) => alert).sort());
  });

  it.each(CASES)("%s fires when it should, and only then", async (name, fires, rests) => {
    const firing = async (series: Record<string, string>) => {
      const inputs = Object.entries(series).map(([key, values]) => ({ series: key, values }));
      const at = { eval_time: "25m", alertname: name };
      const tests = [{ interval: "1m", input_series: inputs, alert_rule_test: [at] }];
      // promtool compares whole alerts; that it says there are none expected is enough to know whether there is one.
      return promtool("test", { rule_files: [ALERTS], evaluation_interval: "1m", tests });
    };
    const loud = await firing(fires);
    expect(loud.code).toBe(1);
    expect(loud.words).toContain(`alertname: ${name}`);
    expect(loud.words).not.toContain("<no value>");
    expect(await firing(rests)).toMatchObject({ code: 0 });
  });
});

describe("what they and the dashboard ask for", () => {
  /** Labels that Prometheus gives to what it scrapes from pods, and that of a histogram's buckets. */
  const SCRAPED = ["namespace", "pod", "holdfast_dev_gateway", "le"];
  const exported = new Map<string, readonly string[]>();
  beforeAll(async () => {
    const gateway = new Metrics();
    addProcessMetrics(gateway);
    const source = { cluster: createClusterStore(), unsynced: () => [], queueDepth: () => 0, leads: () => true };
    for (const registry of [gateway.registry, createMetrics(source).registry]) await collect(registry);
  });

  async function collect(registry: Registry): Promise<void> {
    for (const { name, type } of await registry.getMetricsAsJSON()) {
      const { labelNames = [] } = registry.getSingleMetric(name) as unknown as { labelNames?: readonly string[] };
      const suffixes = String(type) === "histogram" ? ["_bucket", "_count", "_sum"] : [""];
      for (const suffix of suffixes) exported.set(name + suffix, labelNames);
    }
  }

  const dashboard = JSON.parse(readFileSync(join(CHART, "files/dashboard.json"), "utf8")) as {
    readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[];
  };
  const queries: [string, string][] = [
    ...alerts.map(({ alert, expr }): [string, string] => [alert, expr]),
    ...dashboard.panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }): [string, string] => [title, expr]),
    ),
  ];

  it.each(queries)("is exported, with these labels: %s", (_name, expr) => {
    const names = [...expr.matchAll(/\b((?:holdfast|nodejs|process)_[a-z0-9_]+)\b/g)].map(([, name]) => name ?? "");
    const metrics = names.filter((name) => !SCRAPED.includes(name));
    expect(metrics.length).toBeGreaterThan(0);
    for (const metric of metrics) expect([...exported.keys()]).toContain(metric);
    const known = [...SCRAPED, ...metrics.flatMap((metric) => exported.get(metric) ?? [])];
    for (const [, metric = "", selector = ""] of expr.matchAll(/(\w+)\{([^}]*)\}/g)) {
      const labels = [...selector.matchAll(/(\w+)\s*[=!]~?/g)].map(([, label]) => label);
      expect([...SCRAPED, ...(exported.get(metric) ?? [])]).toEqual(expect.arrayContaining(labels));
    }
    for (const [, list = ""] of expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g))
      for (const label of list.split(",")) expect(known).toContain(label.trim());
  });

  it("are queries that Prometheus can read, the dashboard's too", async () => {
    const rules = queries.map(([, expr], index) => ({
      record: `query_${index}`,
      expr: expr.replaceAll("$__rate_interval", "5m"),
    }));
    expect(await promtool("check", { groups: [{ name: "queries", rules }] })).toMatchObject({ code: 0 });
  });

  it("names reasons and codes of the tables", () => {
    const reasons = new Set<string>([...Object.keys(REFUSALS), ...Object.keys(CLOSES)]);
    const named = alerts.flatMap(({ expr }) =>
      [...expr.matchAll(/reason[=!]~?"([^"]+)"/g)].flatMap(([, list = ""]) => list.split("|")),
    );
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((reason) => !reasons.has(reason))).toEqual([]);
  });
});
