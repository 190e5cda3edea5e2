import { afterEach, describe, expect, it } from "@jest/globals";
import { SignJWT } from "jose";
import { type Issuer, makeJwtPolicy, makeKey, startIssuer } from "../../test/support/jwks-server.ts";
import { systemClock } from "../clock.ts";
import { secretMaterial } from "../config/secrets.ts";
import type { TokenProvider } from "../snapshot.ts";
import { createAsk } from "./ask.ts";
import { publicKeys } from "./key-set.ts";
import { TokenCache } from "./token-cache.ts";
import { Tokens } from "./tokens.ts";

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function setUp() {
  const issuer = await startIssuer();
  const { ask, close } = createAsk();
  stops.push(() => issuer.stop(), close);
  const cache = new TokenCache();
  let wall = Date.now();
  const tokens = new Tokens({ ask, clock: systemClock, random: () => 0, wall: () => wall, cache });
  return { issuer, cache, tokens, later: (milliseconds: number) => (wall += milliseconds) };
}

const secretsOf = (values: Readonly<Record<string, string>> = {}) => secretMaterial(new Map(Object.entries(values)));
const signedWith = (secret: string, issuer: string) =>
  new SignJWT({ iss: issuer, aud: "chat", sub: "ann" }).setProtectedHeader({ alg: "HS256" }).sign(Buffer.from(secret));
const inlineOf = ({ key }: Issuer): TokenProvider["keys"] => ({
  type: "Inline",
  jwks: JSON.stringify({ keys: [key.publicJwk] }),
});

describe("Tokens", () => {
  it("finds keys by discovery, once for all", async () => {
    const { issuer, tokens } = await setUp();
    const policy = makeJwtPolicy(issuer.provider({ keys: { type: "Discovery" } }));
    const token = await issuer.token();
    expect(await tokens.verify(token, policy, secretsOf())).toMatchObject({ subject: "ann" });
    const other = makeJwtPolicy(issuer.provider({ keys: { type: "Discovery" }, audiences: [] }));
    expect(await tokens.verify(await issuer.token({ aud: "mail" }), other, secretsOf())).toMatchObject({
      subject: "ann",
    });
    expect(issuer.fetches).toBe(1);
  });

  it("takes no keys from a discovery document that is another issuer's", async () => {
    const { issuer, tokens } = await setUp();
    const alias = issuer.issuer.replace("127.0.0.1", "localhost");
    const policy = makeJwtPolicy(issuer.provider({ issuer: alias, keys: { type: "Discovery" } }));
    const verdict = await tokens.verify(await issuer.token({ iss: alias }), policy, secretsOf());
    expect(verdict).toEqual({ problem: "KeysUnavailable" });
  });

  it("takes keys from a Secret: shared ones, alone or as a set in rotation", async () => {
    const { issuer, tokens } = await setUp();
    const [old, young] = ["an-old-shared-key-of-32-bytes-xxx", "a-new-shared-key-of-32-bytes-yyyy"];
    const policy = makeJwtPolicy(
      issuer.provider({ algorithms: ["HS256"], keys: { type: "Secret", secretKey: "jwks" } }),
    );
    const both = [old, young].map((text) => ({ kty: "oct", k: Buffer.from(text).toString("base64url") }));
    const [alone, rotating] = [secretsOf({ jwks: old }), secretsOf({ jwks: JSON.stringify({ keys: both }) })];
    const [byOld, byYoung] = [await signedWith(old, issuer.issuer), await signedWith(young, issuer.issuer)];
    expect(await tokens.verify(byOld, policy, alone)).toMatchObject({ subject: "ann" });
    expect(await tokens.verify(byYoung, policy, alone)).toEqual({ problem: "TokenSignature" });
    expect(await tokens.verify(byOld, policy, rotating)).toMatchObject({ subject: "ann" });
    expect(await tokens.verify(byYoung, policy, rotating)).toMatchObject({ subject: "ann" });
    expect(await tokens.verify(byOld, policy, secretsOf())).toEqual({ problem: "KeysUnavailable" });
  });

  it("asks each provider of the token's issuer, and no other", async () => {
    const { issuer, tokens } = await setUp();
    const stranger = {
      ...issuer.provider({ name: "other", keys: { type: "Missing" } }),
      issuer: "https://other.example/",
    };
    const wrongKeys = { ...issuer, key: await makeKey("first") };
    const first = issuer.provider({ name: "first", keys: inlineOf(wrongKeys) });
    const policy = makeJwtPolicy(first, {
      providers: [stranger, first, issuer.provider({ name: "second", keys: inlineOf(issuer) })],
    });
    expect(await tokens.verify(await issuer.token(), policy, secretsOf())).toMatchObject({ subject: "ann" });
    const foreign = await issuer.token({ iss: "https://other.example/" });
    expect(await tokens.verify(foreign, policy, secretsOf())).toEqual({ problem: "KeysUnavailable" });
  });

  it("remembers a token no longer than it lives, and only with the keys that verified it", async () => {
    const { issuer, tokens, cache, later } = await setUp();
    const policy = makeJwtPolicy(issuer.provider({ keys: inlineOf(issuer), clockSkew: 1000 }));
    const exp = Math.floor(Date.now() / 1000) + 60;
    const token = await issuer.token({ exp });
    const first = await tokens.verify(token, policy, secretsOf());
    expect(await tokens.verify(token, policy, secretsOf())).toBe(first);
    expect(cache.size).toBe(1);
    const strict = makeJwtPolicy(issuer.provider({ keys: inlineOf(issuer), audiences: ["mail"] }));
    expect(await tokens.verify(token, strict, secretsOf())).toEqual({ problem: "TokenAudience" });
    const rotated = makeJwtPolicy(
      issuer.provider({ keys: inlineOf({ ...issuer, key: await makeKey("first") }), clockSkew: 1000 }),
    );
    expect(await tokens.verify(token, rotated, secretsOf())).toEqual({ problem: "TokenSignature" });
    later(62_000);
    expect(await tokens.verify(token, policy, secretsOf())).toEqual({ problem: "TokenExpired" });
  });
});

describe("TokenCache", () => {
  it("is bounded by what the tokens take, the least recently used going first", async () => {
    const { publicJwk } = await makeKey("one");
    const keys = publicKeys(JSON.stringify({ keys: [publicJwk] }));
    const cache = new TokenCache(300);
    const subject = (name: string) => ({ scope: "p", token: name.repeat(100), keys });
    const token = { issuer: "i", subject: "s", id: undefined, issuedAt: 0, expiresAt: 10, claims: {} };
    for (const name of ["a", "b", "c"]) cache.set(subject(name), token);
    expect(cache.get(subject("a"), 0)).toBe(token);
    cache.set(subject("d"), token);
    expect(["a", "b", "c", "d"].map((name) => cache.get(subject(name), 0) !== undefined)).toEqual([
      true,
      false,
      true,
      true,
    ]);
    expect(cache.get(subject("a"), 10)).toBeUndefined();
    expect(cache.size).toBe(2);
  });
});
