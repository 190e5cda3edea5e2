import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { makeHandshake, makeRoute, prefixMatch, SAMPLE_KEY } from "../../test/support/make-route.ts";
import type { Route, RouteMatch } from "../snapshot.ts";
import { type UpstreamRequest, upstreamHead } from "./headers.ts";

const client = { ip: "203.0.113.9", viaTrustedProxy: false, forwardedFor: "203.0.113.9" };

function headOf(changes: Partial<UpstreamRequest> = {}): string {
  const route = changes.route ?? makeRoute();
  return upstreamHead({
    handshake: makeHandshake(),
    route,
    match: route.matches[0]!,
    client,
    principal: { headers: [] },
    connectionId: "seed~signature.nonce",
    scheme: "ws",
    protocols: [],
    ...changes,
  });
}

/** Lines of a head after the request line, by lower-case name. */
function fields(head: string): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const line of head.split("\r\n").slice(1, -2)) {
    const colon = line.indexOf(": ");
    const name = line.slice(0, colon).toLowerCase();
    found[name] = [...(found[name] ?? []), line.slice(colon + 2)];
  }
  return found;
}

function requestLine(head: string): string {
  return head.slice(0, head.indexOf("\r\n"));
}

describe("upstreamHead", () => {
  it("is a whole handshake of its own", () => {
    const handshake = makeHandshake("/ws/chat?room=1", {
      "User-Agent": "test",
      Cookie: "a=b",
      Origin: "https://example.com",
      "Sec-WebSocket-Extensions": "permessage-deflate",
      "Sec-WebSocket-Protocol": "chat.v2, other",
    });
    expect(headOf({ handshake, protocols: ["chat.v2"] })).toBe(
      [
        "GET /ws/chat?room=1 HTTP/1.1",
        "Host: chat.example.com",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        `Sec-WebSocket-Key: ${SAMPLE_KEY}`,
        "Sec-WebSocket-Protocol: chat.v2",
        "Sec-WebSocket-Extensions: permessage-deflate",
        "User-Agent: test",
        "Cookie: a=b",
        "Origin: https://example.com",
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Host: chat.example.com",
        "Holdfast-Connection-Id: seed~signature.nonce",
        "",
        "",
      ].join("\r\n"),
    );
  });

  it("rebuilds hop-by-hop headers and forwards none of them (C9)", () => {
    const handshake = makeHandshake("/", {
      Connection: "Upgrade, X-Hop, keep-alive, Host, Sec-WebSocket-Key, X-Forwarded-For",
      "X-Hop": "1",
      "Keep-Alive": "timeout=5",
      "Proxy-Authorization": "Basic x",
      "Proxy-Connection": "close",
      TE: "trailers",
      Trailer: "X",
      "HTTP2-Settings": "AAMA",
      "Content-Length": "0",
      "Sec-WebSocket-Accept": "x",
    });
    const head = fields(headOf({ handshake }));
    expect(Object.keys(head).sort()).toEqual([
      "connection",
      "holdfast-connection-id",
      "host",
      "sec-websocket-key",
      "sec-websocket-version",
      "upgrade",
      "x-forwarded-for",
      "x-forwarded-host",
      "x-forwarded-proto",
    ]);
    expect(head).toMatchObject({ connection: ["Upgrade"], host: ["chat.example.com"] });
  });

  it("tells who the client is in place of what the client says, also where there is nothing to tell (A9)", () => {
    const jwt = {
      forwardClaims: [
        { claim: "sub", header: "X-User-Id" },
        { claim: "email", header: "X-Email" },
      ],
    };
    const external = { responseHeaders: ["X-Tenant"] };
    const route = makeRoute({
      jwt: jwt as unknown as Route["jwt"],
      external: external as unknown as Route["external"],
    });
    const spoofed = {
      "X-User-Id": "root",
      X_User_Id: "root",
      "x-email": "root@example.com",
      "X-Tenant": "all",
      "X-Else": "1",
    };
    const head = headOf({
      route,
      handshake: makeHandshake("/", spoofed),
      principal: {
        headers: [
          ["X-User-Id", "ann\r\nX-Admin: yes"],
          ["Holdfast-Connection-Id", "forged"],
        ],
      },
    });
    const found = fields(head);
    expect(found["x-user-id"]).toEqual(["ann X-Admin: yes"]);
    expect(found["holdfast-connection-id"]).toEqual(["seed~signature.nonce"]);
    expect([found.x_user_id, found["x-email"], found["x-tenant"], found["x-admin"]]).toEqual(Array(4).fill(undefined));
    expect(found["x-else"]).toEqual(["1"]);
  });

  it("overwrites what a client says about itself (A9), however it is spelt", () => {
    const handshake = makeHandshake("/", {
      "X-Forwarded-For": "1.1.1.1",
      "x-forwarded-proto": "https",
      "X-Forwarded-Port": "443",
      X_Forwarded_For: "1.1.1.1",
      Forwarded: "for=1.1.1.1",
      "X-Real-IP": "1.1.1.1",
      "Holdfast-Connection-Id": "forged",
      Holdfast_Connection_Id: "forged",
      "Holdfast-Anything": "forged",
    });
    const head = headOf({ handshake });
    expect(head).not.toMatch(/forged|1\.1\.1\.1|https|443/);
    expect(fields(head)).toMatchObject({
      "x-forwarded-for": ["203.0.113.9"],
      "x-forwarded-proto": ["http"],
      "holdfast-connection-id": ["seed~signature.nonce"],
    });
  });

  it("believes a trusted proxy about the client, never about Holdfast", () => {
    const handshake = makeHandshake("/", {
      "X-Forwarded-For": "203.0.113.9",
      "X-Forwarded-Proto": "https",
      "X-Forwarded-Host": "public.example.com",
      "X-Forwarded-Port": "443",
      "Holdfast-Connection-Id": "forged",
    });
    const trusted = { ip: "203.0.113.9", viaTrustedProxy: true, forwardedFor: "203.0.113.9, 10.0.0.1" };
    expect(fields(headOf({ handshake, client: trusted }))).toMatchObject({
      "x-forwarded-for": ["203.0.113.9, 10.0.0.1"],
      "x-forwarded-proto": ["https"],
      "x-forwarded-host": ["public.example.com"],
      "x-forwarded-port": ["443"],
      "holdfast-connection-id": ["seed~signature.nonce"],
    });
  });

  it("says https behind a wss listener", () => {
    expect(fields(headOf({ scheme: "wss" }))["x-forwarded-proto"]).toEqual(["https"]);
  });

  it("takes the connection ID and API keys out of the query (A8) and leaves the rest as sent", () => {
    const sources = [{ in: "query" as const, name: "api_key", prefix: "" }];
    const route = makeRoute({ apiKeys: { secretKeys: ["k"], sources } });
    const handshake = makeHandshake("/ws?a=%20+&holdfast-id=x&%61pi_key=secret&b=2");
    expect(requestLine(headOf({ handshake, route }))).toBe("GET /ws?a=%20+&b=2 HTTP/1.1");
  });
});

describe("requestHeaders", () => {
  it("are set, added and removed", () => {
    const route = makeRoute({
      requestHeaders: {
        set: [
          { name: "X-Gateway", value: "holdfast" },
          { name: "x-tenant", value: "acme" },
        ],
        add: [{ name: "Accept-Language", value: "de" }],
        remove: ["x-debug"],
      },
    });
    const handshake = makeHandshake("/", { "X-Tenant": "evil", "X-Debug": "1", "Accept-Language": "en" });
    const head = fields(headOf({ handshake, route }));
    expect(head).toMatchObject({ "x-gateway": ["holdfast"], "x-tenant": ["acme"], "accept-language": ["en", "de"] });
    expect(head["x-debug"]).toBeUndefined();
  });

  it("cannot break the handshake, our own headers or the message", () => {
    const value = "x\r\nInjected: 1";
    const names = ["Host", "Upgrade", "Sec-WebSocket-Key", "Holdfast-Connection-Id", "bad name", "X-Fine"];
    const set = names.map((name) => ({ name, value }));
    const route = makeRoute({ requestHeaders: { set, add: set, remove: ["host", "Sec-WebSocket-Key", "upgrade"] } });
    const head = fields(headOf({ route }));
    expect(head).toMatchObject({
      host: ["chat.example.com"],
      "sec-websocket-key": [SAMPLE_KEY],
      upgrade: ["websocket"],
    });
    expect(head["x-fine"]).toEqual(["x Injected: 1", "x Injected: 1"]);
    expect(head.injected).toBeUndefined();
  });

  it("are written as UTF-8 bytes", () => {
    const route = makeRoute({ requestHeaders: { set: [{ name: "X-City", value: "Köln" }], add: [], remove: [] } });
    expect(Buffer.from(headOf({ route }), "latin1").toString("utf8")).toContain("X-City: Köln\r\n");
  });

  it("let no header through a value, whatever a client or a route holds", () => {
    const nasty = fc.string({ unit: fc.constantFrom("a", ":", " ", "\r", "\n", "\0", "é"), maxLength: 12 });
    fc.assert(
      fc.property(nasty, nasty, (value, other) => {
        const route = makeRoute({
          requestHeaders: { set: [{ name: "X-A", value }], add: [{ name: other, value }], remove: [] },
        });
        const handshake = { ...makeHandshake("/", { "X-B": value, [`X-C${other}`]: "1" }), extensions: other };
        const head = headOf({ route, handshake });
        expect(head.indexOf("\r\n\r\n")).toBe(head.length - 4);
        expect(head.replaceAll("\r\n", "")).not.toMatch(/[\r\n\0]/);
        for (const line of head.split("\r\n").slice(1, -2)) expect(line).toMatch(/^[!-9;-~]+: /);
      }),
    );
  });
});

describe("rewrite", () => {
  function rewritten(path: string, match: RouteMatch, rewrite: NonNullable<Route["rewrite"]>): string {
    const route = makeRoute({ rewrite, matches: [match] });
    return requestLine(headOf({ handshake: makeHandshake(path), route }));
  }

  // The table of Gateway API's HTTPPathModifier.
  it.each([
    ["/foo/bar", "/foo", "/xyz", "/xyz/bar"],
    ["/foo/bar", "/foo", "/xyz/", "/xyz/bar"],
    ["/foo/bar", "/foo/", "/xyz", "/xyz/bar"],
    ["/foo/bar", "/foo/", "/xyz/", "/xyz/bar"],
    ["/foo", "/foo", "/xyz", "/xyz"],
    ["/foo/", "/foo", "/xyz", "/xyz/"],
    ["/foo/bar", "/foo", "", "/bar"],
    ["/foo/", "/foo", "", "/"],
    ["/foo", "/foo", "", "/"],
    ["/foo/", "/foo", "/", "/"],
    ["/foo", "/foo", "/", "/"],
    ["/foo/bar", "/", "/xyz", "/xyz/foo/bar"],
    ["//foo/./bar?x=1", "/foo", "/xyz", "/xyz/bar?x=1"],
  ])("ReplacePrefixMatch of %s under %s by %s gives %s", (path, prefix, value, result) => {
    const line = rewritten(path, prefixMatch(prefix), { path: { type: "ReplacePrefixMatch", value } });
    expect(line).toBe(`GET ${result} HTTP/1.1`);
  });

  it("replaces an exact path whole, and leaves one that matched a pattern", () => {
    const path = { type: "ReplacePrefixMatch" as const, value: "/new" };
    const exact: RouteMatch = { path: { type: "Exact", value: "/old" }, headers: [], queryParams: [] };
    const pattern: RouteMatch = { path: { type: "RegularExpression", value: "/o.*" }, headers: [], queryParams: [] };
    expect(rewritten("/old", exact, { path })).toBe("GET /new HTTP/1.1");
    expect(rewritten("/old", pattern, { path })).toBe("GET /old HTTP/1.1");
  });

  it("replaces the full path and the host", () => {
    const rewrite = { path: { type: "ReplaceFullPath" as const, value: "/socket" }, hostname: "chat.internal" };
    const route = makeRoute({ rewrite });
    const head = headOf({ handshake: makeHandshake("/any/thing?x=1", { Host: "a.example:8080" }), route });
    expect(requestLine(head)).toBe("GET /socket?x=1 HTTP/1.1");
    expect(fields(head)).toMatchObject({ host: ["chat.internal"], "x-forwarded-host": ["a.example:8080"] });
  });

  it("throws rather than sending a request line that is none", () => {
    const rewrite = { path: { type: "ReplaceFullPath" as const, value: "/a b HTTP/1.1\r\nX: y" } };
    expect(() => headOf({ route: makeRoute({ rewrite }) })).toThrow("apps/chat");
  });
});
