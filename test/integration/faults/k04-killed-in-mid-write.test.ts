// K4: the operator is killed in mid-write, about twice a second, while routes change. Nobody who reads sees index and parts disagree.
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { partHash, SNAPSHOT_OBJECTS, type SnapshotIndex } from "../../../gateway/snapshot.ts";
import { systemClock } from "../../../kube/clock.ts";
import { listWatch } from "../../../kube/listwatch.ts";
import type { KubeObject, Lease } from "../../../kube/objects.ts";
import { RESOURCES } from "../../../kube/resources.ts";
import { LEADER_LEASE } from "../../../operator/election.ts";
import { type ClusterRig, type GatewayProcess, startClusterRig } from "../../support/cluster-rig.ts";
import { CONTROL_PLANE_TIMEOUT_MS } from "../../support/controlplane.ts";
import { eventually } from "../../support/eventually.ts";
import type { HoldfastProcess } from "../../support/holdfast.ts";
import { manifestsIn, readSnapshot, routeTarget } from "../../support/operator.ts";

const KILL_EVERY_MS = 500;
const KILLS = 20;
/** From a pass's first part to the kill: in mid-parts, before the index, after it. */
const DELAYS_MS = [0, 4, 15, 60];
const ROUTES = 60;
/** Changed at once, so that each pass writes several parts before its index. */
const AT_ONCE = 8;

type ConfigMap = KubeObject & { readonly data: Readonly<Record<string, string>> };

let rig: ClusterRig;
let namespace: string;
let gateway: GatewayProcess;
const stop = new AbortController();

beforeAll(async () => {
  rig = await startClusterRig();
  namespace = await rig.plane.newNamespace();
  const make = manifestsIn(namespace);
  const routes = Array.from({ length: ROUTES }, (_, number) => make.route(`route-${number}`));
  const items = [make.gateway(), make.service(), make.endpoints(), ...routes];
  await rig.apply(JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  gateway = await rig.startGateway("gw-a", `${namespace}/public`);
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(async () => {
  stop.abort();
  await rig?.stop();
});

const getConfigMap = (name: string) => rig.client.get<ConfigMap>({ resource: RESOURCES.configMaps, namespace, name });

/** One route after the other gets a new host; `last` is what each has in the end. */
function keepChanging(last: Map<string, string>): () => Promise<void> {
  let stopped = false;
  const changeOne = async (change: number) => {
    const [name, host] = [`route-${change % ROUTES}`, `v${change}.example.com`];
    await rig.client.merge(routeTarget(namespace, name), { spec: { hostnames: [host] } });
    last.set(name, host);
  };
  const running = (async () => {
    for (let change = 0; !stopped; change += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, offset) => changeOne(change + offset)));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  return () => {
    stopped = true;
    return running;
  };
}

/** Reads index and parts again and again as a gateway that has just started would. */
function keepReading(): () => Promise<number> {
  let stopped = false;
  const running = (async () => {
    let reads = 0;
    for (; !stopped; reads++) {
      const index = await getConfigMap(SNAPSHOT_OBJECTS.indexName("public"));
      const { parts } = JSON.parse(index.data[SNAPSHOT_OBJECTS.indexKey] ?? "") as SnapshotIndex;
      const texts = await Promise.all(parts.map(async ({ object }) => (await getConfigMap(object)).data));
      const hashes = texts.map((data) => partHash(data[SNAPSHOT_OBJECTS.partKey] ?? ""));
      expect(hashes).toEqual(parts.map(({ hash }) => hash));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return reads;
  })();
  running.catch(() => {}); // told where it is awaited
  return () => {
    stopped = true;
    return running;
  };
}

interface Writes {
  /** Resolves at the next part that is created. */
  nextPart(): Promise<void>;
  /** Parts that the newest index does not name yet were written last. */
  isBetween(): boolean;
}

/** What a watch sees of the writing. */
function watchWrites(): Writes {
  let wake = () => {};
  let last = "";
  void listWatch<KubeObject>({
    client: rig.client,
    resource: RESOURCES.configMaps,
    namespace,
    labelSelector: `${SNAPSHOT_OBJECTS.gatewayLabel}=public`,
    onSync: () => {},
    onEvent: ({ object }) => {
      last = object.metadata.labels?.[SNAPSHOT_OBJECTS.roleLabel] ?? "";
      if (last === SNAPSHOT_OBJECTS.roles.part) wake();
    },
    clock: systemClock,
    random: Math.random,
    signal: stop.signal,
  });
  return {
    nextPart: () =>
      new Promise((resolve) => {
        wake = resolve;
      }),
    isBetween: () => last === SNAPSHOT_OBJECTS.roles.part,
  };
}

/** Operators that stand by, so that one writes as soon as another one is dead. */
class Operators {
  readonly #running = new Map<string, HoldfastProcess>();
  #started = 0;

  async start(): Promise<void> {
    const identity = `operator-${this.#started++}`;
    const timing = ["--leader-lease", "30s", "--leader-renew-deadline", "20s", "--leader-retry", "100ms"];
    const process = await rig.startOperator("--identity", identity, "--leader-namespace", namespace, ...timing);
    this.#running.set(identity, process);
  }

  async allReady(): Promise<void> {
    for (const process of this.#running.values()) {
      const { adminPort } = await process.line("its port", ({ msg }) => msg === "operator started", {
        timeout: 60_000,
      });
      const ready = () => fetch(`http://127.0.0.1:${adminPort}/readyz`).then(({ ok }) => ok);
      await eventually("an operator is ready", ready, 20_000);
    }
  }

  /** Kills the leader, and frees its Lease as time would. */
  async killLeader(): Promise<void> {
    const target = { resource: RESOURCES.leases, namespace, name: LEADER_LEASE };
    const { spec } = await rig.client.get<Lease>(target);
    const identity = spec?.holderIdentity ?? "";
    const leader = this.#running.get(identity);
    if (leader === undefined) throw new Error(`${identity} leads, and is none of ours`);
    this.#running.delete(identity);
    await leader.kill();
    await rig.client.delete(target);
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.#running.values()].map((process) => process.kill()));
  }
}

/** Kills whoever writes as soon as a part of its has come, or a little later. */
async function killAgainAndAgain(operators: Operators, writes: Writes): Promise<number> {
  let midWrite = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const next = new Promise((resolve) => setTimeout(resolve, KILL_EVERY_MS));
    await writes.nextPart();
    await new Promise((resolve) => setTimeout(resolve, DELAYS_MS[kill % DELAYS_MS.length]));
    await operators.killLeader();
    // What it had sent has arrived by the time that something else is answered.
    await getConfigMap(SNAPSHOT_OBJECTS.indexName("public"));
    if (writes.isBetween()) midWrite++;
    await next;
  }
  return midWrite;
}

it("index and parts agree for every reader, and the last word is served in the end", async () => {
  const operators = new Operators();
  for (let count = 0; count <= KILLS; count++) await operators.start();
  await operators.allReady();
  const hasIndex = () => getConfigMap(SNAPSHOT_OBJECTS.indexName("public")).catch(() => undefined);
  await eventually("there is a snapshot", hasIndex);
  const last = new Map<string, string>();
  const stopChanging = keepChanging(last);
  const stopReading = keepReading();
  const startedAt = Date.now();
  const midWrite = await killAgainAndAgain(operators, watchWrites());
  const seconds = (Date.now() - startedAt) / 1000;
  await stopChanging();

  const wanted = Object.fromEntries(last);
  await eventually(
    "the snapshot is what was changed last",
    async () => {
      const { routes } = await readSnapshot(rig.client, namespace, "public");
      const is = Object.fromEntries([...routes].map(([name, { hostnames }]) => [name, hostnames[0]]));
      return JSON.stringify(Object.entries(is).sort()) === JSON.stringify(Object.entries(wanted).sort());
    },
    20_000,
  );
  const reads = await stopReading();
  const { sequence } = await readSnapshot(rig.client, namespace, "public");
  const figure = async (name: string) =>
    Number(new RegExp(`^${name} (\\d+)$`, "m").exec(await (await fetch(`${gateway.adminUrl}/metrics`)).text())?.[1]);
  await eventually("the gateway serves it", async () => (await figure("holdfast_snapshot_sequence")) === sequence);
  expect(await figure("holdfast_snapshot_refused_total")).toBe(0);
  await operators.killAll();
  process.stdout.write(`K4: ${JSON.stringify({ kills: KILLS, seconds, midWrite, reads, sequence })}\n`);
  expect(midWrite).toBeGreaterThan(0);
  expect(sequence).toBeGreaterThan(4); // some got as far as the index
  expect(reads).toBeGreaterThan(50);
}, 180_000);
