import { describe, expect, it } from "@jest/globals";
import { makeHandshake, makeRequest, SAMPLE_KEY } from "../../test/support/make-route.ts";
import { parseHandshake, parseSubject, queryParameter } from "./handshake.ts";

describe("parseHandshake", () => {
  it("reads a whole handshake", () => {
    const handshake = makeHandshake("/ws?room=a&room=b", {
      Host: "Chat.Example.COM.:8080",
      Connection: "keep-alive, Upgrade",
      Upgrade: "WebSocket",
      "sec-websocket-protocol": "chat.v2, chat.v1",
      "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
      Origin: "https://example.com",
      Cookie: 'a=1; b="two"; a=3; flag; c=x=y',
    });
    expect(handshake).toMatchObject({
      host: "chat.example.com",
      authority: "Chat.Example.COM.:8080",
      key: SAMPLE_KEY,
      protocols: ["chat.v2", "chat.v1"],
      extensions: "permessage-deflate; client_max_window_bits",
      origin: "https://example.com",
      target: { path: "/ws" },
    });
    expect([...handshake.cookies]).toEqual([
      ["a", "1"],
      ["b", "two"],
      ["c", "x=y"],
    ]);
    expect(queryParameter(handshake, "room")).toBe("a");
    expect(handshake.headers.get("CONNECTION".toLowerCase())).toBe("keep-alive, Upgrade");
  });

  it("takes the least that a client may send", () => {
    expect(makeHandshake()).toMatchObject({ protocols: [], extensions: undefined, origin: undefined });
  });

  it.each([
    ["a plain GET", { Connection: undefined, Upgrade: undefined }, "UpgradeRequired"],
    ["Upgrade without Connection", { Connection: undefined }, "BadUpgrade"],
    ["Connection without Upgrade", { Upgrade: undefined }, "BadUpgrade"],
    ["Connection that names something else", { Connection: "keep-alive" }, "BadUpgrade"],
    ["two tokens in Upgrade", { Upgrade: "websocket, h2c" }, "BadUpgrade"],
    ["h2c", { Upgrade: "h2c", Connection: "Upgrade, HTTP2-Settings" }, "BadUpgrade"],
    ["two Upgrade headers", { UPGRADE: "websocket" }, "BadUpgrade"],
    ["Content-Length", { "Content-Length": "5" }, "BodyNotAllowed"],
    ["two Content-Lengths", { "Content-Length": "0", "content-length": "5" }, "BodyNotAllowed"],
    ["Transfer-Encoding", { "Transfer-Encoding": "chunked" }, "BodyNotAllowed"],
    ["an old version", { "Sec-WebSocket-Version": "8" }, "UnsupportedVersion"],
    ["two versions", { "Sec-WebSocket-Version": "13, 8" }, "UnsupportedVersion"],
    ["no version", { "Sec-WebSocket-Version": undefined }, "UnsupportedVersion"],
    ["no key", { "Sec-WebSocket-Key": undefined }, "BadKey"],
    ["a short key", { "Sec-WebSocket-Key": "c2hvcnQ=" }, "BadKey"],
    ["a key that is no base64", { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZ!==" }, "BadKey"],
    ["two keys", { "sec-websocket-key": SAMPLE_KEY }, "BadKey"],
    ["a repeated subprotocol", { "Sec-WebSocket-Protocol": "a, b, a" }, "BadRequest"],
    ["an empty subprotocol header", { "Sec-WebSocket-Protocol": " , " }, "BadRequest"],
    ["a subprotocol that is no token", { "Sec-WebSocket-Protocol": "a b" }, "BadRequest"],
    ["no Host", { Host: undefined }, "BadHost"],
    ["two Hosts", { host: "other.example.com" }, "BadHost"],
    ["a Host that is a path", { Host: "chat.example.com/x" }, "BadHost"],
    ["a Host with a user", { Host: "a@chat.example.com" }, "BadHost"],
    ["a Host with an empty label", { Host: "chat..example.com" }, "BadHost"],
    ["a Host with a port that is none", { Host: "chat.example.com:http" }, "BadHost"],
    ["two Hosts in one", { Host: "a.example, b.example" }, "BadHost"],
  ])("refuses %s", (_what, headers, reason) => {
    expect(parseHandshake(makeRequest("/ws", headers))).toMatchObject({ reason });
  });

  it("refuses other methods, other HTTP versions, bad targets and early bytes", () => {
    const request = makeRequest("/ws");
    expect(parseHandshake({ ...request, method: "POST" })).toMatchObject({ reason: "MethodNotAllowed" });
    expect(parseHandshake({ ...request, httpVersion: "1.0" })).toMatchObject({ reason: "BadRequest" });
    expect(parseHandshake({ ...request, url: "/%00" })).toMatchObject({ reason: "BadTarget" });
    expect(parseHandshake({ ...request, head: Buffer.of(0x81) })).toMatchObject({ reason: "BodyNotAllowed" });
  });

  it("lets Content-Length: 0 pass, for there is no body", () => {
    expect(parseHandshake(makeRequest("/ws", { "Content-Length": "0" }))).toMatchObject({ key: SAMPLE_KEY });
  });
});

describe("parseSubject", () => {
  it.each([
    ["[2001:DB8::1]:8080", "[2001:db8::1]"],
    ["127.0.0.1:8080", "127.0.0.1"],
    ["localhost", "localhost"],
    ["my_service:80", "my_service"],
  ])("takes the host %s", (authority, host) => {
    expect(parseSubject({ url: "/", rawHeaders: ["Host", authority] })).toMatchObject({ host, authority });
  });

  it("lets an absolute-form target count more than Host (RFC 9112 §3.2.2)", () => {
    const subject = parseSubject({ url: "http://a.example/ws", rawHeaders: ["Host", "b.example"] });
    expect(subject).toMatchObject({ host: "a.example", authority: "a.example", target: { path: "/ws" } });
  });
});
