/** Routes that read their messages, through a whole gateway with real clients and a real backend. */
import { once } from "node:events";
import { describe, expect, it } from "@jest/globals";
import { WebSocket } from "ws";
import type { MessagePolicy } from "../../gateway/snapshot.ts";
import { eventually } from "../support/eventually.ts";
import { makeRoute } from "../support/make-route.ts";
import { CHAT } from "../support/make-snapshot.ts";
import { createRig } from "../support/rig.ts";

const rig = createRig();

const messagesOf = (rules: Partial<MessagePolicy>): MessagePolicy => ({
  accept: ["Text"],
  allow: [],
  transform: {},
  onInvalid: "Close",
  mode: "Enforce",
  ...rules,
});

const SAY = JSON.stringify({
  type: "object",
  required: ["type"],
  properties: { type: { const: "say" }, to: { type: "string", maxLength: 5 } },
});

async function start(rules: Partial<MessagePolicy>, options: { deflate?: boolean; maxMessageSize?: number } = {}) {
  const { deflate = false, maxMessageSize = 65_536 } = options;
  const backend = await rig.backend({ perMessageDeflate: deflate });
  const base = makeRoute();
  const route = { ...base, messages: messagesOf(rules), limits: { ...base.limits, maxMessageSize } };
  const gateway = await rig.gateway({ routes: [route], backends: { [CHAT]: [backend.port] } });
  return { backend, gateway };
}

/** Sends and resolves with as many messages as are asked for, as text. */
async function exchange(socket: WebSocket, sent: readonly (string | Buffer)[], count: number): Promise<string[]> {
  const got: string[] = [];
  socket.on("message", (data: Buffer) => got.push(data.toString()));
  for (const message of sent) socket.send(message);
  await eventually(`${count} messages`, () => got.length >= count);
  return got;
}

describe("a schema", () => {
  it("lets good messages through and closes with 1007 on the first bad one; the backend never sees it", async () => {
    const { backend, gateway } = await start({ schema: SAY });
    const { socket, ask, closed } = await rig.client(gateway.url());
    expect(`${await ask('{"type": "say"}')}`).toBe('{"type": "say"}');
    expect(`${await ask('{"type":"say","to":"me"}')}`).toBe('{"type":"say","to":"me"}');
    socket.send('{"type":"say","to":"everybody"}');
    expect(await closed).toEqual({ code: 1007, reason: "invalid message" });
    await eventually("the backend is told", () => backend.closes.length > 0);
    expect(backend.closes).toEqual([1001]);
    expect(await gateway.line("message")).toMatchObject({
      route: "apps/chat",
      reason: "Schema",
      path: "/to",
      action: "closed",
    });
    expect(await gateway.line("connection")).toMatchObject({ reason: "InvalidMessage", messagesFromClient: 3 });
    expect(await gateway.metric("holdfast_messages_refused_total", { reason: "Schema", action: "closed" })).toBe(1);
  });

  it.each([
    ["Drop", undefined, ['{"type":"say"}']],
    ["Report", undefined, ["no JSON", '{"type":"say"}']],
    [
      "Reply",
      '{"error": error.message, "at": error.path}',
      ['{"error":"the message is not JSON","at":""}', '{"type":"say"}'],
    ],
  ] as const)("with onInvalid %s keeps the connection", async (onInvalid, reply, expected) => {
    const { gateway } = await start({ schema: SAY, onInvalid, ...(reply === undefined ? {} : { reply }) });
    const { socket } = await rig.client(gateway.url());
    expect(await exchange(socket, ["no JSON", '{"type":"say"}'], expected.length)).toEqual(expected);
  });

  it("in mode Report lets everything through, counts each and logs the first", async () => {
    const { gateway } = await start({ schema: SAY, mode: "Report" });
    const { socket } = await rig.client(gateway.url());
    expect(await exchange(socket, ["1", "2", "3"], 3)).toEqual(["1", "2", "3"]);
    const labels = { route: "apps/chat", policy: "messages", reason: "Schema" };
    expect(await gateway.metric("holdfast_policy_reports_total", labels)).toBe(3);
    expect(gateway.lines("message")).toHaveLength(1);
  });
});

describe("kinds", () => {
  it("that are not accepted close with 1003", async () => {
    const { gateway } = await start({ accept: ["Text"] });
    const { socket, ask, closed } = await rig.client(gateway.url());
    expect(`${await ask("any text")}`).toBe("any text");
    socket.send(Buffer.from([1, 2]));
    expect(await closed).toEqual({ code: 1003, reason: "this kind of message is not accepted" });
  });

  it("that are accepted pass as they are", async () => {
    const { gateway } = await start({ accept: ["Binary"] });
    const { ask, socket, closed } = await rig.client(gateway.url());
    expect(await ask(Buffer.from([0, 255, 128]))).toEqual(Buffer.from([0, 255, 128]));
    socket.send("text");
    expect((await closed).code).toBe(1003);
  });
});

describe("transform", () => {
  it("changes messages in both directions, and knows the connection", async () => {
    const { gateway } = await start({
      transform: {
        fromClient: '{"ip": client.ip, "route": route.name, "body": message}',
        toClient: '{"wrapped": message.body, "ip": message.ip, "at": message.route}',
      },
    });
    const { ask } = await rig.client(gateway.url());
    const answer: unknown = JSON.parse(`${await ask('{"n":[1,{"a":null}]}')}`);
    expect(answer).toEqual({ wrapped: { n: [1, { a: null }] }, ip: "127.0.0.1", at: "chat" });
  });

  it("leaves out a backend's message that it fails on, and goes on", async () => {
    const { gateway } = await start({ transform: { toClient: "message.body" } });
    const { socket } = await rig.client(gateway.url());
    expect(await exchange(socket, ["no JSON", '{"body":"a"}'], 1)).toEqual(["a"]);
    const labels = { direction: "to_client", reason: "Transform", action: "dropped" };
    expect(await gateway.metric("holdfast_messages_refused_total", labels)).toBe(1);
  });
});

describe("an inspected connection", () => {
  it("keeps the order of messages, pings and pongs", async () => {
    const { gateway } = await start({ allow: ["message > 0"] });
    const { socket } = await rig.client(gateway.url());
    const seen: string[] = [];
    socket.on("message", (data: Buffer) => seen.push(data.toString()));
    socket.on("pong", (data: Buffer) => seen.push(`pong ${data}`));
    for (let n = 1; n <= 300; n += 1) {
      socket.send(String(n));
      if (n % 100 === 0) socket.ping(`after ${n}`);
    }
    await eventually("all came back", () => seen.length === 303);
    const messages = seen.filter((text) => !text.startsWith("pong"));
    expect(messages).toEqual(Array.from({ length: 300 }, (_, index) => String(index + 1)));
    expect(seen.filter((text) => text.startsWith("pong"))).toEqual([
      "pong after 100",
      "pong after 200",
      "pong after 300",
    ]);
  });

  it("carries megabytes through a client that reads late, and loses nothing", async () => {
    const { gateway } = await start({ allow: ["true"], transform: { toClient: "text" } }, { maxMessageSize: 1 << 20 });
    const { socket } = await rig.client(gateway.url());
    const text = JSON.stringify("x".repeat(100_000));
    socket.pause();
    for (let n = 0; n < 100; n += 1) socket.send(text);
    const got: number[] = [];
    socket.on("message", (data: Buffer) => got.push(data.length));
    await new Promise((resolve) => setImmediate(resolve));
    socket.resume();
    await eventually("all came back", () => got.length === 100, 15_000);
    expect(new Set(got)).toEqual(new Set([text.length]));
  });

  it.each([
    ["both sides", true, true],
    ["the client alone", true, false],
    ["the backend alone", false, true],
    ["neither side", false, false],
  ])("negotiates compression with %s", async (_name, client, backend) => {
    const { gateway, backend: far } = await start({ schema: "{}" }, { deflate: backend });
    const { socket } = await rig.client(gateway.url(), { perMessageDeflate: client ? { threshold: 0 } : false });
    expect(socket.extensions).toBe(client ? "permessage-deflate" : "");
    expect(far.requests[0]?.headers["sec-websocket-extensions"]).toBe(
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    );
    const large = JSON.stringify({ text: "again and again ".repeat(2_000) });
    expect(await exchange(socket, ["1", large, "2", large], 4)).toEqual(["1", large, "2", large]);
    const { bytesFromClient } = await (async () => {
      socket.close(1000);
      return gateway.line("connection");
    })();
    expect(Number(bytesFromClient) < large.length).toBe(client);
  });

  it("propagates close codes both ways", async () => {
    const { gateway, backend } = await start({ allow: ["true"] });
    const { socket, closed } = await rig.client(gateway.url());
    const told = backend.nextClose();
    socket.close(4001, "bye");
    expect(await told).toBe(4001);
    expect((await closed).code).toBe(4001);
    expect(await gateway.line("connection")).toMatchObject({ reason: "ClientClosed", code: 4001 });
  });

  it("is told 1014 when its backend dies", async () => {
    const { gateway, backend } = await start({ allow: ["true"] });
    const { ask, closed } = await rig.client(gateway.url());
    await ask("1");
    for (const socket of backend.sockets) socket.resetAndDestroy();
    expect(await closed).toEqual({ code: 1014, reason: "backend lost" });
  });

  it("keeps its policy when the route changes", async () => {
    const { gateway, backend } = await start({ allow: ["message > 1"] });
    const { ask } = await rig.client(gateway.url());
    const route = { ...makeRoute(), messages: messagesOf({ allow: ["message > 100"] }) };
    await gateway.offer({ routes: [route], backends: { [CHAT]: [backend.port] } });
    expect(`${await ask("2")}`).toBe("2");
    const other = await rig.client(gateway.url());
    other.socket.send("2");
    expect((await other.closed).code).toBe(1007);
  });
});

it("rules that cannot be compiled are refused with 500, and nobody is let past them", async () => {
  const { gateway, backend } = await start({ allow: ["1 +"] });
  const socket = rig.use(new WebSocket(gateway.url()), (it) => it.terminate());
  socket.on("error", () => undefined);
  const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode: number }];
  expect(response.statusCode).toBe(500);
  expect(backend.requests).toHaveLength(0);
});
