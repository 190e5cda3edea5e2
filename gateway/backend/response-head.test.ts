import { describe, expect, it } from "@jest/globals";
import { headerTokens, headerValues, MAX_RESPONSE_HEAD, parseResponseHead } from "./response-head.ts";

const parse = (text: string) => parseResponseHead(Buffer.from(text, "latin1"));

describe("parseResponseHead", () => {
  it("reads status, text and headers, and where the head ends", () => {
    const head = "HTTP/1.1 404 Not  Found\r\nA: 1\r\nb:\t two words \r\nA: \r\n\r\n";
    expect(parse(`${head}body\r\n\r\n`)).toEqual({
      version: "1.1",
      status: 404,
      statusText: "Not  Found",
      headers: [
        ["A", "1"],
        ["b", "two words"],
        ["A", ""],
      ],
      length: head.length,
    });
  });

  it.each([
    ["no text", "HTTP/1.1 101\r\n\r\n", ""],
    ["an empty text", "HTTP/1.0 200 \r\n\r\n", ""],
    ["bytes beyond ASCII", "HTTP/1.1 200 caf\xe9\r\n\r\n", "caf\xe9"],
  ])("takes a status line with %s", (_name, text, statusText) => {
    expect(parse(text)).toMatchObject({ statusText });
  });

  it("asks for more until the empty line", () => {
    const head = "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\n\r\n";
    for (let length = 0; length < head.length; length += 1) {
      expect(parse(head.slice(0, length))).toBe("incomplete");
    }
  });

  it.each([
    ["another protocol", "SSH-2.0-x\r\n\r\n"],
    ["HTTP/2", "HTTP/2 200\r\n\r\n"],
    ["a status of two digits", "HTTP/1.1 99 x\r\n\r\n"],
    ["a status of four digits", "HTTP/1.1 1010 x\r\n\r\n"],
    ["a folded line", "HTTP/1.1 200 OK\r\nA: 1\r\n 2\r\n\r\n"],
    ["a space before the colon", "HTTP/1.1 200 OK\r\nA : 1\r\n\r\n"],
    ["no colon", "HTTP/1.1 200 OK\r\nA\r\n\r\n"],
    ["a bare CR", "HTTP/1.1 200 OK\r\nA: 1\rB: 2\r\n\r\n"],
    ["a bare LF", "HTTP/1.1 200 OK\nA: 1\r\n\r\n"],
    ["a NUL", "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n"],
    ["a head over the limit", `HTTP/1.1 200 OK\r\nA: ${"a".repeat(MAX_RESPONSE_HEAD)}\r\n\r\n`],
    ["a head over the limit without an end", "a".repeat(MAX_RESPONSE_HEAD)],
  ])("refuses %s", (_name, text) => {
    expect(parse(text)).toBe("malformed");
  });
});

describe("looking up response headers", () => {
  const headers = [
    ["Connection", "keep-alive, Upgrade"],
    ["X", "1"],
    ["connection", ",close"],
  ] as const;

  it("finds every line without regard to case", () => {
    expect(headerValues(headers, "CONNECTION")).toEqual(["keep-alive, Upgrade", ",close"]);
    expect(headerValues(headers, "Y")).toEqual([]);
  });

  it("splits lists over all lines", () => {
    expect(headerTokens(headers, "Connection")).toEqual(["keep-alive", "upgrade", "close"]);
  });
});
