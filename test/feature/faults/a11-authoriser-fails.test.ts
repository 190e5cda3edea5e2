import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "@jest/globals";
import type { ExternalPolicy } from "../../../gateway/snapshot.ts";
import { eventually } from "../../support/eventually.ts";
import { makeRoute } from "../../support/make-route.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, rawConnect, rawRequest } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();

async function setUp(answer: RequestListener, changes: Partial<ExternalPolicy> = {}) {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    answer(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  rig.use(server, (part) => part.listening && stop());
  const echo = await rig.backend();
  const external: ExternalPolicy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/check?by=holdfast`,
    timeout: 500,
    forwardHeaders: ["Cookie", "X-Session", "Connection"],
    responseHeaders: ["X-User-Id"],
    failOpen: false,
    ...changes,
  };
  const jwtless = makeRoute({ external });
  const holdfast = await rig.gateway({ routes: [jwtless], backends: { [CHAT]: [echo.port] } });
  const checks = (outcome: string) =>
    holdfast.metric("holdfast_authorizer_checks_total", { route: "apps/chat", outcome });
  const ask = async (headers = {}) => {
    const { status, body, headers: answered } = await rawRequest(holdfast.port, handshakeText({ headers }));
    return { status, body, headers: answered };
  };
  return { asked, stop, echo, holdfast, checks, ask };
}

describe("an external authoriser", () => {
  it("is asked in the words of forward auth, and what it says of the user reaches the backend alone", async () => {
    const { asked, echo, holdfast, checks } = await setUp((_request, response) => {
      response.writeHead(204, { "X-User-Id": "ann", "X-Secret": "1" }).end();
    });
    const headers = { Cookie: "session=1", "X-Session": "s", "X-Other": "o", "X-User-Id": "root" };
    const client = await rig.client(holdfast.url("/room?x=1"), { headers });
    expect((await client.ask("hello")).toString()).toBe("hello");
    expect(asked).toHaveLength(1);
    expect([asked[0]?.method, asked[0]?.url]).toEqual(["GET", "/check?by=holdfast"]);
    expect(asked[0]?.headers).toMatchObject({
      cookie: "session=1",
      "x-session": "s",
      "x-forwarded-method": "GET",
      "x-forwarded-proto": "http",
      "x-forwarded-uri": "/room?x=1",
      "x-forwarded-for": "127.0.0.1",
      "holdfast-route": "apps/chat",
    });
    expect(asked[0]?.headers).not.toHaveProperty("x-other");
    expect(asked[0]?.headers).not.toHaveProperty("upgrade");
    const told = echo.requests[0]?.headers ?? {};
    expect([told["x-user-id"], told["x-secret"]]).toEqual(["ann", undefined]);
    expect(client.headers).not.toHaveProperty("x-user-id");
    expect(await checks("allowed")).toBe(1);
  });

  it.each([401, 403])("its %i is relayed", async (status) => {
    const { echo, ask, checks, holdfast } = await setUp((_request, response) => {
      response.writeHead(status, { "WWW-Authenticate": "Login", "Content-Type": "text/plain" }).end("no entry");
    });
    const answer = await ask();
    expect([answer.status, answer.body, answer.headers.get("www-authenticate")]).toEqual([status, "no entry", "Login"]);
    expect(echo.requests).toHaveLength(0);
    expect(await checks("denied")).toBe(1);
    const handshakes = { reason: "AuthorizerDenied", code: String(status) };
    expect(await holdfast.metric("holdfast_handshakes_total", handshakes)).toBe(1);
  });
});

describe("A11: the authoriser is slow or down", () => {
  const ANSWERS: readonly [string, RequestListener][] = [
    ["never answers", () => undefined],
    ["answers 500", (_request, response) => void response.writeHead(500).end()],
    ["redirects", (_request, response) => void response.writeHead(302, { Location: "/login" }).end()],
    ["breaks off", (request) => void request.socket.destroy()],
    [
      "answers without an end",
      (_request, response) => {
        response.writeHead(200);
        response.write("x");
      },
    ],
  ];

  it.each(ANSWERS)("one that %s: 503 in time", async (_what, answer) => {
    const { ask, checks, echo } = await setUp(answer);
    const startedAt = Date.now();
    const { status, body, headers } = await ask();
    expect([status, JSON.parse(body).reason]).toEqual([503, "AuthorizerUnavailable"]);
    expect(headers.has("retry-after")).toBe(true);
    expect(Date.now() - startedAt).toBeLessThan(2000);
    expect(await checks("unavailable")).toBe(1);
    expect(echo.requests).toHaveLength(0);
  });

  it.each(ANSWERS)("one that %s, with failOpen: let in and counted; no user is made up", async (_what, answer) => {
    const { checks, echo, holdfast } = await setUp(answer, { failOpen: true });
    await rig.client(holdfast.url(), { headers: { "X-User-Id": "root" } });
    expect(await checks("failed_open")).toBe(1);
    expect(echo.requests[0]?.headers).not.toHaveProperty("x-user-id");
  });

  it("one that nothing listens for: 503", async () => {
    const { ask, stop } = await setUp(() => undefined);
    await stop();
    expect((await ask()).status).toBe(503);
  });

  it("a client that leaves while it is asked is not asked for any longer", async () => {
    let gaveUp = false;
    const { holdfast, asked } = await setUp((request) => void request.socket.on("close", () => (gaveUp = true)), {
      timeout: 60_000,
    });
    const client = await rawConnect(holdfast.port);
    client.socket.write(handshakeText());
    await eventually("it is asked", () => asked.length === 1);
    client.socket.destroy();
    await eventually("the question is taken back", () => gaveUp);
    await eventually(
      "and counted",
      async () => (await holdfast.metric("holdfast_handshakes_total", { reason: "ClientGone" })) === 1,
    );
  });
});
