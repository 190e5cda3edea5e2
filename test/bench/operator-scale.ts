// Many routes on a real API server, with the operator and a gateway as real processes: what start-up, changes and churn cost.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { SNAPSHOT_OBJECTS } from "../../gateway/snapshot.ts";
import { systemClock } from "../../kube/clock.ts";
import { listWatch } from "../../kube/listwatch.ts";
import type { KubeObject } from "../../kube/objects.ts";
import { RESOURCES } from "../../kube/resources.ts";
import { inParallel } from "../../operator/parallel.ts";
import type { ClusterRig, GatewayProcess } from "../support/cluster-rig.ts";
import { eventually } from "../support/eventually.ts";
import { manifestsIn, routeTarget } from "../support/operator.ts";
import { Figures } from "./figures.ts";
import { readPauses } from "./own-pauses.ts";

export interface Scale {
  readonly namespaces: number;
  readonly routes: number;
  /** Single changes, one after the other. */
  readonly changes: number;
  /** Changes in each second of the storm. */
  readonly perSecond: number;
  readonly stormSeconds: number;
  /** EndpointSlices that change in each second of the churn. */
  readonly churnPerSecond: number;
  readonly churnSeconds: number;
}

export const GATEWAY_NAMESPACE = "holdfast";
const AT_A_TIME = 48;
/** Nothing is to be done when so many looks in a row, so far apart, see nothing done. A look costs the operator a scrape. */
const QUIET_LOOKS = 3;
const LOOK_EVERY_MS = 100;
const OWN_PAUSES = new URL("own-pauses.ts", import.meta.url);

/** Everything in place but the operator. */
export async function populate({ client, kubectl }: ClusterRig, { namespaces, routes }: Scale): Promise<void> {
  await kubectl("create", "namespace", GATEWAY_NAMESPACE);
  const gateway = manifestsIn(GATEWAY_NAMESPACE).gateway();
  const spec = { ...gateway.spec, allowedRoutes: { namespaces: { from: "All" } } };
  const create = (resource: (typeof RESOURCES)[keyof typeof RESOURCES], object: KubeObject) =>
    client.create({ resource, namespace: object.metadata.namespace }, object);
  await create(RESOURCES.webSocketGateways, { ...gateway, spec } as KubeObject);
  await inParallel(numbers(namespaces), AT_A_TIME, async (number) => {
    const name = namespaceOf(number, namespaces);
    const make = manifestsIn(name);
    await create(RESOURCES.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
    await create(RESOURCES.services, make.service());
    await create(RESOURCES.endpointSlices, make.endpoints());
  });
  await inParallel(numbers(routes), AT_A_TIME, async (number) => {
    const parentRefs = [{ name: "public", namespace: GATEWAY_NAMESPACE }];
    const route = manifestsIn(namespaceOf(number, namespaces)).route(`r${number}`, { parentRefs });
    await create(RESOURCES.webSocketRoutes, route);
  });
}

const numbers = (count: number) => Array.from({ length: count }, (_, number) => number);
const namespaceOf = (number: number, namespaces: number) => `team-${number % namespaces}`;

interface Seen {
  sequence: number;
  acknowledged: number;
}

/** The newest sequence that the operator wrote, and the one that the gateway said it serves. */
export function follow({ client }: ClusterRig, signal: AbortSignal): Seen {
  const seen: Seen = { sequence: 0, acknowledged: 0 };
  const common = { client, namespace: GATEWAY_NAMESPACE, clock: systemClock, random: Math.random, signal };
  const watch = (resource: typeof RESOURCES.configMaps, labelSelector: string, see: (object: KubeObject) => void) =>
    void listWatch<KubeObject>({
      ...common,
      resource,
      labelSelector,
      onSync: (objects) => objects.forEach(see),
      onEvent: ({ type, object }) => type !== "DELETED" && see(object),
    });
  watch(RESOURCES.configMaps, `${SNAPSHOT_OBJECTS.roleLabel}=${SNAPSHOT_OBJECTS.roles.index}`, (object) => {
    const { data } = object as KubeObject & { readonly data: Readonly<Record<string, string>> };
    seen.sequence = JSON.parse(data[SNAPSHOT_OBJECTS.indexKey] ?? "").sequence;
  });
  watch(RESOURCES.leases, `${SNAPSHOT_OBJECTS.roleLabel}=${SNAPSHOT_OBJECTS.roles.pod}`, ({ metadata }) => {
    seen.acknowledged = Number(metadata.annotations?.[SNAPSHOT_OBJECTS.acknowledgement.sequence]);
  });
  return seen;
}

export interface Served {
  /** One change each, in ms. */
  readonly written: readonly number[];
  readonly acknowledged: readonly number[];
  /** The operator's passes and processor time for one change, ms. */
  readonly passMs: number;
  readonly cpuMs: number;
  /** All requests that may have changed something, by kind. */
  readonly writes: Readonly<Record<string, number>>;
}

export interface LongestPause {
  readonly clockMs: number;
  /** Less the time in which the machine had something else to do. */
  readonly ownMs: number;
}

export class ScaleRun {
  readonly #rig: ClusterRig;
  readonly #scale: Scale;
  readonly #seen: Seen;
  readonly #stop = new AbortController();
  /** File to which the gateway tells its pauses. */
  readonly #pauses = join(mkdtempSync(join(tmpdir(), "holdfast-bench-")), "pauses");
  #operatorUrl = "";
  #gateway: GatewayProcess | undefined;

  constructor(rig: ClusterRig, scale: Scale) {
    this.#rig = rig;
    this.#scale = scale;
    this.#seen = follow(rig, this.#stop.signal);
  }

  operator(): Promise<Figures> {
    return Figures.of(this.#operatorUrl);
  }

  /** Ms until the index is there, the gateway serves it, and every status is written. */
  async start(): Promise<{ readonly indexMs: number; readonly servedMs: number; readonly statusesMs: number }> {
    const startedAt = Date.now();
    const operator = await this.#rig.startOperator("--no-leader-elect");
    const { adminPort } = await operator.line("its port", ({ msg }) => msg === "operator started", { timeout: 60_000 });
    this.#operatorUrl = `http://127.0.0.1:${adminPort}`;
    await eventually("the first index is written", () => this.#seen.sequence > 0, 120_000);
    const indexMs = Date.now() - startedAt;
    const gatewayAt = Date.now();
    this.#gateway = await this.#startGateway();
    await eventually("the gateway serves it", () => this.#seen.acknowledged > 0, 60_000);
    const servedMs = Date.now() - gatewayAt;
    await this.#settled(600_000);
    return { indexMs, servedMs, statusesMs: Date.now() - startedAt };
  }

  /** Single changes, each awaited. */
  async changeOneByOne(): Promise<Served> {
    const before = await this.operator();
    const [written, acknowledged]: [number[], number[]] = [[], []];
    for (let change = 0; change < this.#scale.changes; change++) {
      const { sequence } = this.#seen;
      const changedAt = performance.now();
      await this.#change(change * 37, `one-${change}`);
      await eventually("it is written", () => this.#seen.sequence > sequence, 20_000);
      written.push(performance.now() - changedAt);
      await eventually("it is served", () => this.#seen.acknowledged > sequence, 20_000);
      acknowledged.push(performance.now() - changedAt);
      await this.#settled(20_000);
    }
    const after = await this.operator();
    const count = this.#scale.changes;
    return {
      written,
      acknowledged,
      passMs: (1000 * after.since(before, "holdfast_operator_pass_duration_seconds_sum")) / count,
      cpuMs: (1000 * after.since(before, "process_cpu_seconds_total")) / count,
      writes: after.byLabel(before, "holdfast_operator_writes_total", "kind"),
    };
  }

  /** Changes at a steady rate; resolves to what they cost and how far behind the operator ever was. */
  async storm() {
    const { perSecond, stormSeconds } = this.#scale;
    return await this.#steadily({ perSecond, seconds: stormSeconds }, (number) =>
      this.#change(number * 7, `storm-${number}`),
    );
  }

  async churn() {
    const { churnPerSecond: perSecond, churnSeconds: seconds, namespaces } = this.#scale;
    return await this.#steadily({ perSecond, seconds }, async (number) => {
      const { endpoints } = manifestsIn(namespaceOf(number, namespaces));
      const changed = endpoints("chat", `10.1.${number % 250}.${1 + ((number * 7) % 250)}`);
      const { name, namespace } = changed.metadata;
      const { endpoints: list } = changed;
      await this.#rig.client.merge({ resource: RESOURCES.endpointSlices, namespace, name }, { endpoints: list });
    });
  }

  /** The gateway's longest pauses since the last call: by the clock, and of its own doing. */
  longestPause(): LongestPause {
    const pauses = readPauses(readFileSync(this.#pauses, "utf8"));
    writeFileSync(this.#pauses, "");
    return {
      clockMs: Math.max(0, ...pauses.map(({ clockMs }) => clockMs)),
      ownMs: Math.max(0, ...pauses.map(({ clockMs, cpuMs }) => Math.min(clockMs, cpuMs))),
    };
  }

  /** Of the two processes, bytes. */
  async residentMemory(): Promise<{ readonly operator: number; readonly gateway: number }> {
    const [operator, gateway] = await Promise.all([this.operator(), Figures.of(this.#gateway?.adminUrl ?? "")]);
    const name = "process_resident_memory_bytes";
    return { operator: operator.sum(name), gateway: gateway.sum(name) };
  }

  /** With an ear at its event loop. */
  async #startGateway(): Promise<GatewayProcess> {
    const { NODE_OPTIONS: before = "" } = process.env;
    const env = { NODE_OPTIONS: `${before} --import=${OWN_PAUSES}`, HOLDFAST_BENCH_PAUSES: this.#pauses };
    Object.assign(process.env, env);
    try {
      return await this.#rig.startGateway("gw-a", `${GATEWAY_NAMESPACE}/public`);
    } finally {
      process.env.NODE_OPTIONS = before;
    }
  }

  stop(): void {
    rmSync(dirname(this.#pauses), { recursive: true });
    this.#stop.abort();
  }

  async #change(number: number, host: string): Promise<void> {
    const { routes, namespaces } = this.#scale;
    const at = number % routes;
    const target = routeTarget(namespaceOf(at, namespaces), `r${at}`);
    await this.#rig.client.merge(target, { spec: { hostnames: [`${host}.example.com`] } });
  }

  async #steadily(
    { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
    change: (number: number) => Promise<void>,
  ) {
    const before = await this.operator();
    const { sequence } = this.#seen;
    const startedAt = performance.now();
    const changes = perSecond * seconds;
    const depths: number[] = [];
    let done = 0;
    await inParallel(numbers(changes), AT_A_TIME, async (number) => {
      const wait = startedAt + (number * 1000) / perSecond - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      await change(number);
      done++;
      if (number % perSecond === 0) depths.push((await this.operator()).sum("holdfast_operator_status_queue_depth"));
    });
    const tookSeconds = (performance.now() - startedAt) / 1000;
    const endedAt = performance.now();
    await this.#settled(120_000);
    const settledMs = performance.now() - endedAt;
    const after = await this.operator();
    const writes = after.byLabel(before, "holdfast_operator_writes_total", "kind");
    const passes = after.since(before, "holdfast_operator_pass_duration_seconds_count");
    const passSeconds = after.since(before, "holdfast_operator_pass_duration_seconds_sum");
    const cpuSeconds = after.since(before, "process_cpu_seconds_total");
    return {
      changes: done,
      ratePerSecond: done / tookSeconds,
      revisions: this.#seen.sequence - sequence,
      passes,
      passMs: (1000 * passSeconds) / passes,
      cpuMsPerChange: (1000 * cpuSeconds) / done,
      writes,
      depths,
      settledMs,
    };
  }

  /** Waits until the gateway serves the newest, and no status or pass is due. */
  async #settled(timeout: number): Promise<void> {
    let quiet = 0;
    let last = -1;
    const isQuiet = async () => {
      const figures = await this.operator();
      const writes = figures.sum("holdfast_operator_writes_total");
      const still = figures.sum("holdfast_operator_status_queue_depth") === 0 && writes === last;
      quiet = still && this.#seen.acknowledged === this.#seen.sequence ? quiet + 1 : 0;
      last = writes;
      return quiet >= QUIET_LOOKS;
    };
    await eventually("the operator has nothing more to do", isQuiet, timeout, LOOK_EVERY_MS);
  }
}
