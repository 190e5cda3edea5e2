/** The Grafana dashboard, from a table of panels: dashboards that are drawn by hand cannot be reviewed. Pure. */

type Unit = "short" | "ops" | "Bps" | "s" | "percentunit" | "bytes";

interface Query {
  readonly expr: string;
  /** Grafana's template of a series' name, such as `{{route}}`. */
  readonly legend: string;
}

interface Panel {
  readonly title: string;
  readonly description: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
}

interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const of = (expr: string, legend: string): Query => ({ expr, legend });

/** What the dashboard's variables choose, as a selector of every gateway metric. */
const CHOSEN = 'namespace=~"$namespace",route=~"$route"';
const POD = 'namespace=~"$namespace"';

const CONNECTIONS: Row = {
  title: "Connections",
  panels: [
    {
      title: "Open connections",
      description: "By route.",
      unit: "short",
      queries: [of(`sum by (route) (holdfast_connections{${CHOSEN}})`, "{{route}}")],
    },
    {
      title: "Open connections by pod",
      description: "How evenly they are spread.",
      unit: "short",
      queries: [of(`sum by (pod) (holdfast_connections{${CHOSEN}})`, "{{pod}}")],
    },
    {
      title: "Handshakes",
      description: "By what became of them; reason Accepted is a new connection.",
      unit: "ops",
      queries: [
        of(
          `sum by (code, reason) (rate(holdfast_handshakes_total{${CHOSEN}}[$__rate_interval]))`,
          "{{code}} {{reason}}",
        ),
      ],
    },
    {
      title: "Handshake duration",
      description: "From a handshake's request to its answer, the backend's answer included.",
      unit: "s",
      queries: ["0.5", "0.99"].map((quantile) =>
        of(
          `histogram_quantile(${quantile}, sum by (le) (rate(holdfast_handshake_duration_seconds_bucket{${CHOSEN}}[$__rate_interval])))`,
          `p${Number(quantile) * 100}`,
        ),
      ),
    },
    {
      title: "Closes",
      description: "Connections that ended: the close code, why, and who ended them.",
      unit: "ops",
      queries: [
        of(
          `sum by (code, reason, side) (rate(holdfast_closes_total{${CHOSEN}}[$__rate_interval]))`,
          "{{code}} {{reason}} ({{side}})",
        ),
      ],
    },
    {
      title: "Clients that got no answer",
      description: "Reset before or during the handshake, or turned away for want of file descriptors.",
      unit: "ops",
      queries: [
        of(`sum(rate(holdfast_client_resets_total{${POD}}[$__rate_interval]))`, "resets"),
        of(`sum(rate(holdfast_client_drops_total{${POD}}[$__rate_interval]))`, "no descriptor left"),
      ],
    },
  ],
};

const TRAFFIC: Row = {
  title: "Traffic",
  panels: [
    {
      title: "Messages",
      description: "Data messages forwarded.",
      unit: "ops",
      queries: [
        of(
          `sum by (route, direction) (rate(holdfast_messages_total{${CHOSEN}}[$__rate_interval]))`,
          "{{route}} {{direction}}",
        ),
      ],
    },
    {
      title: "Bytes",
      description: "Bytes forwarded, frame headers included.",
      unit: "Bps",
      queries: [
        of(
          `sum by (route, direction) (rate(holdfast_message_bytes_total{${CHOSEN}}[$__rate_interval]))`,
          "{{route}} {{direction}}",
        ),
      ],
    },
    {
      title: "Hub messages on the bus",
      description: "Messages that pods sent to each other, and pods that cannot (0 is bad).",
      unit: "short",
      queries: [
        of(
          `sum by (direction) (rate(holdfast_bus_messages_total{${POD}}[$__rate_interval]))`,
          "{{direction}} a second",
        ),
        of(`min(holdfast_bus_up{${POD}})`, "bus is up"),
      ],
    },
    {
      title: "Hub messages that were lost",
      description: "Dropped for clients that do not read, and groups that may have missed some in an outage.",
      unit: "ops",
      queries: [
        of(`sum(rate(holdfast_hub_dropped_total{${POD}}[$__rate_interval]))`, "dropped"),
        of(`sum(rate(holdfast_hub_gaps_total{${POD}}[$__rate_interval]))`, "groups with a gap"),
      ],
    },
  ],
};

const PODS: Row = {
  title: "Gateway pods",
  panels: [
    {
      title: "Processor time",
      description: "1 is a whole core; a gateway process uses little more than one.",
      unit: "short",
      queries: [
        of(
          `rate(process_cpu_seconds_total{${POD}}[$__rate_interval]) and on (namespace, pod) holdfast_snapshot_sequence`,
          "{{pod}}",
        ),
      ],
    },
    {
      title: "Memory",
      description: "Resident memory.",
      unit: "bytes",
      queries: [
        of(`process_resident_memory_bytes{${POD}} and on (namespace, pod) holdfast_snapshot_sequence`, "{{pod}}"),
      ],
    },
    {
      title: "Event loop lag, p99",
      description: "How long messages wait for the processor.",
      unit: "s",
      queries: [
        of(`nodejs_eventloop_lag_p99_seconds{${POD}} and on (namespace, pod) holdfast_snapshot_sequence`, "{{pod}}"),
      ],
    },
    {
      title: "Configuration",
      description: "Sequence of the configuration that each pod serves, and those that it refused.",
      unit: "short",
      queries: [
        of(`holdfast_snapshot_sequence{${POD}}`, "{{pod}}"),
        of(`increase(holdfast_snapshot_refused_total{${POD}}[$__rate_interval]) > 0`, "{{pod}} refused"),
      ],
    },
  ],
};

const OPERATOR: Row = {
  title: "Operator",
  panels: [
    {
      title: "Routes",
      description: "WebSocketRoutes by their condition Ready.",
      unit: "short",
      queries: [of('max by (status) (holdfast_operator_routes{condition="Ready"})', "Ready={{status}}")],
    },
    {
      title: "Pods of gateways",
      description: "Pods that there are or should be, and those that serve the newest configuration.",
      unit: "short",
      queries: [of("max by (gateway, state) (holdfast_operator_gateway_pods)", "{{gateway}} {{state}}")],
    },
    {
      title: "Time to decide",
      description: "One pass over everything that has changed, and the writing of the configuration.",
      unit: "s",
      queries: [
        of(
          "histogram_quantile(0.99, sum by (le) (rate(holdfast_operator_pass_duration_seconds_bucket[$__rate_interval])))",
          "p99",
        ),
      ],
    },
    {
      title: "Writes to the API server",
      description: "None while nothing changes.",
      unit: "ops",
      queries: [
        of("sum by (kind) (rate(holdfast_operator_writes_total[$__rate_interval]))", "{{kind}}"),
        of("sum by (kind) (rate(holdfast_operator_write_errors_total[$__rate_interval]))", "{{kind}} failed"),
        of(
          "sum by (resource) (rate(holdfast_operator_watch_failures_total[$__rate_interval]))",
          "watch of {{resource}} failed",
        ),
      ],
    },
    {
      title: "Work that waits",
      description: "Statuses to be written, operator pods that have read everything, and those that lead (one).",
      unit: "short",
      queries: [
        of("sum(holdfast_operator_status_queue_depth)", "statuses to write"),
        of("sum(holdfast_operator_synced)", "operators in sync"),
        of("sum(holdfast_operator_leader)", "leaders"),
      ],
    },
  ],
};

const ROWS = [CONNECTIONS, TRAFFIC, PODS, OPERATOR];
const DATASOURCE = { type: "prometheus", uid: "$datasource" };
const [WIDTH, HEIGHT, COLUMNS] = [8, 8, 3];

/** The dashboard as Grafana imports it. */
export function dashboard(): object {
  return {
    title: "Holdfast",
    uid: "holdfast",
    tags: ["holdfast", "websocket"],
    schemaVersion: 39,
    editable: true,
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    templating: { list: [datasource(), variable("namespace"), variable("route")] },
    panels: layOut(),
  };
}

function datasource(): object {
  return { name: "datasource", label: "Data source", type: "datasource", query: "prometheus" };
}

function variable(name: "namespace" | "route"): object {
  const query = `label_values(holdfast_connections, ${name})`;
  return {
    name,
    label: name === "route" ? "Route" : "Namespace of the gateway",
    type: "query",
    datasource: DATASOURCE,
    query: { query, refId: name },
    definition: query,
    refresh: 2,
    multi: true,
    includeAll: true,
    // Not the list of all: what is chosen by default must include handshakes that met no route.
    allValue: ".*",
    current: { text: "All", value: "$__all" },
  };
}

function layOut(): object[] {
  const panels: object[] = [];
  let y = 0;
  for (const row of ROWS) {
    panels.push({
      id: panels.length + 1,
      type: "row",
      title: row.title,
      gridPos: { x: 0, y, w: 24, h: 1 },
      panels: [],
    });
    y += 1;
    row.panels.forEach((panel, index) => {
      const place = { x: (index % COLUMNS) * WIDTH, y: y + Math.floor(index / COLUMNS) * HEIGHT, w: WIDTH, h: HEIGHT };
      panels.push({ id: panels.length + 1, ...timeSeries(panel), gridPos: place });
    });
    y += Math.ceil(row.panels.length / COLUMNS) * HEIGHT;
  }
  return panels;
}

function timeSeries({ title, description, unit, queries }: Panel): object {
  return {
    type: "timeseries",
    title,
    description,
    datasource: DATASOURCE,
    fieldConfig: { defaults: { unit, min: 0, custom: { fillOpacity: 10 } }, overrides: [] },
    options: { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi", sort: "desc" } },
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      expr,
      legendFormat: legend,
    })),
  };
}
