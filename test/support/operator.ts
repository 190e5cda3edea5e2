// The operator in this process against a real API server, and gateway pods that only say what real ones would.
import { fileURLToPath } from "node:url";
import pino from "pino";
import { type BackendEndpoints, type Route, SNAPSHOT_OBJECTS, type SnapshotIndex } from "../../gateway/snapshot.ts";
import type { KubeClient } from "../../kube/client.ts";
import { isNotFound, KubeError } from "../../kube/error.ts";
import { deleteLease, renewLease } from "../../kube/lease.ts";
import type { KubeObject } from "../../kube/objects.ts";
import { RESOURCES, type Target } from "../../kube/resources.ts";
import { type OperatorOptions, startOperator } from "../../operator/main.ts";
import type { ControlPlane } from "./controlplane.ts";
import { eventually } from "./eventually.ts";

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

/** A condition of this type with these values, whatever the others are. */
export type WantedCondition = { readonly type: string } & Partial<Condition>;

export interface WithStatus extends KubeObject {
  readonly status?: { readonly conditions?: readonly Condition[]; readonly pods?: string };
}

export interface TestOperator {
  /** What it logged, as objects. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  get(path: string): Promise<{ readonly status: number; readonly text: string }>;
  /** Requests that it made and that may have changed something. */
  writes(): Promise<number>;
  stop(): Promise<void>;
}

const CRDS = fileURLToPath(new URL("../../crds/", import.meta.url));
const DEFINITIONS = ["crd/websocketroutes.holdfast.dev", "crd/websocketgateways.holdfast.dev"];

export async function installDefinitions(plane: ControlPlane): Promise<void> {
  const applied = await plane.kubectl(["apply", "--server-side", `--filename=${CRDS}`]);
  if (applied.code !== 0) throw new Error(applied.stderr);
  const waited = await plane.kubectl(["wait", "--for=condition=Established", "--timeout=30s", ...DEFINITIONS]);
  if (waited.code !== 0) throw new Error(waited.stderr);
}

export async function startTestOperator(
  client: KubeClient,
  options: Partial<OperatorOptions> = {},
): Promise<TestOperator> {
  const stop = new AbortController();
  const log: Record<string, unknown>[] = [];
  const sink = { write: (line: string) => void log.push(JSON.parse(line)) };
  const operator = await startOperator({
    client,
    options: { externalNames: "Refuse", adminHost: "127.0.0.1", adminPort: 0, ...options },
    log: pino({ level: "debug" }, sink),
    signal: stop.signal,
  });
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${operator.adminPort}${path}`);
    return { status: response.status, text: await response.text() };
  };
  return {
    log,
    get,
    async writes() {
      const { text } = await get("/metrics");
      const counts = [...text.matchAll(/^holdfast_operator_writes_total\{[^}]*\} (\d+)$/gm)];
      return counts.reduce((sum, [, count]) => sum + Number(count), 0);
    },
    async stop() {
      stop.abort();
      await operator.stopped;
    },
  };
}

export interface PretendedPod {
  /** From now on it keeps its snapshot and says this. */
  refuse(why: string): void;
  /** Goes as a crash would: its Lease stays and runs out. */
  kill(): Promise<void>;
  /** Goes in an orderly way. */
  leave(): Promise<void>;
}

export interface PodOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly gateway: string;
  readonly name: string;
}

const RENEW_EVERY_MS = 2_000;
const LOOK_EVERY_MS = 50;

/** Acknowledges every index within 50 ms, by a real Lease. */
export function pretendPod({ client, namespace, gateway, name }: PodOptions): PretendedPod {
  const leaseName = `${SNAPSHOT_OBJECTS.indexName(gateway)}-${name}`;
  const keys = SNAPSHOT_OBJECTS.acknowledgement;
  let refused: string | undefined;
  let serving = { sequence: 0, revision: "" };
  let said = "";
  let saidAt = 0;
  let stopped = false;
  const look = async () => {
    const index = { resource: RESOURCES.configMaps, namespace, name: SNAPSHOT_OBJECTS.indexName(gateway) };
    const object = await client.get<KubeObject & { data: Record<string, string> }>(index).catch(ignoreNotFound);
    if (object !== undefined && refused === undefined)
      serving = JSON.parse(object.data[SNAPSHOT_OBJECTS.indexKey] ?? "");
    const annotations = {
      [keys.sequence]: String(serving.sequence),
      [keys.revision]: serving.revision,
      [keys.connections]: "0",
      [keys.ready]: String(serving.sequence > 0),
      [keys.refused]: refused ?? "",
    };
    if (JSON.stringify(annotations) === said && Date.now() < saidAt + RENEW_EVERY_MS) return;
    const labels = {
      [SNAPSHOT_OBJECTS.gatewayLabel]: gateway,
      [SNAPSHOT_OBJECTS.roleLabel]: SNAPSHOT_OBJECTS.roles.pod,
    };
    const lease = {
      namespace,
      name: leaseName,
      labels,
      annotations,
      holder: name,
      durationSeconds: 6,
      now: Date.now(),
    };
    await renewLease(client, { ...lease, fieldManager: "holdfast-gateway" });
    said = JSON.stringify(annotations);
    saidAt = Date.now();
  };
  const running = (async () => {
    while (!stopped) {
      await look().catch(ignoreUnanswered);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  })();
  const kill = async () => {
    stopped = true;
    await running;
  };
  return {
    refuse(why) {
      refused = why;
    },
    kill,
    async leave() {
      await kill();
      await deleteLease(client, { namespace, name: leaseName });
    },
  };
}

/** A pod outlives its API server. */
function ignoreUnanswered(error: unknown): void {
  if (!(error instanceof KubeError)) throw error;
}

function ignoreNotFound(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
}

export function conditionOf(object: WithStatus, type: string): Condition | undefined {
  return object.status?.conditions?.find((condition) => condition.type === type);
}

/** Waits until the object's condition is this one, and resolves to the object. */
export async function condition(
  client: KubeClient,
  target: Target,
  wanted: WantedCondition,
  withinMs = 5_000,
): Promise<WithStatus> {
  let last: Condition | undefined;
  const matches = async () => {
    const object = await client.get<WithStatus>(target);
    last = conditionOf(object, wanted.type);
    const about = last?.observedGeneration === object.metadata.generation;
    const same =
      last !== undefined && Object.entries(wanted).every(([key, value]) => last?.[key as keyof Condition] === value);
    return about && same ? object : undefined;
  };
  return await eventually(`${target.name} ${JSON.stringify(wanted)}`, matches, withinMs).catch((error) => {
    throw new Error(`${(error as Error).message}; it is ${JSON.stringify(last)}`);
  });
}

/** The snapshot as it stands in the API, put together as a gateway would. */
export async function readSnapshot(client: KubeClient, namespace: string, gateway: string): Promise<ReadSnapshot> {
  const get = (name: string) =>
    client.get<KubeObject & { data: Record<string, string> }>({ resource: RESOURCES.configMaps, namespace, name });
  const index = await get(SNAPSHOT_OBJECTS.indexName(gateway));
  const { parts, sequence } = JSON.parse(index.data[SNAPSHOT_OBJECTS.indexKey] ?? "") as SnapshotIndex;
  const texts = await Promise.all(parts.map(async ({ object }) => (await get(object)).data[SNAPSHOT_OBJECTS.partKey]));
  const contents = texts.map((text) => JSON.parse(text ?? "") as { routes?: Route[]; backends?: BackendEndpoints[] });
  return {
    sequence,
    routes: new Map(contents.flatMap(({ routes = [] }) => routes.map((route) => [route.name, route]))),
    backends: contents.flatMap(({ backends = [] }) => backends),
  };
}

export interface ReadSnapshot {
  readonly sequence: number;
  /** By name. */
  readonly routes: ReadonlyMap<string, Route>;
  readonly backends: readonly BackendEndpoints[];
}

/** Objects as a user would write them, in one namespace. */
export function manifestsIn(namespace: string) {
  const metadata = (name: string) => ({ name, namespace });
  return {
    gateway: (name = "public") => ({
      apiVersion: "holdfast.dev/v1alpha1",
      kind: "WebSocketGateway",
      metadata: metadata(name),
      spec: { listeners: [{ name: "ws", port: 8080, protocol: "WS" }] },
    }),
    route: (name: string, spec: object = {}) => ({
      apiVersion: "holdfast.dev/v1alpha1",
      kind: "WebSocketRoute",
      metadata: metadata(name),
      spec: {
        parentRefs: [{ name: "public" }],
        hostnames: [`${name}.example.com`],
        backendRefs: [{ name: "chat", port: 3000 }],
        ...spec,
      },
    }),
    service: (name = "chat") => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: metadata(name),
      spec: { ports: [{ port: 3000 }] },
    }),
    endpoints: (name = "chat", address = "10.0.0.1") => ({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { ...metadata(`${name}-1`), labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      endpoints: [{ addresses: [address], conditions: { ready: true } }],
      ports: [{ port: 3000 }],
    }),
    secret: (name: string, data: Record<string, string>) => ({
      apiVersion: "v1",
      kind: "Secret",
      metadata: metadata(name),
      stringData: data,
    }),
  };
}

/** Applies objects as `kubectl apply` does. */
export async function apply(plane: ControlPlane, ...objects: readonly object[]): Promise<void> {
  const list = { apiVersion: "v1", kind: "List", items: objects };
  const applied = await plane.kubectl(["apply", "--filename=-"], { stdin: JSON.stringify(list) });
  if (applied.code !== 0) throw new Error(applied.stderr);
}

export const routeTarget = (namespace: string, name: string): Target => ({
  resource: RESOURCES.webSocketRoutes,
  namespace,
  name,
});

export const gatewayTarget = (namespace: string, name = "public"): Target => ({
  resource: RESOURCES.webSocketGateways,
  namespace,
  name,
});
