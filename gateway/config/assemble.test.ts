import { gzipSync } from "node:zlib";
import { describe, expect, it } from "@jest/globals";
import { type GatewaySettings, partHash, type Route, SNAPSHOT_OBJECTS, secretRevision } from "../snapshot.ts";
import { Assembler, type CarrierObject, type Carriers } from "./assemble.ts";

const settings: GatewaySettings = {
  namespace: "holdfast",
  name: "public",
  generation: 1,
  listeners: [{ name: "ws", port: 8080, protocol: "WS", certificates: [] }],
  trustedProxies: [],
  drain: { timeout: 30_000, maxDisconnectsPerSecond: 100 },
};

function route(name: string, generation = 1): Route {
  return {
    namespace: "apps",
    name,
    generation,
    order: 0,
    listeners: ["ws"],
    hostnames: [],
    matches: [{ path: { type: "PathPrefix", value: `/${name}` }, headers: [], queryParams: [] }],
    backends: [{ id: "apps/chat:3000", weight: 1 }],
    limits: { connections: {}, maxMessageSize: 1024, maxQueuedBytes: 1024, onSlowClient: "Close" },
    timeouts: { handshake: 1000, connect: 1000, idle: 0, maxLifetime: 0 },
    keepAlive: { interval: 25_000, timeout: 8_000 },
    loadBalancing: { type: "ConsistentHash", key: { type: "ConnectionID" }, maxLoad: 125 },
  };
}

const endpoints = { backends: [{ id: "apps/chat:3000", endpoints: [{ address: "127.0.0.1", port: 3000 }] }] };
const secretValues = new Map([[SNAPSHOT_OBJECTS.connectionIdKey, "k".repeat(44)]]);
const secret: CarrierObject = {
  data: Object.fromEntries([...secretValues].map(([key, value]) => [key, Buffer.from(value).toString("base64")])),
};

interface PartInput {
  readonly kind: "routes" | "endpoints";
  readonly object: string;
  readonly content: unknown;
  readonly zipped?: "gzip";
}

function carriers(sequence: number, inputs: readonly PartInput[]): Carriers {
  const parts = new Map<string, CarrierObject>();
  const references = inputs.map(({ kind, object, content, zipped }) => {
    const text = JSON.stringify(content);
    const body = zipped
      ? { binaryData: { [SNAPSHOT_OBJECTS.partGzipKey]: gzipSync(text).toString("base64") } }
      : { data: { [SNAPSHOT_OBJECTS.partKey]: text } };
    parts.set(object, { metadata: { name: object }, ...body });
    return { kind, object, hash: partHash(text) };
  });
  const index = {
    format: 1,
    revision: `r${sequence}`,
    sequence,
    settings,
    secretRevision: secretRevision(secretValues),
    parts: references,
  };
  return { index: { data: { [SNAPSHOT_OBJECTS.indexKey]: JSON.stringify(index) } }, parts, secret };
}

const good = carriers(3, [
  { kind: "routes", object: "routes-a", content: { routes: [route("chat")] } },
  { kind: "routes", object: "routes-b", content: { routes: [route("news")] }, zipped: "gzip" },
  { kind: "endpoints", object: "endpoints-a", content: endpoints },
]);

describe("Assembler", () => {
  it("keeps the identity of what a new part has in common with the one that it replaces", () => {
    const assembler = new Assembler();
    const routesOf = (sequence: number, ...routes: readonly Route[]) => {
      const part = { kind: "routes", object: `holdfast-public-r00-${sequence}`, content: { routes } } as const;
      const assembled = assembler.assemble(carriers(sequence, [part]));
      if (assembled.kind !== "candidate") throw new Error(JSON.stringify(assembled));
      return assembled.candidate.snapshot.routes;
    };
    const before = routesOf(1, route("chat"), route("news"), route("gone"));
    const after = routesOf(2, route("chat"), route("news", 2), route("new"));
    expect(after.map(({ name, generation }) => [name, generation])).toEqual([
      ["chat", 1],
      ["news", 2],
      ["new", 1],
    ]);
    expect(after[0]).toBe(before[0]);
    expect(after[1]).not.toBe(before[1]);
  });

  it("puts index, parts (zipped or not) and Secret together", () => {
    const assembled = new Assembler().assemble(good);
    if (assembled.kind !== "candidate") throw new Error(JSON.stringify(assembled));
    const { snapshot, secrets } = assembled.candidate;
    expect([snapshot.revision, snapshot.sequence]).toEqual(["r3", 3]);
    expect(snapshot.routes.map(({ name }) => name)).toEqual(["chat", "news"]);
    expect(snapshot.endpoints.get("apps/chat:3000")).toEqual([{ address: "127.0.0.1", port: 3000 }]);
    expect(secrets.get(SNAPSHOT_OBJECTS.connectionIdKey)).toBe("k".repeat(44));
    expect(JSON.stringify(secrets)).not.toContain("kkkk");
  });

  it.each([
    ["the index", { ...good, index: undefined }, "the snapshot index"],
    ["a part", { ...good, parts: new Map([...good.parts].slice(1)) }, "part routes-a"],
    ["the Secret", { ...good, secret: undefined }, "the Secret of revision r3"],
    ["the Secret's new content", { ...good, secret: { data: { other: "eA==" } } }, "the Secret of revision r3"],
  ])("waits for %s", (_what, incomplete, awaited) => {
    expect(new Assembler().assemble(incomplete)).toEqual({ kind: "waiting", for: awaited });
  });

  it("keeps the routes' identity when only endpoints changed, so that nothing is compiled again", () => {
    const assembler = new Assembler();
    const before = assembler.assemble(good);
    const moved = { backends: [{ id: "apps/chat:3000", endpoints: [{ address: "127.0.0.2", port: 3000 }] }] };
    const after = assembler.assemble(
      carriers(4, [
        { kind: "routes", object: "routes-a", content: { routes: [route("chat")] } },
        { kind: "routes", object: "routes-b", content: { routes: [route("news")] } },
        { kind: "endpoints", object: "endpoints-b", content: moved },
      ]),
    );
    if (before.kind !== "candidate" || after.kind !== "candidate") throw new Error("not assembled");
    expect(after.candidate.snapshot.routes).toBe(before.candidate.snapshot.routes);
    expect(after.candidate.snapshot.endpoints.get("apps/chat:3000")?.[0]?.address).toBe("127.0.0.2");
  });

  it("refuses a part whose text is not what the index names", () => {
    const parts = new Map(good.parts).set("routes-a", { data: { [SNAPSHOT_OBJECTS.partKey]: '{"routes":[]}' } });
    expect(new Assembler().assemble({ ...good, parts })).toEqual({
      kind: "refused",
      reason: "part routes-a does not match its hash in the index",
    });
  });

  it("refuses a route that this gateway does not understand, naming the field", () => {
    const strange = carriers(5, [
      { kind: "routes", object: "routes-a", content: { routes: [{ ...route("chat"), limits: "none" }] } },
    ]);
    const assembled = new Assembler().assemble(strange);
    expect(assembled.kind).toBe("refused");
    expect(assembled.kind === "refused" && assembled.reason).toContain("routes-a");
    expect(assembled.kind === "refused" && assembled.reason).toContain("routes.0.limits");
  });

  it("reads parts ahead, one at a time, so that assembling finds them read", async () => {
    const assembler = new Assembler();
    let pauses = 0;
    const pause = async () => void pauses++;
    await assembler.prepare(() => good, pause);
    expect(pauses).toBe(3);
    // Only what is read already can be assembled from empty objects.
    const emptied = new Map([...good.parts.keys()].map((name) => [name, {}]));
    const assembled = assembler.assemble({ ...good, parts: emptied });
    expect(assembled).toMatchObject({ kind: "candidate", candidate: { snapshot: { sequence: 3 } } });
  });

  it("leaves what it cannot read ahead to the assembly, which says why", async () => {
    const assembler = new Assembler();
    const broken = { ...good, parts: new Map([...good.parts, ["routes-a", { data: { "part.json": "{}" } }]]) };
    await assembler.prepare(
      () => broken,
      async () => {},
    );
    expect(assembler.assemble(broken)).toMatchObject({ kind: "refused" });
    await assembler.prepare(
      () => ({ ...good, index: { data: { [SNAPSHOT_OBJECTS.indexKey]: "{" } } }),
      async () => {},
    );
    expect(assembler.assemble(good).kind).toBe("candidate");
  });
});
