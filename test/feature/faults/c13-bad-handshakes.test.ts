import { describe, expect, it } from "@jest/globals";
import { makeRoute, prefixMatch } from "../../support/make-route.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, parseReply, rawConnect, rawRequest } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();
const PLAIN = {
  Upgrade: undefined,
  Connection: "close",
  "Sec-WebSocket-Key": undefined,
  "Sec-WebSocket-Version": undefined,
};

async function setUp() {
  const echo = await rig.backend();
  const routes = [makeRoute({ matches: [prefixMatch("/ws")] })];
  return { echo, holdfast: await rig.gateway({ routes, backends: { [CHAT]: [echo.port] } }) };
}

describe("C13: a handshake that is none", () => {
  it.each([
    ["a bad key", { headers: { "Sec-WebSocket-Key": "short" } }, 400, "BadKey"],
    ["no key", { headers: { "Sec-WebSocket-Key": undefined } }, 400, "BadKey"],
    ["a wrong version", { headers: { "Sec-WebSocket-Version": "8" } }, 426, "UnsupportedVersion"],
    ["a wrong method", { method: "POST" }, 405, "MethodNotAllowed"],
    ["CONNECT", { method: "CONNECT", target: "chat.example.com:80" }, 400, "BadTarget"],
    ["a plain GET on a WebSocket path", { headers: PLAIN }, 426, "UpgradeRequired"],
    ["a plain POST on a WebSocket path", { method: "POST", headers: PLAIN }, 405, "MethodNotAllowed"],
    ["a plain GET elsewhere", { target: "/other", headers: PLAIN }, 404, "NoRoute"],
    ["a handshake elsewhere", { target: "/other" }, 404, "NoRoute"],
    ["no Host", { headers: { Host: undefined } }, 400, "BadHost"],
    ["two Hosts", { extra: "Host: other.example.com\r\n" }, 400, "BadHost"],
  ])("%s", async (_, request, status, reason) => {
    const { echo, holdfast } = await setUp();
    const reply = await rawRequest(holdfast.port, handshakeText({ target: "/ws", ...request }));
    expect(reply.status).toBe(status);
    expect(JSON.parse(reply.body)).toMatchObject({ reason, status });
    expect(await holdfast.metric("holdfast_handshakes_total", { code: String(status), reason })).toBe(1);
    expect(await holdfast.metric("holdfast_handshakes_total")).toBe(1);
    expect(reply.headers.get("sec-websocket-version")).toBe(status === 426 ? "13" : undefined);
    expect(reply.headers.get("allow")).toBe(status === 405 ? "GET" : undefined);
    expect(echo.requests).toHaveLength(0);
  });

  it("leaves an HTTP connection open for a handshake after a plain request", async () => {
    const { holdfast } = await setUp();
    const client = rig.use(await rawConnect(holdfast.port), ({ socket }) => socket.destroy());
    client.socket.write(handshakeText({ target: "/ws", headers: { ...PLAIN, Connection: "keep-alive" } }));
    const first = parseReply(await client.until((bytes) => bytes.includes('"reason"')));
    expect(first.status).toBe(426);
    client.socket.write(handshakeText({ target: "/ws" }));
    await client.until((bytes) => bytes.includes("101 Switching Protocols"));
    expect(holdfast.gateway.connections).toBe(1);
  });
});
