import { describe, expect, it } from "@jest/globals";
import { checkPublicKeys, checkSharedKeys } from "./token-keys.ts";

const set = (...keys: object[]) => JSON.stringify({ keys });
const oct = (bytes: number) => ({ kty: "oct", k: Buffer.alloc(bytes, 1).toString("base64url") });

describe("checkPublicKeys", () => {
  it.each([
    [set({ kty: "EC", x: "a", y: "b" }), undefined],
    ["nonsense", /not a JSON Web Key Set/],
    ["[]", /not a JSON Web Key Set/],
    ['{"keys": [1]}', /not a JSON Web Key Set/],
    [set(), /no key/],
    [set({ kty: "EC", d: "private" }), /private key/],
    [set(oct(32)), /private key/],
    [set({ x: "a" }), /no kty/],
  ])("%s", (text, problem) => {
    const said = checkPublicKeys(text);
    if (problem === undefined) expect(said).toBeUndefined();
    else expect(said).toMatch(problem);
  });
});

describe("checkSharedKeys", () => {
  it.each([
    ["s".repeat(32), ["HS256"], undefined],
    ["s".repeat(31), ["HS256"], /less than 32 bytes/],
    ["s".repeat(32), ["HS256", "HS512"], /less than 64 bytes/],
    [set(oct(32), oct(48)), ["HS256"], undefined],
    [set(oct(32), oct(16)), ["HS256"], /less than 32 bytes/],
    [set({ kty: "EC" }), ["HS256"], /not of kty oct/],
    [set(), ["HS256"], /no key/],
  ])("%s for %j", (text, algorithms, problem) => {
    const said = checkSharedKeys(text, algorithms);
    if (problem === undefined) expect(said).toBeUndefined();
    else expect(said).toMatch(problem);
  });
});
