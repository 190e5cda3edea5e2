import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { systemClock } from "../kube/clock.ts";
import { KubeError } from "../kube/error.ts";
import type { KubeObject, WatchEvent } from "../kube/objects.ts";
import { eventually } from "../test/support/eventually.ts";
import { type ClusterStore, createClusterStore, readGateway } from "./cluster.ts";
import { DefaultGateway } from "./default-gateway.ts";

const manifest = (name: string, spec: object = {}) =>
  JSON.stringify({
    apiVersion: "holdfast.dev/v1alpha1",
    kind: "WebSocketGateway",
    metadata: { name },
    spec: { listeners: [{ name: "ws", port: 8080, protocol: "WS" }], ...spec },
  });

const configMap = (text: string, uid = "one"): KubeObject =>
  ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace: "holdfast", name: "source", uid, resourceVersion: uid },
    data: { "gateway.yaml": text },
  }) as KubeObject;

/** An API server that holds one ConfigMap, and remembers what was asked of it. */
class Rig {
  readonly cluster: ClusterStore = createClusterStore();
  readonly applied: KubeObject[] = [];
  readonly deleted: string[] = [];
  readonly errors: string[] = [];
  readonly wakes: number[] = [];
  readonly stop = new AbortController();
  readonly gateway: DefaultGateway;
  failWith: KubeError | undefined;
  taken = 0;

  constructor(source: KubeObject) {
    this.gateway = new DefaultGateway({
      configMap: { namespace: "holdfast", name: "source" },
      client: {
        list: async () => ({ metadata: { resourceVersion: "1" }, items: [source] }) as never,
        watch: async (_target, { signal }) => untilAborted(signal),
        apply: async (_target, object) => {
          if (this.failWith) throw this.failWith;
          this.applied.push(object);
          return object as never;
        },
        delete: async ({ name }) => void this.deleted.push(name ?? ""),
      },
      clock: systemClock,
      random: Math.random,
      signal: this.stop.signal,
      onChange: () => {
        this.taken++;
      },
      onState: () => {},
      onWrite: () => {},
      took: (object) => this.hold(object),
      onError: (_what, error) => void this.errors.push((error as Error).message),
      wakeBy: (time) => void this.wakes.push(time),
    });
  }

  hold(object: KubeObject): void {
    this.cluster.gateways.set(`holdfast/${object.metadata.name}`, readGateway(object));
  }

  /** Looks when the ConfigMap has been read. */
  async keep(): Promise<void> {
    await eventually("the ConfigMap is read", () => this.taken > 0);
    await this.gateway.keep(this.cluster);
  }
}

async function* untilAborted(signal: AbortSignal): AsyncIterable<WatchEvent> {
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

let rig: Rig;
let rigs: Rig[] = [];
const start = (source: KubeObject) => {
  rig = new Rig(source);
  rigs.push(rig);
};
beforeEach(() => start(configMap(manifest("public"))));
afterEach(async () => {
  for (const { stop } of rigs) stop.abort();
  await Promise.all(rigs.map(({ gateway }) => gateway.ended));
  rigs = [];
});

describe("the default gateway", () => {
  it("is made once, in the ConfigMap's namespace and owned by it", async () => {
    await rig.keep();
    await rig.keep();
    expect(rig.applied).toHaveLength(1);
    expect(rig.applied[0]).toMatchObject({
      metadata: {
        namespace: "holdfast",
        name: "public",
        ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: "source", uid: "one" }],
      },
    });
  });

  it("is made again when somebody deleted it", async () => {
    await rig.keep();
    rig.cluster.gateways.clear();
    await rig.keep();
    expect(rig.applied).toHaveLength(2);
  });

  it("follows another ConfigMap of that name, as after a new installation", async () => {
    await rig.keep();
    const [made] = rig.applied;
    start(configMap(manifest("public"), "two"));
    rig.hold(made as KubeObject);
    await rig.keep();
    expect(rig.applied).toHaveLength(1);
  });

  it("takes the one of its former name away", async () => {
    await rig.keep();
    const [made] = rig.applied;
    start(configMap(manifest("other")));
    rig.hold(made as KubeObject);
    await rig.keep();
    expect(rig.deleted).toEqual(["public"]);
    expect(rig.applied.map(({ metadata }) => metadata.name)).toEqual(["other"]);
  });

  it("never takes over somebody else's", async () => {
    rig.hold({ ...JSON.parse(manifest("public")), metadata: { namespace: "holdfast", name: "public" } });
    await rig.keep();
    expect(rig.applied).toEqual([]);
    expect(rig.errors).toEqual([expect.stringContaining("WebSocketGateway public exists and was not made of it")]);
    expect(rig.wakes).toHaveLength(1);
  });

  it.each([
    ["a wrong field", manifest("public", { listeners: [] }), "spec.listeners"],
    [
      "a foreign namespace",
      manifest("public").replace('"name":"public"', '"name":"public","namespace":"x"'),
      "must be",
    ],
    ["nothing", "", "gateway.yaml"],
  ])("is not made from a text with %s, which is told", async (_what, text, words) => {
    start(configMap(text));
    await rig.keep();
    expect(rig.applied).toEqual([]);
    expect(rig.errors).toEqual([expect.stringContaining(words)]);
  });

  it("is tried again when it could not be written", async () => {
    rig.failWith = new KubeError(403, "Forbidden", "not allowed");
    await rig.keep();
    await rig.keep(); // too early: only wakes
    expect(rig.errors).toEqual(["not allowed"]);
    expect(rig.wakes).toHaveLength(2);
  });
});
