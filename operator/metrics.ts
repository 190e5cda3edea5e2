/** The operator's own figures. Label values come from tables and resource names, never from what a user wrote. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Cluster } from "./cluster.ts";
import { ConditionCounts } from "./condition-counts.ts";

export interface OperatorMetrics {
  readonly registry: Registry;
  /** One pass: deciding and writing the snapshots. */
  readonly passSeconds: Histogram<"result">;
  /** Requests that may have changed something; `kind` is a snapshot role, `status`, `event` or `delete`. */
  readonly writes: Counter<"kind">;
  readonly writeErrors: Counter<"kind">;
  /** Watches that had to begin again, by resource. */
  readonly watchFailures: Counter<"resource">;
  /** Times that this process began or ceased to lead. */
  readonly leaderTransitions: Counter;
}

export interface MetricsSource {
  readonly cluster: Cluster;
  unsynced(): readonly string[];
  queueDepth(): number;
  /** Whether this operator is the one that writes. */
  leads(): boolean;
}

export function createMetrics(source: MetricsSource): OperatorMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  gauges(registry, source);
  return {
    registry,
    passSeconds: new Histogram({
      name: "holdfast_operator_pass_duration_seconds",
      help: "Time to decide and to write the snapshots, once for each pass.",
      labelNames: ["result"],
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    writes: new Counter({
      name: "holdfast_operator_writes_total",
      help: "Requests to the API server that may have changed something.",
      labelNames: ["kind"],
      registers,
    }),
    writeErrors: new Counter({
      name: "holdfast_operator_write_errors_total",
      help: "Writes that failed and are going to be tried again.",
      labelNames: ["kind"],
      registers,
    }),
    watchFailures: new Counter({
      name: "holdfast_operator_watch_failures_total",
      help: "Lists and watches that failed and began again.",
      labelNames: ["resource"],
      registers,
    }),
    leaderTransitions: new Counter({
      name: "holdfast_operator_leader_transitions_total",
      help: "Times that this operator began to lead or ceased to.",
      registers,
    }),
  };
}

function gauges(registry: Registry, source: MetricsSource): void {
  const registers = [registry];
  const counts = new ConditionCounts();
  new Gauge({
    name: "holdfast_operator_synced",
    help: "1 when everything that is watched has been read.",
    registers,
    collect() {
      this.set(source.unsynced().length === 0 ? 1 : 0);
    },
  });
  new Gauge({
    name: "holdfast_operator_leader",
    help: "1 while this operator is the one that writes.",
    registers,
    collect() {
      this.set(source.leads() ? 1 : 0);
    },
  });
  new Gauge({
    name: "holdfast_operator_status_queue_depth",
    help: "Objects whose status is still to be written.",
    registers,
    collect() {
      this.set(source.queueDepth());
    },
  });
  new Gauge({
    name: "holdfast_operator_routes",
    help: "WebSocketRoutes by the state of each of their conditions.",
    labelNames: ["condition", "status"],
    registers,
    collect() {
      for (const [state, count] of counts.of(source.cluster.routes)) {
        const [condition = "", status = ""] = state.split(" ");
        this.set({ condition, status }, count);
      }
    },
  });
  new Gauge({
    name: "holdfast_operator_gateway_pods",
    help: "Pods of each gateway: known ones, which are or should be there, and serving ones.",
    labelNames: ["gateway", "state"],
    registers,
    collect() {
      this.reset();
      for (const [gateway, { status }] of source.cluster.gateways) {
        const [, serving, known] =
          /^(\d+)\/(\d+)$/.exec(String((status as { pods?: unknown } | undefined)?.pods)) ?? [];
        if (known === undefined) continue;
        this.set({ gateway, state: "serving" }, Number(serving));
        this.set({ gateway, state: "known" }, Number(known));
      }
    },
  });
}
