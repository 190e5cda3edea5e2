import { describe, expect, it } from "@jest/globals";
import { parseResponseHead, type ResponseHead } from "./response-head.ts";
import { acceptFor, checkSwitching } from "./switching.ts";

// RFC 6455 §1.3
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

function answer(...lines: string[]): ResponseHead {
  const head = parseResponseHead(Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"));
  if (typeof head === "string") throw new Error(head);
  return head;
}

const START = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
const GOOD = [...START, `Sec-WebSocket-Accept: ${ACCEPT}`];
const asked = {
  key: KEY,
  offered: { protocols: ["chat.v2", "chat.v1"], extensions: 'permessage-deflate; client_max_window_bits, x; a="b, y"' },
};

describe("a backend's 101", () => {
  it("carries the accept value of RFC 6455 §1.3", () => {
    expect(acceptFor(KEY)).toBe(ACCEPT);
  });

  it("agrees to nothing more than the connection", () => {
    expect(checkSwitching(answer(...GOOD), asked)).toEqual({ rsv: 0 });
  });

  it("may be spelled in any case, with more in Connection", () => {
    const spelled = ["HTTP/1.1 101", "upgrade: WebSocket", "CONNECTION: keep-alive, upgrade"];
    expect(checkSwitching(answer(...spelled, `sec-websocket-accept:${ACCEPT}`), asked)).toEqual({ rsv: 0 });
  });

  it("chooses among what was offered", () => {
    const head = answer(
      ...GOOD,
      "Sec-WebSocket-Protocol: chat.v1",
      "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover",
    );
    expect(checkSwitching(head, asked)).toEqual({
      protocol: "chat.v1",
      extensions: "permessage-deflate; server_no_context_takeover",
      rsv: 0x40,
    });
  });

  it("gives an extension whose bits are unknown all three", () => {
    expect(checkSwitching(answer(...GOOD, "Sec-WebSocket-Extensions: x"), asked)?.rsv).toBe(0x70);
  });

  it.each([
    ["another accept value", [...START, "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA="]],
    ["no accept value", START],
    ["two accept values", [...GOOD, `Sec-WebSocket-Accept: ${ACCEPT}`]],
    ["HTTP/1.0", ["HTTP/1.0 101 Switching Protocols", ...GOOD.slice(1)]],
    ["no Upgrade", GOOD.filter((line) => !line.startsWith("Upgrade"))],
    ["Upgrade: h2c", [...GOOD.filter((line) => !line.startsWith("Upgrade")), "Upgrade: h2c"]],
    ["two upgrades", [...GOOD, "Upgrade: h2c"]],
    ["no Connection", GOOD.filter((line) => !line.startsWith("Connection"))],
    ["a protocol nobody offered", [...GOOD, "Sec-WebSocket-Protocol: chat.v3"]],
    ["a protocol in another case", [...GOOD, "Sec-WebSocket-Protocol: Chat.v1"]],
    ["two protocols", [...GOOD, "Sec-WebSocket-Protocol: chat.v1", "Sec-WebSocket-Protocol: chat.v2"]],
    ["an extension nobody offered", [...GOOD, "Sec-WebSocket-Extensions: bbf-usp-protocol"]],
    ["what stands within an offered parameter", [...GOOD, "Sec-WebSocket-Extensions: y"]],
    ["one extension twice", [...GOOD, "Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate"]],
  ])("is refused with %s", (_name, lines) => {
    expect(checkSwitching(answer(...lines), asked)).toBeUndefined();
  });

  it("is refused with any extension or protocol where none was offered", () => {
    const bare = { key: KEY, offered: { protocols: [], extensions: undefined } };
    expect(checkSwitching(answer(...GOOD, "Sec-WebSocket-Extensions: permessage-deflate"), bare)).toBeUndefined();
    expect(checkSwitching(answer(...GOOD, "Sec-WebSocket-Protocol: chat.v1"), bare)).toBeUndefined();
  });
});
