import { describe, expect, it } from "@jest/globals";
import { makeHandshake, makeRoute } from "../../test/support/make-route.ts";
import type { CredentialSource, Route, SecretMaterial } from "../snapshot.ts";
import { authenticate, credentialParameters, isCredentialProtocol, strippedParameters } from "./credentials.ts";

function secretsOf(values: Readonly<Record<string, string>>): SecretMaterial {
  return { get: (key) => values[key] };
}

const secrets = secretsOf({ "apikey.apps.keys.one": "first-key\n", "apikey.apps.keys.two": "second-key", empty: "\n" });

function routeWith(...sources: CredentialSource[]): Route {
  return makeRoute({ apiKeys: { secretKeys: ["apikey.apps.keys.one", "apikey.apps.keys.two", "empty"], sources } });
}

const inHeader: CredentialSource = { in: "header", name: "X-Api-Key", prefix: "" };
const bearer: CredentialSource = { in: "header", name: "Authorization", prefix: "Bearer " };
const inQuery: CredentialSource = { in: "query", name: "api_key", prefix: "" };
const inCookie: CredentialSource = { in: "cookie", name: "session", prefix: "" };
const inProtocol: CredentialSource = { in: "protocol", name: "", prefix: "key." };

describe("authenticate", () => {
  it("lets everybody in where no keys are asked for", () => {
    expect(authenticate(makeHandshake(), makeRoute(), secrets)).toMatchObject({ user: undefined, apiKey: undefined });
  });

  it.each([
    ["header", inHeader, "/", { "x-api-key": "second-key" }],
    ["header with a scheme, in any case", bearer, "/", { Authorization: "bearer second-key" }],
    ["query", inQuery, "/?api_key=second%2Dkey", {}],
    ["cookie", inCookie, "/", { Cookie: "a=b; session=second-key" }],
    ["subprotocol", inProtocol, "/", { "Sec-WebSocket-Protocol": "chat, key.second-key" }],
  ])("finds a key in the %s", (_where, source, url, headers) => {
    const principal = authenticate(makeHandshake(url, headers), routeWith(source), secrets);
    expect(principal).toMatchObject({ user: "apikey.apps.keys.two", apiKey: "apikey.apps.keys.two" });
  });

  it.each([
    ["nothing", {}],
    ["an empty key", { "X-Api-Key": "" }],
    ["a wrong key", { "X-Api-Key": "second-kez" }],
    ["a part of a key", { "X-Api-Key": "second" }],
    ["the key's name", { "X-Api-Key": "apikey.apps.keys.two" }],
    ["the key where it does not belong", { Authorization: "Bearer second-key", Cookie: "api_key=second-key" }],
  ])("refuses %s", (_what, headers) => {
    const refusal = authenticate(makeHandshake("/", headers), routeWith(inHeader, inQuery), secrets);
    expect(refusal).toMatchObject({ reason: "Unauthenticated" });
  });

  it("ignores the newline at the end of a key that came from a file", () => {
    const handshake = makeHandshake("/", { "X-Api-Key": "first-key" });
    expect(authenticate(handshake, routeWith(inHeader), secrets)).toMatchObject({ apiKey: "apikey.apps.keys.one" });
  });

  it("refuses without a prefix that the source asks for", () => {
    const handshake = makeHandshake("/", { Authorization: "second-key" });
    expect(authenticate(handshake, routeWith(bearer), secrets)).toMatchObject({ reason: "Unauthenticated" });
  });

  it("looks at every source before it refuses", () => {
    const handshake = makeHandshake("/?api_key=first-key", { "X-Api-Key": "wrong" });
    expect(authenticate(handshake, routeWith(inHeader, inQuery), secrets)).toMatchObject({
      apiKey: expect.any(String),
    });
  });

  it("does not blame the client when the keys themselves are missing", () => {
    const handshake = makeHandshake("/", { "X-Api-Key": "first-key" });
    expect(authenticate(handshake, routeWith(inHeader), secretsOf({ empty: " " }))).toMatchObject({
      reason: "RouteNotResolved",
    });
  });

  it("follows a key that changes under the same object", () => {
    const values = { "apikey.apps.keys.one": "old" };
    const live = secretsOf(values);
    const handshake = makeHandshake("/", { "X-Api-Key": "old" });
    expect(authenticate(handshake, routeWith(inHeader), live)).toMatchObject({ apiKey: expect.any(String) });
    values["apikey.apps.keys.one"] = "new";
    expect(authenticate(handshake, routeWith(inHeader), live)).toMatchObject({ reason: "Unauthenticated" });
  });
});

describe("where credentials stand", () => {
  it("is known, so that they can be taken out", () => {
    expect(credentialParameters(routeWith(inHeader, inQuery))).toEqual(["api_key"]);
    expect(isCredentialProtocol(routeWith(inProtocol), "key.abc")).toBe(true);
    expect(isCredentialProtocol(routeWith(inProtocol), "chat")).toBe(false);
    expect(isCredentialProtocol(makeRoute(), "key.abc")).toBe(false);
  });

  it("is known as a credential's place also where the backend gets the parameter", () => {
    const route = routeWith(inQuery, { in: "query", name: "ticket", prefix: "", toBackend: "Keep" });
    expect(credentialParameters(route)).toEqual(["api_key", "ticket"]);
    expect(strippedParameters(route)).toEqual(["api_key"]);
  });

  it("takes a parameter out that one source would keep and another not", () => {
    expect(strippedParameters(routeWith({ ...inQuery, toBackend: "Keep" }, inQuery))).toEqual(["api_key"]);
  });
});
