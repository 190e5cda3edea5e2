import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "@jest/globals";
import { exportJWK, exportSPKI, importJWK } from "jose";
import { bearer, type Issuer, makeJwtPolicy, makeKey, startIssuer } from "../../support/jwks-server.ts";
import { makeRoute } from "../../support/make-route.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, rawRequest } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const claimsOf = (issuer: Issuer) => ({ iss: issuer.issuer, aud: "chat", sub: "root", exp: Date.now() });

async function setUp(algorithms = ["ES256", "RS256"]) {
  const issuer = rig.use(await startIssuer(), (part) => part.stop());
  const echo = await rig.backend();
  const route = makeRoute({ jwt: makeJwtPolicy(issuer.provider({ algorithms })) });
  const holdfast = await rig.gateway({ routes: [route], backends: { [CHAT]: [echo.port] } });
  const statusOf = async (token: string) => {
    const { status, body } = await rawRequest(holdfast.port, handshakeText({ headers: bearer(token).headers }));
    return [status, status === 101 ? "" : JSON.parse(body).reason];
  };
  return { issuer, echo, holdfast, statusOf };
}

describe("A2: forged tokens; algorithms come from the configuration alone", () => {
  it.each(["none", "None", "NONE", "nOnE"])("alg %s, with and without a signature", async (alg) => {
    const { issuer, statusOf, echo } = await setUp();
    const unsigned = `${encode({ alg, typ: "JWT" })}.${encode(claimsOf(issuer))}`;
    for (const token of [`${unsigned}.`, `${unsigned}.AAAA`]) expect((await statusOf(token))[0]).toBe(401);
    expect(echo.requests).toHaveLength(0);
  });

  it("an HMAC made with the public key as its secret", async () => {
    const { issuer, statusOf } = await setUp();
    const { publicJwk, kid } = issuer.key;
    const pem = await exportSPKI((await importJWK(publicJwk, "ES256")) as Parameters<typeof exportSPKI>[0]);
    for (const secret of [pem, pem.trim(), JSON.stringify(publicJwk), `${publicJwk.x}`]) {
      const signed = `${encode({ alg: "HS256", kid })}.${encode(claimsOf(issuer))}`;
      const mac = createHmac("sha256", secret).update(signed).digest("base64url");
      expect(await statusOf(`${signed}.${mac}`)).toEqual([401, "TokenSignature"]);
    }
  });

  it("an algorithm of the issuer's key that this route does not take", async () => {
    const { issuer, statusOf } = await setUp(["RS256"]);
    expect(await statusOf(await issuer.token())).toEqual([401, "TokenSignature"]);
  });

  it("keys that the token brings or points to: jwk, jku, x5u; nothing is fetched from there", async () => {
    const { issuer, statusOf } = await setUp();
    let visits = 0;
    const evil = await makeKey("evil");
    const trap = createServer((_request, response) => {
      visits += 1;
      response.end(JSON.stringify({ keys: [evil.publicJwk] }));
    });
    await new Promise<void>((resolve) => trap.listen(0, "127.0.0.1", resolve));
    rig.use(trap, () => new Promise((resolve) => trap.close(resolve)));
    const url = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/`;
    const headers = [{ jku: url }, { x5u: url }, { jwk: await exportJWK(await importJWK(evil.publicJwk, "ES256")) }];
    for (const header of headers) {
      for (const kid of ["evil", issuer.key.kid]) {
        const token = await issuer.token({ sub: "root" }, { key: { ...evil, kid }, header });
        expect(await statusOf(token)).toEqual([401, "TokenSignature"]);
      }
    }
    expect(visits).toBe(0);
  });

  it.each([
    "../../../../dev/null",
    "/etc/passwd",
    "__proto__",
    "constructor",
    "x".repeat(4000),
    "'; DROP TABLE keys; --",
  ])("a kid that is no name of a key: %.30s", async (kid) => {
    const { issuer, statusOf } = await setUp();
    const evil = await makeKey("evil");
    expect(await statusOf(await issuer.token({}, { key: { ...evil, kid } }))).toEqual([401, "TokenSignature"]);
  });

  it("parts of two good tokens put together", async () => {
    const { issuer, statusOf } = await setUp();
    const [one, other] = [await issuer.token(), await issuer.token({ sub: "root" })];
    const [head, , signature] = one.split(".");
    expect(await statusOf(`${head}.${other.split(".")[1]}.${signature}`)).toEqual([401, "TokenSignature"]);
  });
});
