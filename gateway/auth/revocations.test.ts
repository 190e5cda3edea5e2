import { randomBytes } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { principalOf } from "./principal.ts";
import { type Revocation, Revocations } from "./revocations.ts";
import { open, seal, sealingKey } from "./seal.ts";

const token = (issuedAt: number | undefined, id = "t1") => ({
  issuer: "i",
  subject: "ann",
  id,
  issuedAt,
  expiresAt: 1e6,
  claims: {},
});
const user: Revocation = { kind: "user", value: "ann", at: 100, until: 200 };

describe("Revocations", () => {
  it("hold until their end, for tokens that are not newer, and for keys that have no age", () => {
    let now = 100;
    const revocations = new Revocations(() => now);
    revocations.add(user);
    revocations.add({ kind: "tokenId", value: "t9", at: 100, until: 200 });
    const revoked = () =>
      [token(99), token(100), token(101), token(undefined), token(150, "t9")].map((it) =>
        revocations.has(principalOf({ token: it })),
      );
    expect(revoked()).toEqual([true, true, false, true, true]);
    expect(revocations.has(principalOf({ apiKey: "ann" }))).toBe(true);
    expect(revocations.has(principalOf({ apiKey: "bob" }))).toBe(false);
    now = 200;
    expect(revoked()).toEqual([false, false, false, false, false]);
    expect(revocations.list()).toEqual([]);
  });

  it("of two for one value, the later times count, in any order", () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ] as const) {
      const revocations = new Revocations(() => 0);
      const two = [user, { ...user, at: 50, until: 300 }] as const;
      for (const index of order) revocations.add(two[index]);
      expect(revocations.list()).toEqual([{ ...user, at: 100, until: 300 }]);
    }
  });
});

describe("sealed messages", () => {
  const key = sealingKey(Buffer.from("secret"));
  const sealed = seal(Buffer.from("hello"), key, randomBytes(12));

  it("are read with the same secret only, and not when a bit is changed", () => {
    expect(open(sealed, sealingKey(Buffer.from("secret")))?.toString()).toBe("hello");
    expect(open(sealed, sealingKey(Buffer.from("other")))).toBeUndefined();
    expect(sealed.includes("hello")).toBe(false);
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] as number) ^ 1;
      expect(open(changed, key)).toBeUndefined();
    }
    expect(open(sealed.subarray(0, 20), key)).toBeUndefined();
  });
});
