import { describe, expect, it } from "@jest/globals";
import type { CredentialSource } from "../../../gateway/snapshot.ts";
import { eventually } from "../../support/eventually.ts";
import { bearer, makeJwtPolicy, startIssuer } from "../../support/jwks-server.ts";
import { makeRoute } from "../../support/make-route.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, rawRequest } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();

async function setUp(source: CredentialSource) {
  const issuer = rig.use(await startIssuer(), (part) => part.stop());
  const echo = await rig.backend({ handleProtocols: (offered) => [...offered][0] ?? false });
  const jwt = makeJwtPolicy(issuer.provider(), {
    sources: [source],
    forwardClaims: [
      { claim: "sub", header: "X-User-Id" },
      { claim: "email", header: "X-Email" },
    ],
  });
  const holdfast = await rig.gateway({ routes: [makeRoute({ jwt })], backends: { [CHAT]: [echo.port] } });
  /** Everything that the gateway says of its clients: each line of the log, the dashboard's list, the metrics. */
  const said = async () => {
    const get = async (path: string) => (await fetch(`http://127.0.0.1:${holdfast.adminPort}${path}`)).text();
    const events = ["refusal", "connection", "keys", "report", "failure", "snapshot"];
    const lines = events.flatMap((event) => holdfast.lines(event)).map((line) => JSON.stringify(line));
    return [...lines, await get("/connections"), await get("/metrics")].join("\n");
  };
  return { issuer, echo, holdfast, said };
}

/** No part of the token but its header, which is the same for all. */
function expectNoTrace(text: string, token: string): void {
  const [, payload = "", signature = ""] = token.split(".");
  expect(text).not.toContain(payload.slice(0, 24));
  expect(text).not.toContain(signature.slice(0, 24));
}

describe("A8: a token in the URL, or in another place", () => {
  it("in the query: the backend gets the other parameters, and nothing says it anywhere", async () => {
    const { issuer, echo, holdfast, said } = await setUp({ in: "query", name: "jwt", prefix: "" });
    const token = await issuer.token();
    const client = await rig.client(holdfast.url(`/room?a=1&jwt=${token}&b=2&%6awt=${token}`));
    expect((await client.ask("hello")).toString()).toBe("hello");
    expect(echo.requests[0]?.url).toBe("/room?a=1&b=2");
    expectNoTrace(JSON.stringify(echo.requests[0]?.rawHeaders), token);
    expectNoTrace(await said(), token);
    const wrong = await issuer.token({ aud: "mail" });
    const refused = await rawRequest(holdfast.port, handshakeText({ target: `/room?jwt=${wrong}` }));
    expect(refused.status).toBe(401);
    expectNoTrace(refused.body + JSON.stringify([...refused.headers]), wrong);
    await client.close();
    await holdfast.line("connection");
    const text = await said();
    expect(text).toContain("[redacted]");
    expectNoTrace(text, wrong);
    expectNoTrace(text, token);
  });

  it("in the query, to stay: the backend gets it as it came, and still nothing says it anywhere else", async () => {
    const { issuer, echo, holdfast, said } = await setUp({ in: "query", name: "jwt", prefix: "", toBackend: "Keep" });
    const token = await issuer.token();
    const client = await rig.client(holdfast.url(`/room?a=1&jwt=${token}&b=2`));
    expect((await client.ask("hello")).toString()).toBe("hello");
    expect(echo.requests[0]?.url).toBe(`/room?a=1&jwt=${token}&b=2`);
    await client.close();
    await holdfast.line("connection");
    expectNoTrace(await said(), token);
  });

  it("in a subprotocol: the backend is not offered it, and the client gets what the backend chose", async () => {
    const { issuer, echo, holdfast, said } = await setUp({ in: "protocol", name: "", prefix: "bearer." });
    const token = await issuer.token();
    const client = await rig.client(holdfast.url(), { protocols: ["chat.v1", `bearer.${token}`] });
    expect(client.socket.protocol).toBe("chat.v1");
    expect(echo.requests[0]?.headers["sec-websocket-protocol"]).toBe("chat.v1");
    expectNoTrace(await said(), token);
  });

  it("in a subprotocol that is the only one: it is echoed, as browsers demand, and still a secret", async () => {
    const { issuer, echo, holdfast, said } = await setUp({ in: "protocol", name: "", prefix: "bearer." });
    const token = await issuer.token();
    const client = await rig.client(holdfast.url(), { protocols: [`bearer.${token}`] });
    expect(client.socket.protocol).toBe(`bearer.${token}`);
    expect((await client.ask("hello")).toString()).toBe("hello");
    expectNoTrace(JSON.stringify(echo.requests[0]?.rawHeaders), token);
    await client.close();
    await holdfast.line("connection");
    expectNoTrace(await said(), token);
  });

  it("in a cookie", async () => {
    const { issuer, holdfast, said } = await setUp({ in: "cookie", name: "session", prefix: "" });
    const token = await issuer.token();
    await rig.client(holdfast.url(), { headers: { Cookie: `a=b; session=${token}` } });
    expectNoTrace(await said(), token);
  });
});

describe("A8: what a client brings back to get to its endpoint", () => {
  it("is said in no line and no list, but connections can be told apart", async () => {
    const { issuer, holdfast, said } = await setUp({ in: "header", name: "Authorization", prefix: "Bearer " });
    const client = await rig.client(holdfast.url(), bearer(await issuer.token()));
    const id = String(client.headers["holdfast-connection-id"]);
    const [, seed, signature, nonce] = /^(.+)~(.+)\.(.+)$/.exec(id) ?? [];
    const listed = await said();
    await client.close();
    await holdfast.line("connection");
    for (const text of [listed, await said()]) {
      expect(text).toContain(`${seed}.${nonce}`);
      expect(text).not.toContain(signature);
    }
  });
});

describe("A9: a client says itself who it is", () => {
  it("is overwritten by the token's claims, and taken out where the token says nothing", async () => {
    const { issuer, echo, holdfast } = await setUp({ in: "header", name: "Authorization", prefix: "Bearer " });
    const forged = {
      "x-user-id": "root",
      X_User_Id: "root",
      "X-Email": "root@example.com",
      "Holdfast-Connection-Id": "forged",
      "X-Forwarded-For": "203.0.113.1",
    };
    const { Authorization } = bearer(await issuer.token({ sub: "ann" })).headers;
    await rig.client(holdfast.url(), { headers: { ...forged, Authorization } });
    await eventually("the backend is asked", () => echo.requests.length === 1);
    const told = echo.requests[0]?.headers ?? {};
    expect([told["x-user-id"], told.x_user_id, told["x-email"]]).toEqual(["ann", undefined, undefined]);
    expect(told["x-forwarded-for"]).toBe("127.0.0.1");
    expect(told["holdfast-connection-id"]).not.toContain("forged");
  });
});
