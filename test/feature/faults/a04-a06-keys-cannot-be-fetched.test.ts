import { describe, expect, it } from "@jest/globals";
import { KEY_TIMINGS, type KeyTimings } from "../../../gateway/auth/jwks.ts";
import { eventually } from "../../support/eventually.ts";
import { bearer, makeJwtPolicy, makeKey, startIssuer } from "../../support/jwks-server.ts";
import { makeRoute } from "../../support/make-route.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, parseReply, rawConnect, rawRequest } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();
const MANY = 200;

async function setUp(timings: Partial<KeyTimings> = {}) {
  const issuer = rig.use(await startIssuer(), (part) => part.stop());
  const echo = await rig.backend();
  const holdfast = await rig.gateway({
    routes: [makeRoute({ jwt: makeJwtPolicy(issuer.provider()) })],
    backends: { [CHAT]: [echo.port] },
    gateway: { keyTimings: { ...KEY_TIMINGS, ...timings } },
  });
  /** Reason of the refusal; `Accepted` where there is none. */
  const outcome = async (token: string): Promise<string> => {
    const client = await rawConnect(holdfast.port);
    client.socket.write(handshakeText({ headers: bearer(token).headers }));
    const accepted = (await client.head()).startsWith("HTTP/1.1 101 ");
    const reply = accepted ? undefined : parseReply(await client.rest());
    client.socket.destroy();
    return reply ? `${reply.status} ${JSON.parse(reply.body).reason}` : "Accepted";
  };
  const refusals = (token: string) =>
    Promise.all(
      Array.from({ length: MANY }, async () => {
        const reply = await rawRequest(holdfast.port, handshakeText({ headers: bearer(token).headers }));
        return `${reply.status} ${JSON.parse(reply.body).reason} ${reply.headers.has("retry-after")}`;
      }),
    );
  return { issuer, holdfast, outcome, refusals };
}

const distinct = (items: readonly string[]) => [...new Set(items)];

describe("A4: the key server is down and no key is known", () => {
  it("one fetch, 503 for all of 200 handshakes, never 401", async () => {
    const { issuer, refusals } = await setUp({ backoff: { first: 60_000, max: 60_000 } });
    const token = await issuer.token();
    issuer.answerWith(500);
    expect(distinct(await refusals(token))).toEqual(["503 KeysUnavailable true"]);
    expect(issuer.fetches).toBe(1);
  }, 15_000);

  it("the same where nothing listens, or nothing answers in time", async () => {
    const { issuer, holdfast, refusals } = await setUp({ timeout: 300, backoff: { first: 60_000, max: 60_000 } });
    const token = await issuer.token();
    issuer.hold();
    expect(distinct(await refusals(token))).toEqual(["503 KeysUnavailable true"]);
    expect(issuer.fetches).toBe(1);
    await issuer.stop();
    expect(distinct(await refusals(token))).toEqual(["503 KeysUnavailable true"]);
    expect(await holdfast.metric("holdfast_jwks_fetches_total", { outcome: "failed" })).toBe(1);
    expect(await holdfast.line("keys")).toMatchObject({ from: issuer.jwksUri, problem: "no answer in 300 ms" });
  }, 15_000);

  it("comes back by itself, after pauses that grow", async () => {
    const { issuer, outcome } = await setUp({ backoff: { first: 100, max: 400 } });
    const token = await issuer.token();
    issuer.answerWith(503);
    const until = Date.now() + 1500;
    let last = "";
    while (Date.now() < until) last = await outcome(token);
    expect(last).toBe("503 KeysUnavailable");
    // 50 to 100 ms, 100 to 200 ms, then 200 to 400 ms each: at most 2 + 1,350 / 200, and the first.
    expect(issuer.fetches).toBeGreaterThan(2);
    expect(issuer.fetches).toBeLessThanOrEqual(10);
    issuer.answerWith(200);
    await eventually("the keys are fetched", async () => (await outcome(token)) === "Accepted");
  }, 15_000);

  it("an answer that is no key set, or has no end, is no better", async () => {
    const { holdfast, outcome, issuer } = await setUp({ backoff: { first: 60_000, max: 60_000 } });
    issuer.answerWith(302);
    expect(await outcome(await issuer.token())).toBe("503 KeysUnavailable");
    expect(await holdfast.line("keys")).toMatchObject({ problem: "the answer is 302" });
  });
});

describe("A5: the key server is down and the keys are old", () => {
  it("they serve on for a bounded time, and nobody waits for the server", async () => {
    const times = { refreshAfter: 100, freshFor: 200, staleFor: 3000, backoff: { first: 100, max: 100 } };
    const { issuer, outcome, holdfast } = await setUp({ ...times, timeout: 1000 });
    const token = await issuer.token();
    const before = Date.now();
    expect(await outcome(token)).toBe("Accepted");
    await issuer.stop();
    await eventually("a fetch has failed", async () => {
      expect(await outcome(token)).toBe("Accepted");
      return (await holdfast.metric("holdfast_jwks_fetches_total", { outcome: "failed" })) > 1;
    });
    const last = await eventually("they are too old", async () => {
      const now = await outcome(token);
      return now === "Accepted" ? undefined : now;
    });
    expect(last).toBe("503 KeysUnavailable");
    expect(Date.now() - before).toBeGreaterThanOrEqual(3000);
    await issuer.start();
    await eventually("they are fetched anew", async () => (await outcome(token)) === "Accepted");
  }, 15_000);

  it("are fetched anew in the background before anybody has to wait", async () => {
    const { issuer, outcome } = await setUp({ refreshAfter: 50, freshFor: 60_000 });
    const token = await issuer.token();
    expect(await outcome(token)).toBe("Accepted");
    issuer.hold();
    await eventually("a second fetch", async () => {
      expect(await outcome(token)).toBe("Accepted");
      return issuer.fetches === 2;
    });
    issuer.resume();
  });
});

describe("A6: tokens name an unknown key", () => {
  it("at most one fetch in a cooldown for 200 handshakes; after it, the key of a real rotation is good", async () => {
    const { issuer, outcome, refusals } = await setUp({ cooldown: 1500 });
    const before = await issuer.token();
    expect(await outcome(before)).toBe("Accepted");
    const forged = await issuer.token({}, { key: await makeKey("unknown") });
    const startedAt = Date.now();
    expect(distinct(await refusals(forged))).toEqual(["401 TokenSignature false"]);
    const cooldowns = Math.floor((Date.now() - startedAt) / 1500) + 1;
    expect(issuer.fetches).toBeLessThanOrEqual(1 + cooldowns);
    await issuer.rotate("second");
    const after = await issuer.token();
    await eventually("the new key is known", async () => (await outcome(after)) === "Accepted");
    expect(await outcome(before)).toBe("401 TokenSignature");
    expect(await outcome(forged)).toBe("401 TokenSignature");
  }, 20_000);

  it("503 and not 401 when the key may be a new one and cannot be looked up", async () => {
    const { issuer, outcome } = await setUp({ cooldown: 0, backoff: { first: 60_000, max: 60_000 } });
    const known = await issuer.token();
    expect(await outcome(known)).toBe("Accepted");
    await issuer.rotate("second");
    const rotated = await issuer.token();
    issuer.answerWith(500);
    expect(await outcome(rotated)).toBe("503 KeysUnavailable");
    expect(await outcome(known)).toBe("Accepted");
  });
});
