import { describe, expect, it } from "@jest/globals";
import { createMemoryBus } from "../../gateway/bus/bus-memory.ts";
import { secretMaterial } from "../../gateway/config/secrets.ts";
import { SnapshotHolder } from "../../gateway/config/source.ts";
import { createHub } from "../../gateway/hub/hub.ts";
import { startGateway } from "../../gateway/main.ts";
import { createLog } from "../../gateway/observe/log.ts";
import { eventually } from "../support/eventually.ts";
import { CHAT, makeSnapshot } from "../support/make-snapshot.ts";
import { createRig } from "../support/rig.ts";

const rig = createRig();

describe("the admin port", () => {
  it("is there before the first snapshot: alive, not ready, and client ports open with the snapshot", async () => {
    const holder = new SnapshotHolder();
    const bus = createMemoryBus();
    const gateway = await startGateway({
      source: holder,
      bus,
      hub: createHub({ bus }),
      log: createLog({ level: "silent" }),
      listen: { host: "127.0.0.1", portOf: () => 0, apiPort: 0, adminHost: "127.0.0.1", adminPort: 0 },
    });
    rig.use(gateway, (part) => part.close());
    const get = (path: string) => fetch(`http://127.0.0.1:${gateway.ports.admin}${path}`);
    expect((await get("/healthz")).status).toBe(200);
    const before = await get("/readyz");
    expect(before.status).toBe(503);
    expect(await before.json()).toMatchObject({ ready: false, because: ["no snapshot yet"] });
    await holder.offer({ snapshot: makeSnapshot(), secrets: secretMaterial(new Map()) });
    await eventually("it is ready", async () => (await get("/readyz")).status === 200);
    expect(gateway.ports.listeners.get("ws")).toBeGreaterThan(0);
  });

  it("lists live connections without what would let a reader take one over", async () => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({ backends: { [CHAT]: [echo.port] } });
    const clients = [await rig.client(holdfast.url("/a?key=secret")), await rig.client(holdfast.url("/b"))];
    const get = async (path: string) => (await fetch(`http://127.0.0.1:${holdfast.adminPort}${path}`)).json();
    const answer = await get("/connections?limit=1");
    expect(answer).toMatchObject({
      total: 2,
      connections: [{ route: "apps/chat", clientIP: "127.0.0.1", target: "/a?[redacted]" }],
    });
    const text = JSON.stringify(await get("/connections"));
    const affinity = String(clients[0]!.headers["holdfast-connection-id"]).split(".")[0] ?? "";
    expect(text).not.toContain(affinity);
    expect(text).not.toContain("secret");
    expect(text).toContain(affinity.split("~")[0]);
    expect(await get("/connections?route=other/route")).toEqual({ total: 2, connections: [] });
    expect(await get("/connections?limit=-1")).toMatchObject({ error: expect.stringContaining("limit") });
  });

  it("answers what it does not know with what it knows", async () => {
    const { adminPort } = await rig.gateway({});
    const ask = (path: string, method = "GET") => fetch(`http://127.0.0.1:${adminPort}${path}`, { method });
    expect((await ask("/nothing")).status).toBe(404);
    expect((await ask("/metrics", "POST")).status).toBe(405);
    expect((await ask("/metrics")).headers.get("content-type")).toMatch(/^text\/plain/);
  });
});
