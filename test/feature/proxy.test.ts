import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import { describe, expect, it } from "@jest/globals";
import { WebSocket } from "ws";
import { makeRoute, prefixMatch } from "../support/make-route.ts";
import { CHAT } from "../support/make-snapshot.ts";
import { createRig } from "../support/rig.ts";

const rig = createRig();
const ROUTE = { route: "apps/chat" };

/** The cookie pair of a `Set-Cookie` header. */
const cookieOf = (headers: IncomingHttpHeaders): string => headers["set-cookie"]?.[0]?.split(";")[0] ?? "";

describe("a proxied connection", () => {
  it("carries text, binary, large and fragmented messages both ways", async () => {
    const echo = await rig.backend();
    const { url } = await rig.gateway({ backends: { [CHAT]: [echo.port] } });
    const client = await rig.client(url());
    const big = randomBytes(60_000);
    expect((await client.ask("hello")).toString()).toBe("hello");
    expect((await client.ask(big)).equals(big)).toBe(true);
    const whole = once(client.socket, "message");
    client.socket.send("one ", { fin: false });
    client.socket.send("two ", { fin: false });
    client.socket.send("three", { fin: true });
    expect(String((await whole)[0])).toBe("one two three");
  });

  it("leaves one handshake, one close and one line in the log, with the right counts", async () => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({ backends: { [CHAT]: [echo.port] } });
    const client = await rig.client(holdfast.url("/room?token=secret"), { headers: { "User-Agent": "tester" } });
    await client.ask("hello");
    expect(await holdfast.metric("holdfast_connections", ROUTE)).toBe(1);
    const atBackend = echo.nextClose();
    expect((await client.close()).code).toBe(1000);
    expect(await atBackend).toBe(1000);
    const line = await holdfast.line("connection");
    expect(line).toMatchObject({
      route: "apps/chat",
      listener: "ws",
      clientIP: "127.0.0.1",
      host: "127.0.0.1",
      target: "/room?[redacted]",
      userAgent: "tester",
      endpoint: `127.0.0.1:${echo.port}`,
      reason: "ClientClosed",
      side: "client",
      code: 1000,
      messagesFromClient: 1,
      messagesToClient: 1,
      bytesToClient: expect.any(Number),
    });
    expect(holdfast.lines("connection")).toHaveLength(1);
    expect(JSON.stringify(line)).not.toContain("secret");
    expect(await holdfast.metric("holdfast_connections", ROUTE)).toBe(0);
    expect(await holdfast.metric("holdfast_handshakes_total")).toBe(1);
    expect(await holdfast.metric("holdfast_handshakes_total", { ...ROUTE, code: "101", reason: "Accepted" })).toBe(1);
    expect(
      await holdfast.metric("holdfast_closes_total", { code: "1000", reason: "ClientClosed", side: "client" }),
    ).toBe(1);
    expect(await holdfast.metric("holdfast_messages_total", { ...ROUTE, direction: "from_client" })).toBe(1);
  });

  it("negotiates the subprotocol with the backend, of those that the route allows", async () => {
    const echo = await rig.backend({ handleProtocols: (offered) => [...offered][0] ?? false });
    const route = makeRoute({ protocols: ["chat.v2", "chat.v1"] });
    const { url } = await rig.gateway({ routes: [route], backends: { [CHAT]: [echo.port] } });
    const client = await rig.client(url(), { protocols: ["other", "chat.v1"] });
    expect(client.socket.protocol).toBe("chat.v1");
    expect(echo.requests[0]?.headers["sec-websocket-protocol"]).toBe("chat.v1");
  });

  it("passes compression end to end", async () => {
    const echo = await rig.backend({ perMessageDeflate: { threshold: 0 } });
    const holdfast = await rig.gateway({ backends: { [CHAT]: [echo.port] } });
    const client = await rig.client(holdfast.url(), { perMessageDeflate: { threshold: 0 } });
    expect(client.socket.extensions).toContain("permessage-deflate");
    const text = "again and ".repeat(2000);
    expect((await client.ask(text)).toString()).toBe(text);
    await client.close();
    expect(await holdfast.line("connection")).toMatchObject({ messagesToClient: 1 });
    const bytes = await holdfast.metric("holdfast_message_bytes_total", { direction: "to_client" });
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(text.length / 10);
  });

  it("tells the backend what the route and the gateway say, and not what the client makes up", async () => {
    const echo = await rig.backend();
    const route = makeRoute({
      matches: [prefixMatch("/ws/chat")],
      rewrite: { path: { type: "ReplacePrefixMatch", value: "/" }, hostname: "chat.internal" },
      requestHeaders: {
        set: [{ name: "X-Gateway", value: "holdfast" }],
        add: [],
        remove: ["X-Debug"],
      },
    });
    const { url } = await rig.gateway({ routes: [route], backends: { [CHAT]: [echo.port] } });
    const headers = { "X-Debug": "1", "X-Gateway": "mine", "X-Forwarded-For": "9.9.9.9", "X-Kept": "yes" };
    const client = await rig.client(url("/ws/chat/room/1?v=2"), { headers });
    const [request] = echo.requests;
    expect(request?.url).toBe("/room/1?v=2");
    expect(request?.headers).toMatchObject({
      host: "chat.internal",
      "x-gateway": "holdfast",
      "x-forwarded-for": "127.0.0.1",
      "x-kept": "yes",
      "holdfast-connection-id": client.headers["holdfast-connection-id"],
    });
    expect(request?.headers).not.toHaveProperty("x-debug");
  });

  it("sends each path to its own backend", async () => {
    const [one, two] = [await rig.backend(), await rig.backend()];
    const routes = [
      makeRoute({ name: "one", matches: [prefixMatch("/one")], backends: [{ id: "one", weight: 1 }] }),
      makeRoute({ name: "two", order: 1, matches: [prefixMatch("/two")], backends: [{ id: "two", weight: 1 }] }),
    ];
    const { url } = await rig.gateway({ routes, backends: { one: [one.port], two: [two.port] } });
    await rig.client(url("/one"));
    await rig.client(url("/two/deep"));
    await rig.client(url("/two"));
    expect([one.requests.length, two.requests.length]).toEqual([1, 2]);
  });
});

describe("the connection ID", () => {
  it.each([
    ["cookie", (id: string, cookie: string) => ({ path: "/", headers: { Cookie: cookie }, id })],
    ["header", (id: string) => ({ path: "/", headers: { "Holdfast-Connection-Id": id }, id })],
    ["query parameter", (id: string) => ({ path: `/?holdfast-id=${encodeURIComponent(id)}&a=1`, headers: {}, id })],
  ])("brings a client back to its endpoint by %s", async (_, present) => {
    const backends = await Promise.all([1, 2, 3, 4, 5].map(() => rig.backend()));
    const { url } = await rig.gateway({ backends: { [CHAT]: backends.map(({ port }) => port) } });
    const where = () => backends.findIndex(({ requests }) => requests.length > 0);
    const first = await rig.client(url());
    const home = backends[where()];
    const id = String(first.headers["holdfast-connection-id"]);
    const { path, headers } = present(id, cookieOf(first.headers));
    await first.close();
    for (let again = 0; again < 6; again += 1) {
      const client = await rig.client(url(path), { headers });
      const next = String(client.headers["holdfast-connection-id"]);
      expect(next.split(".")[0]).toBe(id.split(".")[0]);
      expect(next).not.toBe(id);
      await client.close();
    }
    expect(home?.requests).toHaveLength(7);
    expect(home?.requests.at(-1)?.url).not.toContain("holdfast-id");
  });

  it("spreads clients without one over all endpoints, and does not take a forged one", async () => {
    const backends = await Promise.all([1, 2, 3].map(() => rig.backend()));
    const { url } = await rig.gateway({ backends: { [CHAT]: backends.map(({ port }) => port) } });
    const forged = `${"A".repeat(16)}~${"A".repeat(16)}`;
    const seen = new Set<string>();
    for (let i = 0; i < 30; i += 1) {
      const client = await rig.client(url(), { headers: { Cookie: `holdfast-id=${forged}` } });
      seen.add(String(client.headers["holdfast-connection-id"]).split(".")[0] ?? "");
    }
    expect(seen.has(forged)).toBe(false);
    expect(seen.size).toBe(30);
    expect(backends.every(({ requests }) => requests.length > 0)).toBe(true);
  });
});

describe("authentication", () => {
  const apiKeys = {
    secretKeys: ["apikey.apps.keys.one"],
    sources: [{ in: "query", name: "key", prefix: "" } as const],
  };

  it("admits a client that shows an API key, which neither the backend nor the log sees", async () => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({
      routes: [makeRoute({ apiKeys })],
      backends: { [CHAT]: [echo.port] },
      secrets: { "apikey.apps.keys.one": "hunter2" },
    });
    const client = await rig.client(holdfast.url("/?key=hunter2&a=1"));
    expect(echo.requests[0]?.url).toBe("/?a=1");
    await client.close();
    const line = await holdfast.line("connection");
    expect(line).toMatchObject({ principal: "apikey.apps.keys.one" });
    expect(JSON.stringify(line)).not.toContain("hunter2");
  });

  it("refuses the others with 401 and dials nobody", async () => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({
      routes: [makeRoute({ apiKeys })],
      backends: { [CHAT]: [echo.port] },
      secrets: { "apikey.apps.keys.one": "hunter2" },
    });
    const client = new WebSocket(holdfast.url("/?key=hunter3"));
    const [, response] = await once(client, "unexpected-response");
    expect(response.statusCode).toBe(401);
    expect(response.headers["www-authenticate"]).toBeDefined();
    client.on("error", () => undefined);
    client.terminate();
    expect(echo.requests).toHaveLength(0);
    expect(await holdfast.metric("holdfast_handshakes_total", { code: "401", reason: "Unauthenticated" })).toBe(1);
  });
});
