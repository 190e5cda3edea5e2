import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { isRefusal } from "../refusals.ts";
import { normalizePath, parseTarget, withoutParameters } from "./target.ts";

describe("normalizePath", () => {
  it.each([
    ["/", "/"],
    ["/ws/chat", "/ws/chat"],
    ["/ws/chat/", "/ws/chat/"],
    ["//ws///chat", "/ws/chat"],
    ["/./ws/../admin", "/admin"],
    ["/ws/..", "/"],
    ["/ws/chat/..", "/ws/"],
    ["/ws/.", "/ws/"],
    ["/../../etc", "/etc"],
    ["/%2e%2E/etc", "/etc"],
    ["/%77s/%7Euser", "/ws/~user"],
    ["/a%2fb", "/a%2Fb"],
    ["/caf%c3%a9", "/caf%C3%A9"],
    ["/%252e%252e/x", "/%252e%252e/x"],
    ['/a|b"c[0]{d}', "/a%7Cb%22c%5B0%5D%7Bd%7D"],
    ["/.well-known/ws", "/.well-known/ws"],
    ["/...", "/..."],
    ["/a;v=1/b", "/a;v=1/b"],
  ])("makes %s into %s", (raw, path) => {
    expect(normalizePath(raw)).toBe(path);
  });

  it.each([
    "",
    "ws",
    "/%",
    "/%2",
    "/%zz",
    "/%00",
    "/%0d%0aX: y",
    "/%1f",
    "/%7F",
    "/a b",
    "/a\0",
    "/caf\u00e9",
    "/a\\..\\b",
    "/ws/..%2fadmin",
    "/ws/%2e%2e%5cadmin",
    "/ws/x%2F..%2Fadmin",
    "/ws/..;/admin",
    "/ws/.%3Bx/admin",
  ])("refuses %j", (raw) => {
    expect(normalizePath(raw)).toMatchObject({ reason: "BadTarget" });
  });

  const pieces = fc.constantFrom("/", "//", ".", "..", "a", "%2e", "%2E", "%2f", "%5c", "%25", ";", "%41", "[", "%");
  const paths = fc.array(pieces, { maxLength: 14 }).map((parts) => `/${parts.join("")}`);

  it("is idempotent, and never leaves the root", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          paths,
          fc.webPath(),
          fc.string().map((text) => `/${text}`),
        ),
        (raw) => {
          const path = normalizePath(raw);
          if (isRefusal(path)) return;
          expect(normalizePath(path)).toBe(path);
          expect(path.startsWith("/")).toBe(true);
          // What any backend can make of it, whether it decodes once more or cuts off parameters.
          const segments = decodeURIComponent(path.replace(/%(?!2F|5C|3B|2E)/gi, "")).split(/[/\\]/);
          for (const segment of segments) expect(segment).not.toMatch(/^\.{1,2}(;|$)/);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("agrees with the URL standard on the paths that both take as they are", () => {
    const plain = fc.array(fc.constantFrom("a", "b1", ".", "..", "~x"), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(plain, (segments) => {
        const raw = `/${segments.join("/")}`;
        expect(normalizePath(raw)).toBe(new URL(raw, "http://host").pathname);
      }),
    );
  });
});

describe("parseTarget", () => {
  it("takes origin-form apart", () => {
    expect(parseTarget("/ws?a=1&b=x%20y&b=z+w&c")).toEqual({
      path: "/ws",
      search: "?a=1&b=x%20y&b=z+w&c",
      query: [
        ["a", "1"],
        ["b", "x y"],
        ["b", "z w"],
        ["c", ""],
      ],
    });
  });

  it.each([
    ["http://chat.example.com/ws?x=1", "/ws", "chat.example.com"],
    ["WSS://chat.example.com:8443//ws/./a", "/ws/a", "chat.example.com:8443"],
    ["ws://chat.example.com", "/", "chat.example.com"],
    ["ws://chat.example.com?x=1", "/", "chat.example.com"],
  ])("takes absolute-form %s", (raw, path, authority) => {
    expect(parseTarget(raw)).toMatchObject({ path, authority });
  });

  it("reads // as an empty segment, never as a host", () => {
    expect(parseTarget("//evil.example/ws")).toEqual({ path: "/evil.example/ws", search: "", query: [] });
  });

  it.each([
    "*",
    "chat.example.com:443",
    "",
    "ftp://host/x",
    "http://user@host/x",
    "http:///x",
    "/ws#top",
    "/ws?x=%0",
    "/ws?x=%00",
    "/ws?x=a b",
    "/ws?x=\u00e9",
  ])("refuses %j", (raw) => {
    expect(parseTarget(raw)).toMatchObject({ reason: "BadTarget" });
  });
});

describe("withoutParameters", () => {
  it.each([
    ["?a=1&token=x&b=2", "?a=1&b=2"],
    ["?token=x", ""],
    ["?%74oken=x&a=%2F+", "?a=%2F+"],
    ["?token&tokens=1", "?tokens=1"],
    ["?a=1&&b", "?a=1&&b"],
    ["", ""],
  ])("takes the token out of %s", (search, rest) => {
    expect(withoutParameters(search, new Set(["token"]))).toBe(rest);
  });
});
