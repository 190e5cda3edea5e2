import { describe, expect, it } from "@jest/globals";
import { MAX_RESPONSE_BODY, readResponseBody } from "./response-body.ts";

function read(bytes: string | Buffer, header?: [string, string], status = 400) {
  const head = { version: "1.1", status, statusText: "", headers: header === undefined ? [] : [header], length: 0 };
  const { body, complete } = readResponseBody(head, Buffer.from(bytes));
  return { body: body.toString("latin1"), complete };
}

const CHUNKED: [string, string] = ["Transfer-Encoding", "chunked"];

describe("readResponseBody", () => {
  it("waits for Content-Length and takes no more", () => {
    expect(read("ab", ["Content-Length", "3"])).toEqual({ body: "ab", complete: false });
    expect(read("abcd", ["content-length", "3"])).toEqual({ body: "abc", complete: true });
    expect(read("", ["Content-Length", "0"])).toEqual({ body: "", complete: true });
  });

  it("joins chunks", () => {
    expect(read("3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", CHUNKED)).toEqual({
      body: "abc0123456789",
      complete: true,
    });
  });

  it.each(["3", "3\r\n", "3\r\nab", "3\r\nabc", "3\r\nabc\r", "3\r\nabc\r\n", "3\r\nabc\r\n0"])(
    "waits for the rest of %j",
    (bytes) => {
      expect(read(bytes, CHUNKED).complete).toBe(false);
    },
  );

  it("ends a chunked body at nonsense", () => {
    expect(read("3\r\nabc\r\nzz\r\nxx", CHUNKED)).toEqual({ body: "abc", complete: true });
  });

  it("lasts until the end of the stream without a length", () => {
    expect(read("abc")).toEqual({ body: "abc", complete: false });
  });

  it.each([204, 304])("has none with %d", (status) => {
    expect(read("abc", ["Content-Length", "3"], status)).toEqual({ body: "", complete: true });
  });

  it("is cut at the limit", () => {
    const { body, complete } = read(Buffer.alloc(MAX_RESPONSE_BODY + 1));
    expect(body).toHaveLength(MAX_RESPONSE_BODY);
    expect(complete).toBe(true);
  });
});
