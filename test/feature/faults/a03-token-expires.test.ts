import { describe, expect, it } from "@jest/globals";
import { createMemoryBus } from "../../../gateway/bus/bus-memory.ts";
import { createHub } from "../../../gateway/hub/hub.ts";
import { apiHandler } from "../../../gateway/ports/api.ts";
import { type JwtPolicy, SNAPSHOT_OBJECTS } from "../../../gateway/snapshot.ts";
import { eventually } from "../../support/eventually.ts";
import { bearer, makeJwtPolicy, startIssuer } from "../../support/jwks-server.ts";
import { makeRoute } from "../../support/make-route.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, rawRequest } from "../../support/raw-client.ts";
import { type Client, createRig } from "../../support/rig.ts";

const rig = createRig();
const API_TOKEN = "an-api-token";
const seconds = () => Math.floor(Date.now() / 1000);
const idOf = (client: Client) => encodeURIComponent(String(client.headers["holdfast-connection-id"]));

/** Gateway processes of one fleet: one secret, one bus, one backend. */
async function fleet(pods: number, changes: Partial<JwtPolicy> = {}) {
  const issuer = rig.use(await startIssuer(), (part) => part.stop());
  const echo = await rig.backend();
  const route = makeRoute({ jwt: makeJwtPolicy(issuer.provider(), changes) });
  const bus = createMemoryBus();
  const secrets = {
    [SNAPSHOT_OBJECTS.apiTokenKey]: API_TOKEN,
    [SNAPSHOT_OBJECTS.connectionIdKey]: Buffer.alloc(32, 7).toString("base64"),
  };
  const start = () => {
    const hub = createHub({ bus });
    const gateway = { bus, hub, api: apiHandler({ hub, token: () => API_TOKEN }) };
    return rig.gateway({ routes: [route], backends: { [CHAT]: [echo.port] }, secrets, gateway });
  };
  const all = await Promise.all(Array.from({ length: pods }, start));
  const call = async (pod: number, path: string, body: unknown) => {
    const response = await fetch(`http://127.0.0.1:${all[pod]?.gateway.ports.api}${path}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${API_TOKEN}` },
      body: JSON.stringify(body),
    });
    return { status: response.status, document: (await response.json()) as Record<string, unknown> };
  };
  return { issuer, echo, all, call, start };
}

describe("A3: a token expires while its client is connected", () => {
  it("closes with 3000 within a second of the end, and tells the backend", async () => {
    const { issuer, echo, all } = await fleet(1);
    const exp = seconds() + 3;
    const [client, other] = [
      await rig.client(all[0]!.url(), bearer(await issuer.token({ exp }))),
      await rig.client(all[0]!.url(), bearer(await issuer.token())),
    ];
    expect((await client.ask("still in")).toString()).toBe("still in");
    expect(await client.closed).toEqual({ code: 3000, reason: "token expired" });
    expect(Math.abs(Date.now() - exp * 1000)).toBeLessThan(1000);
    await eventually("the backend is told", () => echo.closes.length === 1);
    expect((await other.ask("not mine")).toString()).toBe("not mine");
    expect(await all[0]!.metric("holdfast_closes_total", { reason: "TokenExpired", code: "3000" })).toBe(1);
  }, 10_000);

  it("onExpiry Ignore: the connection outlives it", async () => {
    const { issuer, all } = await fleet(1, { onExpiry: "Ignore" });
    const exp = seconds() + 1;
    const client = await rig.client(all[0]!.url(), bearer(await issuer.token({ exp })));
    await eventually("three sweeps after its end", () => Date.now() > exp * 1000 + 3000);
    expect((await client.ask("still in")).toString()).toBe("still in");
  }, 10_000);

  it("a newer token, given to any pod, keeps the connection", async () => {
    const { issuer, all, call } = await fleet(2);
    const exp = seconds() + 3;
    const client = await rig.client(all[0]!.url(), bearer(await issuer.token({ exp })));
    const renewed = await call(1, `/connections/${idOf(client)}/token`, {
      token: await issuer.token({ exp: exp + 60 }),
    });
    expect(renewed).toEqual({ status: 200, document: { expiresAt: new Date((exp + 60) * 1000).toISOString() } });
    await eventually("the first token's end is over", () => Date.now() > exp * 1000 + 1500);
    expect((await client.ask("still in")).toString()).toBe("still in");
    const shorter = { token: await issuer.token({ exp: seconds() + 1 }) };
    expect((await call(0, `/connections/${idOf(client)}/token`, shorter)).status).toBe(200);
    expect((await client.closed).code).toBe(3000);
  }, 15_000);

  it("what is no better token changes nothing, and the answer says why", async () => {
    const { issuer, all, call } = await fleet(2, { requiredClaims: [{ name: "scope", values: ["chat"] }] });
    const client = await rig.client(all[0]!.url(), bearer(await issuer.token({ scope: "chat" })));
    const renew = async (token: string, id = idOf(client)) => {
      const { status, document } = await call(1, `/connections/${id}/token`, { token });
      return [status, document.reason];
    };
    expect(await renew(await issuer.token({ scope: "chat", exp: seconds() - 1 }))).toEqual([422, "TokenExpired"]);
    expect(await renew(await issuer.token({ scope: "mail" }))).toEqual([422, "ClaimsInsufficient"]);
    expect(await renew(await issuer.token({ scope: "chat", sub: "bob" }))).toEqual([409, "SubjectChanged"]);
    expect(await renew("nonsense")).toEqual([422, "TokenMalformed"]);
    expect(await renew(await issuer.token(), "nobody")).toEqual([404, "NoSuchConnection"]);
    expect(await renew("")).toEqual([400, "BadRequest"]);
    expect((await client.ask("still in")).toString()).toBe("still in");
    const refused = await fetch(`http://127.0.0.1:${all[0]!.gateway.ports.api}/revocations`, { method: "POST" });
    expect(refused.status).toBe(401);
  }, 15_000);
});

describe("revocation, on every pod within a second", () => {
  it.each([
    ["user", { user: "ann" }],
    ["token", { tokenId: "t1" }],
  ])("of a %s: 3003 for its connections, 403 for its handshakes, nothing for others", async (_what, body) => {
    const { issuer, all, call } = await fleet(2);
    const revokedToken = await issuer.token({ sub: "ann", jti: "t1" });
    const ann = await Promise.all(all.map((pod) => rig.client(pod.url(), bearer(revokedToken))));
    const bob = await rig.client(all[1]!.url(), bearer(await issuer.token({ sub: "bob", jti: "t2" })));
    const at = Date.now();
    expect((await call(0, "/revocations", body)).status).toBe(202);
    for (const client of ann) expect(await client.closed).toEqual({ code: 3003, reason: "access revoked" });
    expect(Date.now() - at).toBeLessThan(1000);
    expect((await bob.ask("still in")).toString()).toBe("still in");
    for (const pod of all) {
      const { status, body: text } = await rawRequest(pod.port, handshakeText(bearer(revokedToken)));
      expect([status, JSON.parse(text).reason]).toEqual([403, "Revoked"]);
    }
  });

  it("of a connection: that one alone, and its client may come back", async () => {
    const { issuer, all, call } = await fleet(2);
    const token = bearer(await issuer.token());
    const [one, other] = [await rig.client(all[0]!.url(), token), await rig.client(all[0]!.url(), token)];
    const body = { connection: String(one.headers["holdfast-connection-id"]) };
    expect((await call(1, "/revocations", body)).status).toBe(202);
    expect((await one.closed).code).toBe(3003);
    expect((await other.ask("still in")).toString()).toBe("still in");
    await rig.client(all[0]!.url(), token);
  });

  it("of a connection, by its ID as the list and the log show it", async () => {
    const { issuer, all, call } = await fleet(1);
    const [gateway] = all;
    const client = await rig.client(gateway!.url(), bearer(await issuer.token()));
    const list = await fetch(`http://127.0.0.1:${gateway!.adminPort}/connections`);
    const { connections } = (await list.json()) as { connections: { id: string }[] };
    expect((await call(0, "/revocations", { connection: connections[0]?.id })).status).toBe(202);
    expect((await client.closed).code).toBe(3003);
    expect(await gateway!.line("connection")).toMatchObject({ connectionId: connections[0]?.id });
  });

  it("a token that is newer than the revocation of its user is good", async () => {
    const { issuer, all, call } = await fleet(1);
    await call(0, "/revocations", { user: "ann" });
    await rig.client(all[0]!.url(), bearer(await issuer.token({ iat: seconds() + 1 })));
  });

  it("is told to pods that start later", async () => {
    const { issuer, call, start } = await fleet(1);
    await call(0, "/revocations", { user: "ann", until: new Date(Date.now() + 60_000).toISOString() });
    const late = await start();
    await eventually("it knows", async () => (await late.metric("holdfast_revocations")) === 1);
    const { status } = await rawRequest(late.port, handshakeText(bearer(await issuer.token())));
    expect(status).toBe(403);
  });

  it.each([
    [{}, "set exactly one"],
    [{ user: "a", tokenId: "b" }, "set exactly one"],
    [{ user: "a", until: "2001-01-01T00:00:00Z" }, "until"],
    [{ user: "a", until: "soon" }, "until"],
    [{ user: "a", for: "1h" }, "for"],
  ])("%j is refused with what to do", async (body, words) => {
    const { call } = await fleet(1);
    const { status, document } = await call(0, "/revocations", body);
    expect(status).toBe(400);
    expect(document.detail).toContain(words);
  });
});
