import { describe, expect, it } from "@jest/globals";
import { makeRoute } from "../../support/make-route.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, rawRequest } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();

async function setUp() {
  const echo = await rig.backend();
  const routes = [makeRoute({ origins: ["https://example.com", "https://*.example.org"] })];
  return { echo, holdfast: await rig.gateway({ routes, backends: { [CHAT]: [echo.port] } }) };
}

describe("A7: pages that the route does not know", () => {
  it.each([
    ["a foreign one", { headers: { Origin: "https://evil.test" } }],
    ["one without an origin of its own", { headers: { Origin: "null" } }],
    ["an allowed one's name with a suffix", { headers: { Origin: "https://example.com.evil" } }],
    ["an allowed one's name with a prefix", { headers: { Origin: "https://evilexample.com" } }],
    ["an allowed suffix's name with a prefix", { headers: { Origin: "https://evilexample.org" } }],
    ["an allowed suffix's name with a suffix", { headers: { Origin: "https://a.example.org.evil" } }],
    ["an allowed one as the user of another", { headers: { Origin: "https://example.com@evil.test" } }],
    ["an allowed one's scheme in clear", { headers: { Origin: "http://example.com" } }],
    ["an allowed one's other port", { headers: { Origin: "https://example.com:8443" } }],
    ["an empty one", { headers: { Origin: "" } }],
    ["two, the second of them allowed", { headers: { Origin: "null" }, extra: "Origin: https://example.com\r\n" }],
    ["two, the first of them allowed", { headers: { Origin: "https://example.com" }, extra: "Origin: null\r\n" }],
  ])("%s: 403, and the backend hears nothing", async (_, request) => {
    const { echo, holdfast } = await setUp();
    const reply = await rawRequest(holdfast.port, handshakeText(request));
    expect(reply.status).toBe(403);
    expect(JSON.parse(reply.body)).toMatchObject({ reason: "OriginDenied", status: 403 });
    expect(await holdfast.metric("holdfast_handshakes_total", { code: "403", reason: "OriginDenied" })).toBe(1);
    expect(await holdfast.metric("holdfast_handshakes_total")).toBe(1);
    expect(echo.requests).toHaveLength(0);
  });
});

describe("A7: clients that the route knows", () => {
  it.each([
    ["an allowed page", { origin: "https://example.com" }],
    ["a page below an allowed suffix", { origin: "https://a.example.org" }],
    ["a client that is no page", {}],
  ])("%s is served", async (_, options) => {
    const { holdfast } = await setUp();
    const client = await rig.client(holdfast.url(), options);
    expect((await client.ask("hello")).toString()).toBe("hello");
  });
});
