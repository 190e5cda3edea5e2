import { describe, expect, it } from "@jest/globals";
import { connectionHeaders, relayedAnswer, switchingHead } from "./handshake-answer.ts";

describe("switchingHead", () => {
  it("answers the client's key, keeps the backend's own headers, and lets it say nothing of the hop", () => {
    const head = switchingHead({
      key: "dGhlIHNhbXBsZSBub25jZQ==",
      protocol: "chat.v1",
      extensions: undefined,
      backendHeaders: [
        ["Connection", "Upgrade, X-Hop"],
        ["X-Hop", "1"],
        ["Sec-WebSocket-Accept", "forged"],
        ["Sec-WebSocket-Protocol", "forged"],
        ["Holdfast-Connection-Id", "forged"],
        ["Set-Cookie", "session=1"],
        ["Keep-Alive", "timeout=5"],
      ],
      ownHeaders: [["Holdfast-Connection-Id", "mine"]],
    });
    expect(head.split("\r\n")).toEqual([
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      // The answer to the example key of RFC 6455 §1.3.
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
      "Sec-WebSocket-Protocol: chat.v1",
      "Set-Cookie: session=1",
      "Holdfast-Connection-Id: mine",
      "",
      "",
    ]);
  });
});

describe("connectionHeaders", () => {
  const identity = { id: "a~b.c", affinity: "a~b", cookie: undefined, scheme: "wss" as const };

  it("sets the cookie for a client that does not have it", () => {
    const headers = new Map(connectionHeaders(identity));
    expect(headers.get("Holdfast-Connection-Id")).toBe("a~b.c");
    expect(headers.get("Set-Cookie")).toBe("holdfast-id=a~b; Path=/; HttpOnly; SameSite=Lax; Secure");
    expect(new Map(connectionHeaders({ ...identity, cookie: "old" })).has("Set-Cookie")).toBe(true);
  });

  it("leaves a cookie alone that says the same", () => {
    expect(new Map(connectionHeaders({ ...identity, cookie: "a~b" })).has("Set-Cookie")).toBe(false);
  });
});

describe("relayedAnswer", () => {
  it("passes a backend's refusal on, without what belongs to the hop or to a 101", () => {
    const relayed = relayedAnswer({
      status: 401,
      statusText: "Unauthorized",
      headers: [
        ["WWW-Authenticate", "Basic"],
        ["Transfer-Encoding", "chunked"],
        ["Content-Length", "99"],
        ["Sec-WebSocket-Accept", "x"],
        ["Sec-WebSocket-Version", "13"],
      ],
      body: Buffer.from("no"),
    });
    expect(relayed.headers).toEqual([
      ["WWW-Authenticate", "Basic"],
      ["Sec-WebSocket-Version", "13"],
    ]);
    expect(relayed.body.toString()).toBe("no");
  });
});
