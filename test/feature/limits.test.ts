// Limits on what clients may use, through a whole gateway: what the client gets, the metric, and the log line.
import { once } from "node:events";
import { describe, expect, it } from "@jest/globals";
import type { Route } from "../../gateway/snapshot.ts";
import { eventually } from "../support/eventually.ts";
import { makeRoute } from "../support/make-route.ts";
import { CHAT } from "../support/make-snapshot.ts";
import { handshakeText, rawRequest } from "../support/raw-client.ts";
import { type Client, createRig } from "../support/rig.ts";
import type { TestGateway } from "../support/test-gateway.ts";

const rig = createRig();
const NAME = "apps/chat";
/** Refills not once in a test. */
const burst = (count: number) => ({ rate: 1, interval: 3_600_000, burst: count });
const KEYS = { "apikey.ann": "key-of-ann", "apikey.bob": "key-of-bob" };

async function serve(limits: Partial<Route["limits"]>, more: Partial<Route> = {}): Promise<TestGateway> {
  const echo = await rig.backend();
  const route = makeRoute(more);
  const routes = [{ ...route, limits: { ...route.limits, ...limits } }];
  return rig.gateway({
    routes,
    backends: { [CHAT]: [echo.port] },
    settings: { trustedProxies: ["127.0.0.1/32"] },
    secrets: KEYS,
  });
}

/** A route whose clients show who they are. */
const authenticated: Partial<Route> = {
  apiKeys: { secretKeys: Object.keys(KEYS), sources: [{ in: "header", name: "X-Api-Key", prefix: "" }] },
};
const as = (user: "ann" | "bob") => ({ headers: { "X-Api-Key": `key-of-${user}` } });

/** Sends that many messages of 10 bytes; resolves with the replies that have come once there are `replies` of them. */
async function sendMany(client: Client, count: number, replies: number): Promise<string[]> {
  const got: string[] = [];
  client.socket.on("message", (data: Buffer) => void got.push(data.toString()));
  for (let index = 0; index < count; index += 1) client.socket.send(`message ${String(index).padStart(2)}`);
  await eventually(`${replies} replies`, () => got.length >= replies || client.socket.readyState === 3);
  return got;
}

describe("a message rate of a connection", () => {
  it("Close: what keeps to it passes, what exceeds it ends the connection with 1008", async () => {
    const holdfast = await serve({ messages: { perConnection: burst(3), onExceeded: "Close" } });
    const client = await rig.client(holdfast.url());
    expect(await sendMany(client, 3, 3)).toEqual(["message  0", "message  1", "message  2"]);
    client.socket.send("one too many");
    expect(await client.closed).toEqual({ code: 1008, reason: "rate exceeded" });
    const line = await holdfast.line("connection");
    expect(line).toMatchObject({ reason: "RateExceeded", code: 1008, route: NAME, messagesFromClient: 3 });
    const labels = { route: NAME, code: "1008", reason: "RateExceeded", side: "client" };
    expect(await holdfast.metric("holdfast_closes_total", labels)).toBe(1);
  });

  it("Drop: whole messages are left out, pings get through, and the connection lives", async () => {
    const holdfast = await serve({ messages: { perConnection: burst(2), onExceeded: "Drop" } });
    const client = await rig.client(holdfast.url());
    const fragmented = (parts: string[]) =>
      parts.forEach((part, index) => void client.socket.send(part, { fin: index === parts.length - 1 }));
    const got: string[] = [];
    client.socket.on("message", (data: Buffer) => void got.push(data.toString()));
    fragmented(["on", "e"]);
    client.socket.send("two");
    fragmented(["thr", "ee"]);
    client.socket.send("four");
    const pong = once(client.socket, "pong");
    client.socket.ping("still here");
    expect(String((await pong)[0])).toBe("still here");
    expect(got).toEqual(["one", "two"]);
    const labels = { route: NAME, policy: "limits.messages.perConnection", action: "dropped" };
    expect(await holdfast.metric("holdfast_messages_limited_total", labels)).toBe(2);
  });

  it("Throttle: the client is read no faster than its rate, and loses nothing", async () => {
    const rate = { rate: 50, interval: 1_000, burst: 5 };
    const holdfast = await serve({ messages: { perConnection: rate, onExceeded: "Throttle" } });
    const client = await rig.client(holdfast.url());
    const begun = performance.now();
    const got = await sendMany(client, 25, 25);
    expect(got).toHaveLength(25);
    expect(got.at(-1)).toBe("message 24");
    // 20 beyond the burst at 50 a second.
    expect(performance.now() - begun).toBeGreaterThan(390);
    const labels = { route: NAME, action: "throttled" };
    expect(await holdfast.metric("holdfast_messages_limited_total", labels)).toBeGreaterThan(0);
    expect(await client.close()).toMatchObject({ code: 1000 });
  });

  it("Throttle: a client that is being held back can still be sent away", async () => {
    const holdfast = await serve({ messages: { perConnection: burst(1), onExceeded: "Throttle" } });
    const client = await rig.client(holdfast.url());
    expect(await sendMany(client, 5, 1)).toHaveLength(1);
    await holdfast.gateway.drain({ within: 2_000 });
    expect((await client.closed).code).toBe(1012);
  });

  it("Report: everything passes, and what would not have is counted and logged", async () => {
    const holdfast = await serve({ messages: { perConnection: burst(2), onExceeded: "Report" } });
    const client = await rig.client(holdfast.url());
    expect(await sendMany(client, 5, 5)).toHaveLength(5);
    const report = { route: NAME, policy: "limits.messages.perConnection", reason: "RateExceeded" };
    expect(await holdfast.metric("holdfast_policy_reports_total", report)).toBe(3);
    expect(holdfast.lines("report")).toHaveLength(1);
    expect(await holdfast.line("report")).toMatchObject(report);
  });

  it("holds for clients of a hub too", async () => {
    const hub = { backends: [], hub: { name: "news", groups: [] } };
    const holdfast = await serve({ messages: { perConnection: burst(2), onExceeded: "Close" } }, hub);
    const client = await rig.client(holdfast.url());
    await sendMany(client, 3, 0);
    expect((await client.closed).code).toBe(1008);
    expect(await holdfast.line("connection")).toMatchObject({ reason: "RateExceeded", messagesFromClient: 2 });
  });
});

describe("a byte rate of a connection", () => {
  it("counts payload as it is on the wire, and not headers", async () => {
    const holdfast = await serve({ bytes: { perConnection: burst(30), onExceeded: "Close" } });
    const client = await rig.client(holdfast.url(), { perMessageDeflate: false });
    expect(await sendMany(client, 3, 3)).toHaveLength(3);
    client.socket.send("");
    client.socket.send("x");
    expect(await client.closed).toEqual({ code: 1008, reason: "rate exceeded" });
  });
});

describe("limits of a user", () => {
  it("messages: all connections of one user together, and nobody else's", async () => {
    const holdfast = await serve({ messages: { perUser: burst(3), onExceeded: "Drop" } }, authenticated);
    const [one, two] = [await rig.client(holdfast.url(), as("ann")), await rig.client(holdfast.url(), as("ann"))];
    const other = await rig.client(holdfast.url(), as("bob"));
    expect(await sendMany(one, 2, 2)).toHaveLength(2);
    expect(await sendMany(two, 3, 1)).toHaveLength(1);
    expect(await sendMany(other, 3, 3)).toHaveLength(3);
    const labels = { route: NAME, policy: "limits.messages.perUser" };
    expect(await holdfast.metric("holdfast_messages_limited_total", labels)).toBe(2);
  });

  it("connections: 429 for the one too many, from whatever address", async () => {
    const holdfast = await serve({ connections: { perUser: 1 } }, authenticated);
    const first = await rig.client(holdfast.url(), as("ann"));
    const from = { ...as("ann").headers, "X-Forwarded-For": "192.0.2.7" };
    const reply = await rawRequest(holdfast.port, handshakeText({ headers: from }));
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([429, "TooManyConnectionsPerUser"]);
    await rig.client(holdfast.url(), as("bob"));
    await first.close();
    await eventually("the permit is back", () => holdfast.gateway.connections === 1);
    await rig.client(holdfast.url(), as("ann"));
  });
});

describe("handshake rates", () => {
  it("of one client address: 429 with Retry-After, also for tries with wrong credentials", async () => {
    const holdfast = await serve({ handshakes: { perClientIP: burst(3) } }, authenticated);
    const from = (ip: string, key: string) => ({ headers: { "X-Forwarded-For": ip, "X-Api-Key": key } });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect((await rawRequest(holdfast.port, handshakeText(from("192.0.2.1", "guess")))).status).toBe(401);
    }
    const reply = await rawRequest(holdfast.port, handshakeText(from("192.0.2.1", "key-of-ann")));
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([429, "TooManyHandshakesPerClient"]);
    expect(Number(reply.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    await rig.client(holdfast.url(), from("192.0.2.2", "key-of-ann"));
    const labels = { route: NAME, code: "429", reason: "TooManyHandshakesPerClient" };
    expect(await holdfast.metric("holdfast_handshakes_total", labels)).toBe(1);
    expect(holdfast.lines("refusal").at(-1)).toMatchObject({ reason: "TooManyHandshakesPerClient", code: 429 });
  });

  it("of the route: 503 with Retry-After", async () => {
    const holdfast = await serve({ handshakes: { total: burst(1) } });
    const client = await rig.client(holdfast.url());
    const reply = await rawRequest(holdfast.port, handshakeText());
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([503, "TooManyHandshakes"]);
    expect(Number(reply.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect((await client.ask("still here")).toString()).toBe("still here");
  });
});

describe("mode Report", () => {
  it("lets everybody in, counts and logs whom it would have refused", async () => {
    const holdfast = await serve({
      connections: { total: 1, mode: "Report" },
      handshakes: { total: burst(2), mode: "Report" },
    });
    for (let count = 0; count < 3; count += 1) await rig.client(holdfast.url());
    const reports = (policy: string, reason: string) =>
      holdfast.metric("holdfast_policy_reports_total", { route: NAME, policy, reason });
    expect(await reports("limits.connections", "TooManyConnections")).toBe(2);
    expect(await reports("limits.handshakes", "TooManyHandshakes")).toBe(1);
    expect(holdfast.lines("report")).toHaveLength(3);
    expect(await holdfast.metric("holdfast_handshakes_total", { code: "101" })).toBe(3);
  });
});

describe("an overloaded process", () => {
  it("refuses newcomers with 503 and Retry-After, and leaves those who are connected alone", async () => {
    const echo = await rig.backend();
    const load = { heap: 0 };
    const holdfast = await rig.gateway({
      backends: { [CHAT]: [echo.port] },
      gateway: { probes: { loopDelay: () => 0, heapUse: () => load.heap } },
    });
    const client = await rig.client(holdfast.url());
    load.heap = 0.95;
    const overloaded = async () => (await holdfast.metric("holdfast_overloaded")) === 1;
    await eventually("the overload is noticed", overloaded);
    const reply = await rawRequest(holdfast.port, handshakeText());
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([503, "Overloaded"]);
    expect(Number(reply.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect((await client.ask("still here")).toString()).toBe("still here");
    load.heap = 0.5;
    await eventually("the relief is noticed", async () => !(await overloaded()));
    await rig.client(holdfast.url());
    expect(holdfast.lines("overload").map(({ state }) => state)).toEqual(["overloaded", "well"]);
  });
});
