import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, expect, it } from "@jest/globals";
import { systemRandom } from "../../../gateway/random.ts";
import { BLACK_HOLE } from "../../support/black-hole.ts";
import { freePort } from "../../support/free-port.ts";
import { makeRoute } from "../../support/make-route.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, rawRequest } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();

/** A TCP server that gives each connection to `serve`, and counts them. */
async function tcpBackend(serve: (socket: Socket) => void): Promise<{ port: number; connections(): number }> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("error", () => undefined);
    serve(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  rig.use(server, () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}

const LOST = { address: BLACK_HOLE, port: 3000 };
const quick = makeRoute({ timeouts: { handshake: 150, connect: 100, idle: 0, maxLifetime: 0 } });
/** With `fromFirst`: endpoints are asked in their own order. */
const fromFirst = { random: { ...systemRandom, fraction: () => 0 } };
const inOrder = makeRoute({ loadBalancing: { type: "RoundRobin", key: { type: "ConnectionID" }, maxLoad: 0 } });

describe("C5: the backend", () => {
  it("refuses: 502 with Retry-After", async () => {
    const holdfast = await rig.gateway({ backends: { [CHAT]: [await freePort()] } });
    const reply = await rawRequest(holdfast.port, handshakeText());
    expect(reply.status).toBe(502);
    expect(JSON.parse(reply.body)).toMatchObject({ status: 502, reason: "BackendRefused" });
    expect(reply.headers.get("content-type")).toBe("application/problem+json");
    expect(Number(reply.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(await holdfast.metric("holdfast_handshakes_total", { route: "apps/chat", code: "502" })).toBe(1);
  });

  it("does not answer: 504 within the handshake timeout", async () => {
    const silent = await tcpBackend((socket) => socket.resume());
    const holdfast = await rig.gateway({ routes: [quick], backends: { [CHAT]: [silent.port] } });
    const reply = await rawRequest(holdfast.port, handshakeText());
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([504, "BackendTimeout"]);
    expect(silent.connections()).toBe(1);
  });

  it("does not even take the connection: 504 within the connect timeout, counted and logged", async () => {
    const route = makeRoute({ timeouts: { handshake: 15_000, connect: 100, idle: 0, maxLifetime: 0 } });
    const holdfast = await rig.gateway({ routes: [route], backends: { [CHAT]: [LOST] } });
    const askedAt = performance.now();
    const reply = await rawRequest(holdfast.port, handshakeText());
    expect(performance.now() - askedAt).toBeLessThan(5_000);
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([504, "BackendTimeout"]);
    const labels = { route: "apps/chat", code: "504", reason: "BackendTimeout" };
    expect(await holdfast.metric("holdfast_handshakes_total", labels)).toBe(1);
    expect(await holdfast.line("refusal")).toMatchObject({ route: "apps/chat", code: 504, reason: "BackendTimeout" });
  });

  it("does not take the connection on one endpoint: the next one is tried", async () => {
    const echo = await rig.backend();
    const route = makeRoute({ ...inOrder, timeouts: { handshake: 15_000, connect: 100, idle: 0, maxLifetime: 0 } });
    const backends = { [CHAT]: [LOST, echo.port] };
    const holdfast = await rig.gateway({ routes: [route], gateway: fromFirst, backends });
    const client = await rig.client(holdfast.url());
    expect((await client.ask("hello")).toString()).toBe("hello");
  });

  it("has no endpoint: 503", async () => {
    const holdfast = await rig.gateway({ backends: { [CHAT]: [] } });
    const reply = await rawRequest(holdfast.port, handshakeText());
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([503, "NoEndpoints"]);
  });

  it("refuses on one endpoint: the next one is tried, once", async () => {
    const [dead, deadToo, echo] = [await freePort(), await freePort(), await rig.backend()];
    const one = await rig.gateway({ routes: [inOrder], gateway: fromFirst, backends: { [CHAT]: [dead, echo.port] } });
    const client = await rig.client(one.url());
    expect((await client.ask("hello")).toString()).toBe("hello");
    const two = await rig.gateway({
      routes: [inOrder],
      gateway: fromFirst,
      backends: { [CHAT]: [dead, deadToo, echo.port] },
    });
    expect((await rawRequest(two.port, handshakeText())).status).toBe(502);
  });

  it("goes away after it was sent the handshake: 502, and nobody else is asked", async () => {
    const rude = await tcpBackend((socket) => socket.once("data", () => socket.destroy()));
    const echo = await rig.backend();
    const holdfast = await rig.gateway({
      routes: [inOrder],
      gateway: fromFirst,
      backends: { [CHAT]: [rude.port, echo.port] },
    });
    const reply = await rawRequest(holdfast.port, handshakeText());
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([502, "BackendRefused"]);
    expect(echo.requests).toHaveLength(0);
  });

  it("of an unresolved route: what the route says, and never another backend", async () => {
    const echo = await rig.backend();
    const unavailable = { reason: "RouteNotResolved" as const, message: "Service apps/gone does not exist" };
    const routes = [makeRoute({ unavailable }), makeRoute({ name: "other", order: 1 })];
    const holdfast = await rig.gateway({ routes, backends: { [CHAT]: [echo.port] } });
    const reply = await rawRequest(holdfast.port, handshakeText());
    expect([reply.status, JSON.parse(reply.body).detail]).toEqual([500, unavailable.message]);
    expect(echo.requests).toHaveLength(0);
  });
});
