import { describe, expect, it } from "@jest/globals";
import type { JWTPayload } from "jose";
import type { JwtPolicy } from "../../../gateway/snapshot.ts";
import { bearer, type Issuer, makeJwtPolicy, makeKey, startIssuer } from "../../support/jwks-server.ts";
import { makeRoute } from "../../support/make-route.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, rawRequest } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();
const seconds = () => Math.floor(Date.now() / 1000);

async function setUp(changes: Partial<JwtPolicy> = {}, skew = 0) {
  const issuer = rig.use(await startIssuer(), (part) => part.stop());
  const echo = await rig.backend();
  const policy = makeJwtPolicy(issuer.provider({ clockSkew: skew }), changes);
  const holdfast = await rig.gateway({ routes: [makeRoute({ jwt: policy })], backends: { [CHAT]: [echo.port] } });
  const refusal = async (token: string | undefined) => {
    const headers = token === undefined ? {} : bearer(token).headers;
    const { status, headers: answered, body } = await rawRequest(holdfast.port, handshakeText({ headers }));
    return { status, reason: JSON.parse(body).reason as string, challenge: answered.get("www-authenticate") };
  };
  return { issuer, echo, holdfast, refusal };
}

describe("A1: tokens that do not hold", () => {
  it("a token that holds gets through, and says who the client is", async () => {
    const { issuer, echo, holdfast } = await setUp({ forwardClaims: [{ claim: "sub", header: "X-User-Id" }] });
    const token = await issuer.token({ sub: "Ännchen" });
    const client = await rig.client(holdfast.url(), { headers: { ...bearer(token).headers, "X-User-Id": "root" } });
    expect((await client.ask("hello")).toString()).toBe("hello");
    const told = Buffer.from(String(echo.requests[0]?.headers["x-user-id"]), "latin1").toString("utf8");
    expect(told).toBe("Ännchen");
  });

  it.each<[string, number, string, (issuer: Issuer) => Promise<string | undefined>]>([
    ["no token", 401, "TokenMissing", async () => undefined],
    ["no JWT", 401, "TokenMalformed", async () => "nonsense"],
    ["three parts of nonsense", 401, "TokenMalformed", async () => "e30.e30x.e30"],
    ["a claims set that is no object", 401, "TokenMalformed", async () => "eyJhbGciOiJFUzI1NiJ9.W10.AAAA"],
    ["an end that is no time", 401, "TokenMalformed", (by) => by.token({ exp: "soon" as unknown as number })],
    ["another issuer", 401, "TokenIssuer", (by) => by.token({ iss: "https://evil.example/" })],
    ["no issuer", 401, "TokenIssuer", (by) => by.token({ iss: undefined } as unknown as JWTPayload)],
    ["another audience", 401, "TokenAudience", (by) => by.token({ aud: ["mail", "Chat"] })],
    ["no audience", 401, "TokenAudience", (by) => by.token({ aud: undefined } as unknown as JWTPayload)],
    ["an end that is over", 401, "TokenExpired", (by) => by.token({ exp: seconds() - 1 })],
    ["a beginning to come", 401, "TokenNotYetValid", (by) => by.token({ nbf: seconds() + 60 })],
    ["a key of somebody else", 401, "TokenSignature", async (by) => by.token({}, { key: await makeKey("first") })],
    [
      "a changed claim",
      401,
      "TokenSignature",
      async (by) => {
        const [head, , signature] = (await by.token()).split(".");
        const payload = Buffer.from(JSON.stringify({ iss: by.issuer, aud: "chat", sub: "root" })).toString("base64url");
        return `${head}.${payload}.${signature}`;
      },
    ],
  ])("%s: %i %s", async (_what, status, reason, make) => {
    const { issuer, refusal, echo, holdfast } = await setUp();
    const answer = await refusal(await make(issuer));
    expect(answer).toMatchObject({ status, reason });
    const error =
      reason === "TokenMissing"
        ? /^Bearer realm="holdfast"$/
        : /^Bearer .*error="invalid_token", error_description=".+"/;
    expect(answer.challenge).toMatch(error);
    expect(echo.requests).toHaveLength(0);
    expect(await holdfast.metric("holdfast_handshakes_total", { reason, code: String(status) })).toBe(1);
    expect(await holdfast.line("refusal")).toMatchObject({ reason, route: "apps/chat" });
  });

  it("a difference of clocks is tolerated as configured", async () => {
    const { issuer, holdfast, refusal } = await setUp({ onExpiry: "Ignore" }, 30_000);
    await rig.client(holdfast.url(), bearer(await issuer.token({ exp: seconds() - 20, nbf: seconds() + 20 })));
    expect(await refusal(await issuer.token({ exp: seconds() - 40 }))).toMatchObject({ reason: "TokenExpired" });
    expect(await refusal(await issuer.token({ nbf: seconds() + 40 }))).toMatchObject({ reason: "TokenNotYetValid" });
  });

  it("claims that fall short: 403, by text, list and scope", async () => {
    const { issuer, holdfast, refusal } = await setUp({
      requiredClaims: [
        { name: "scope", values: ["chat", "all"] },
        { name: "realm.roles", values: ["member"] },
      ],
    });
    const realm = { roles: ["guest", "member"] };
    await rig.client(holdfast.url(), bearer(await issuer.token({ scope: "mail chat", realm })));
    for (const claims of [
      { scope: "mail chatter", realm },
      { scope: "chat" },
      { scope: "chat", realm: { roles: [] } },
    ]) {
      const answer = await refusal(await issuer.token(claims));
      expect(answer).toMatchObject({ status: 403, reason: "ClaimsInsufficient" });
      expect(answer.challenge).toContain('error="insufficient_scope"');
    }
  });

  it("optional: nobody has to show a token, but a wrong one is still refused", async () => {
    const { issuer, holdfast, refusal } = await setUp({ optional: true });
    await rig.client(holdfast.url());
    await rig.client(holdfast.url(), bearer(await issuer.token()));
    expect(await refusal("wrong")).toMatchObject({ status: 401, reason: "TokenMalformed" });
  });

  it("in mode Report it is counted and logged, and let in", async () => {
    const { issuer, holdfast } = await setUp({
      mode: "Report",
      requiredClaims: [{ name: "scope", values: ["chat"] }],
    });
    await rig.client(holdfast.url());
    await rig.client(holdfast.url(), bearer(await issuer.token()));
    await rig.client(holdfast.url(), bearer(await issuer.token({ scope: "chat" })));
    const count = (reason: string) =>
      holdfast.metric("holdfast_policy_reports_total", { route: "apps/chat", policy: "authentication.jwt", reason });
    expect([await count("TokenMissing"), await count("ClaimsInsufficient")]).toEqual([1, 1]);
    expect(holdfast.lines("report").map(({ reason }) => reason)).toEqual(["TokenMissing", "ClaimsInsufficient"]);
  });
});
