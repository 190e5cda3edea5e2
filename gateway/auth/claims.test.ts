import { describe, expect, it } from "@jest/globals";
import { claimAt, claimHas, claimText } from "./claims.ts";

const claims = JSON.parse(`{
  "sub": "ann", "level": 3, "admin": false, "scope": "chat read:all", "groups": ["a", "b c", 7],
  "realm_access": {"roles": ["editor"]}, "https://example.com/roles": ["owner"], "a.b": {"c": 1}, "none": null,
  "__proto__": {"polluted": "yes"}
}`);

describe("claimAt", () => {
  it.each([
    ["sub", "ann"],
    ["realm_access.roles", ["editor"]],
    ["https://example.com/roles", ["owner"]],
    ["a.b.c", 1],
    ["realm_access.missing", undefined],
    ["sub.length", undefined],
    ["groups.0", undefined],
    ["toString", undefined],
    ["constructor.name", undefined],
  ])("%s", (path, value) => expect(claimAt(claims, path)).toEqual(value));
});

describe("claimHas", () => {
  it.each([
    ["a text", "sub", "ann", true],
    ["a word of a scope", "scope", "chat", true],
    ["a whole scope", "scope", "chat read:all", true],
    ["a part of a word", "scope", "read", false],
    ["an item of a list", "groups", "a", true],
    ["an item with a space", "groups", "b c", true],
    ["a word of an item", "groups", "b", false],
    ["a number in a list", "groups", "7", true],
    ["a number", "level", "3", true],
    ["a false", "admin", "false", true],
    ["an object", "realm_access", "roles", false],
    ["a missing claim", "missing", "undefined", false],
    ["a null", "none", "null", false],
  ])("%s", (_what, path, value, has) => expect(claimHas(claims, path, ["other", value])).toBe(has));
});

describe("claimText", () => {
  it.each([
    ["sub", "ann"],
    ["level", "3"],
    ["groups", '["a","b c",7]'],
    ["none", undefined],
  ])("%s", (path, text) => expect(claimText(claims, path)).toBe(text));
});
