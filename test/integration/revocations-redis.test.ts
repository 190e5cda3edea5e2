// Access that ends or goes on while a client is connected: two gateways that share nothing but a secret and a real Redis.
import { expect, it } from "@jest/globals";
import { Redis } from "ioredis";
import { createRedisBus } from "../../gateway/bus/bus-redis.ts";
import { createHub } from "../../gateway/hub/hub.ts";
import { apiHandler } from "../../gateway/ports/api.ts";
import { SNAPSHOT_OBJECTS } from "../../gateway/snapshot.ts";
import { eventually } from "../support/eventually.ts";
import { bearer, makeJwtPolicy, startIssuer } from "../support/jwks-server.ts";
import { makeRoute } from "../support/make-route.ts";
import { CHAT } from "../support/make-snapshot.ts";
import { handshakeText, rawRequest } from "../support/raw-client.ts";
import { startRedis } from "../support/redis.ts";
import { type Client, createRig } from "../support/rig.ts";
import type { TestGateway } from "../support/test-gateway.ts";

const rig = createRig();
const API_TOKEN = "an-api-token";
const seconds = () => Math.floor(Date.now() / 1000);
const idOf = (client: Client) => String(client.headers["holdfast-connection-id"]);

/** Two pods of one gateway, each with a connection of its own to Redis, and both listening to each other. */
async function fleet() {
  const redis = rig.use(await startRedis(), (server) => server.stop());
  const admin = rig.use(new Redis(redis.url), (client) => client.disconnect());
  admin.on("error", () => {}); // a test may take the server away from it
  const issuer = rig.use(await startIssuer(), (part) => part.stop());
  const echo = await rig.backend();
  const routes = [makeRoute({ jwt: makeJwtPolicy(issuer.provider()) })];
  const secrets = {
    [SNAPSHOT_OBJECTS.apiTokenKey]: API_TOKEN,
    [SNAPSHOT_OBJECTS.connectionIdKey]: Buffer.alloc(32, 7).toString("base64"),
  };
  const start = async () => {
    const bus = rig.use(createRedisBus({ url: redis.url }), (part) => part.close());
    await eventually("the bus is up", () => bus.up);
    const hub = createHub({ bus });
    const gateway = { bus, hub, api: apiHandler({ hub, token: () => API_TOKEN }) };
    return rig.gateway({ routes, backends: { [CHAT]: [echo.port] }, secrets, gateway });
  };
  const pods = [await start(), await start()] as const;
  const listening = () =>
    eventually("both listen", async () => {
      const [, count] = (await admin.call("PUBSUB", "NUMSUB", "holdfast:control")) as [string, number];
      return count === 2;
    });
  await listening();
  return { redis, issuer, pods, listening };
}

async function call(pod: TestGateway, path: string, body: unknown) {
  const response = await fetch(`http://127.0.0.1:${pod.gateway.ports.api}${path}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${API_TOKEN}` },
    body: JSON.stringify(body),
  });
  return { status: response.status, document: (await response.json()) as Record<string, unknown> };
}

async function handshakeWith(pod: TestGateway, token: string): Promise<unknown> {
  const { status, body } = await rawRequest(pod.port, handshakeText(bearer(token)));
  return [status, JSON.parse(body).reason];
}

it.each([
  ["user", { user: "ann" }],
  ["token", { tokenId: "t1" }],
])("a %s that is revoked at one pod is out of the other within a second, and stays out", async (_what, body) => {
  const { issuer, pods } = await fleet();
  const [first, second] = pods;
  const token = await issuer.token({ sub: "ann", jti: "t1" });
  const ann = await rig.client(second.url(), bearer(token));
  const bob = await rig.client(second.url(), bearer(await issuer.token({ sub: "bob", jti: "t2" })));
  const at = performance.now();
  expect((await call(first, "/revocations", body)).status).toBe(202);
  expect(await ann.closed).toEqual({ code: 3003, reason: "access revoked" });
  expect(performance.now() - at).toBeLessThan(1000);
  expect((await bob.ask("still in")).toString()).toBe("still in");
  for (const pod of pods) expect(await handshakeWith(pod, token)).toEqual([403, "Revoked"]);
});

it("one connection, which the other pod holds, is ended by its ID", async () => {
  const { issuer, pods } = await fleet();
  const [first, second] = pods;
  const token = bearer(await issuer.token());
  const [one, other] = [await rig.client(second.url(), token), await rig.client(second.url(), token)];
  const at = performance.now();
  expect((await call(first, "/revocations", { connection: idOf(one) })).status).toBe(202);
  expect((await one.closed).code).toBe(3003);
  expect(performance.now() - at).toBeLessThan(1000);
  expect((await other.ask("still in")).toString()).toBe("still in");
});

it("a newer token that one pod is given keeps the connection at the other, and a worse one is refused with why", async () => {
  const { issuer, pods } = await fleet();
  const [first, second] = pods;
  const exp = seconds() + 3;
  const client = await rig.client(second.url(), bearer(await issuer.token({ exp })));
  const path = `/connections/${encodeURIComponent(idOf(client))}/token`;
  const renew = async (token: string) => call(first, path, { token });
  expect(await renew(await issuer.token({ sub: "bob" }))).toMatchObject({
    status: 409,
    document: { reason: "SubjectChanged" },
  });
  expect(await renew(await issuer.token({ exp: exp + 60 }))).toEqual({
    status: 200,
    document: { expiresAt: new Date((exp + 60) * 1000).toISOString() },
  });
  await eventually("the first token's end is over", () => Date.now() > exp * 1000 + 1500);
  expect((await client.ask("still in")).toString()).toBe("still in");
  expect((await renew(await issuer.token({ exp: seconds() + 1 }))).status).toBe(200);
  expect(await client.closed).toEqual({ code: 3000, reason: "token expired" });
}, 15_000);

it("while Redis is away a revocation holds where it was said, with 503, and reaches the other pod when Redis is back", async () => {
  const { redis, issuer, pods, listening } = await fleet();
  const [first, second] = pods;
  const token = await issuer.token({ sub: "ann" });
  const [here, there] = [await rig.client(first.url(), bearer(token)), await rig.client(second.url(), bearer(token))];
  await redis.kill();
  await eventually("the outage shows", async () => (await call(first, "/revocations", { user: "x" })).status === 503);
  expect((await call(first, "/revocations", { user: "ann" })).status).toBe(503);
  expect((await here.closed).code).toBe(3003);
  expect(await handshakeWith(first, token)).toEqual([403, "Revoked"]);
  expect((await there.ask("not told yet")).toString()).toBe("not told yet");
  await redis.start();
  await listening();
  expect(await there.closed).toEqual({ code: 3003, reason: "access revoked" });
  expect(await handshakeWith(second, token)).toEqual([403, "Revoked"]);
}, 30_000);
