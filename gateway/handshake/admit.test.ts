import { describe, expect, it } from "@jest/globals";
import { makeHandshake, makeRoute } from "../../test/support/make-route.ts";
import { admit } from "./admit.ts";

const anywhere = "203.0.113.9";

describe("admit by client address", () => {
  it.each([
    ["10.1.2.3", { allow: ["10.0.0.0/8"], deny: [] }, true],
    ["11.1.2.3", { allow: ["10.0.0.0/8"], deny: [] }, false],
    ["10.1.2.3", { allow: ["10.0.0.0/8"], deny: ["10.1.0.0/16"] }, false],
    ["11.1.2.3", { allow: [], deny: ["10.0.0.0/8"] }, true],
    ["2001:db8::1", { allow: ["2001:db8::/32"], deny: [] }, true],
    ["2001:db8::1", { allow: ["0.0.0.0/0"], deny: [] }, false],
    ["not-an-address", { allow: ["0.0.0.0/0", "::/0"], deny: [] }, false],
  ])("%s under %j: %s", (ip, clientIPs, allowed) => {
    const admission = admit(makeHandshake(), makeRoute({ clientIPs }), ip);
    if (allowed) expect(admission).toMatchObject({ offered: [] });
    else expect(admission).toMatchObject({ reason: "ClientIPDenied" });
  });
});

describe("admit by origin (A7)", () => {
  const origins = ["https://example.com", "https://*.example.org", "http://localhost:3000", "https://app.test:443"];

  it.each([
    "https://example.com",
    "HTTPS://Example.com",
    "https://example.com:443",
    "https://a.example.org",
    "https://a.b.example.org",
    "http://localhost:3000",
    "https://app.test",
  ])("lets %s in", (origin) => {
    expect(admit(makeHandshake("/", { Origin: origin }), makeRoute({ origins }), anywhere)).toMatchObject({
      offered: [],
    });
  });

  it.each([
    "null",
    "",
    "*",
    "https://example.com.evil",
    "https://evil.example.com",
    "https://evilexample.com",
    "https://example.com.",
    "https://example.com/",
    "https://example.com@evil.test",
    "https://user@example.com",
    "https://example.com:8443",
    "http://example.com",
    "https://example.org",
    "https://.example.org",
    "https://evilexample.org",
    "https://*.example.org",
    "https://a.example.org.evil",
    "http://a.example.org",
    "https://a.example.org:8443",
    "http://localhost",
    "https://example.com, https://evil.test",
    "https://example.com https://evil.test",
    "https://evil.test#https://example.com",
  ])("keeps %j out", (origin) => {
    expect(admit(makeHandshake("/", { Origin: origin }), makeRoute({ origins }), anywhere)).toMatchObject({
      reason: "OriginDenied",
    });
  });

  it("keeps two Origin headers out, and lets clients that are no browsers in", () => {
    const twice = makeHandshake("/", { Origin: "https://example.com", origin: "https://example.com" });
    expect(admit(twice, makeRoute({ origins }), anywhere)).toMatchObject({ reason: "OriginDenied" });
    expect(admit(makeHandshake(), makeRoute({ origins }), anywhere)).toMatchObject({ offered: [] });
  });

  it("asks for nothing where the route does not", () => {
    expect(admit(makeHandshake("/", { Origin: "null" }), makeRoute(), anywhere)).toMatchObject({ offered: [] });
  });
});

describe("admit by subprotocol", () => {
  const offering = (protocols: string) => makeHandshake("/", { "Sec-WebSocket-Protocol": protocols });

  it("leaves what both sides allow: in the client's order to a backend, in the route's order to choose from", () => {
    const route = makeRoute({ protocols: ["chat.v2", "chat.v1"] });
    expect(admit(offering("chat.v1, other, chat.v2"), route, anywhere)).toEqual({
      offered: ["chat.v1", "chat.v2"],
      preferred: "chat.v2",
    });
  });

  it("refuses offers of which none is allowed, and takes a client that offers none", () => {
    const route = makeRoute({ protocols: ["chat.v2"] });
    expect(admit(offering("chat.v1"), route, anywhere)).toMatchObject({ reason: "ProtocolNotAllowed" });
    expect(admit(makeHandshake(), route, anywhere)).toEqual({ offered: [], preferred: undefined });
  });

  it("lets every offer pass where the route names none", () => {
    expect(admit(offering("a, b"), makeRoute(), anywhere)).toEqual({ offered: ["a", "b"], preferred: "a" });
  });

  it("never negotiates a credential", () => {
    const apiKeys = { secretKeys: ["k"], sources: [{ in: "protocol" as const, name: "", prefix: "key." }] };
    expect(admit(offering("key.secret, chat"), makeRoute({ apiKeys }), anywhere)).toEqual({
      offered: ["chat"],
      preferred: "chat",
    });
  });
});
