import { createHmac, randomBytes } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { makeHandshake } from "../../test/support/make-route.ts";
import {
  connectionIdCookie,
  issueConnectionId,
  presentedConnectionIds,
  verifyAffinity,
  withoutSignature,
} from "./connection-id.ts";

const key = Buffer.alloc(32, 7);

describe("issueConnectionId", () => {
  it("makes the documented form", () => {
    const made = issueConnectionId({ presented: [], key, random: (size) => Buffer.alloc(size, 1) });
    const seed = Buffer.alloc(12, 1).toString("base64url");
    const signature = createHmac("sha256", key).update(seed).digest().subarray(0, 12).toString("base64url");
    expect(made).toEqual({
      affinity: `${seed}~${signature}`,
      id: `${seed}~${signature}.${Buffer.alloc(9, 1).toString("base64url")}`,
      resumed: false,
    });
  });

  it("keeps a presented affinity, given alone or as a whole ID, and makes each connection unique", () => {
    const first = issueConnectionId({ presented: [], key, random: randomBytes });
    const again = issueConnectionId({ presented: [first.affinity], key, random: randomBytes });
    const whole = issueConnectionId({ presented: ["nonsense", first.id], key, random: randomBytes });
    for (const next of [again, whole]) expect(next).toMatchObject({ affinity: first.affinity, resumed: true });
    expect(new Set([first.id, again.id, whole.id]).size).toBe(3);
  });

  it("does not take up what another key signed, or what was changed", () => {
    const { affinity } = issueConnectionId({ presented: [], key, random: randomBytes });
    expect(verifyAffinity(affinity, Buffer.alloc(32, 8))).toBeUndefined();
    fc.assert(
      fc.property(fc.nat(affinity.length - 1), fc.constantFrom(..."abcXYZ019-_~."), (at, character) => {
        fc.pre(affinity[at] !== character);
        const changed = affinity.slice(0, at) + character + affinity.slice(at + 1);
        expect(verifyAffinity(changed, key)).toBeUndefined();
      }),
    );
    for (const bad of ["", "~", ".", affinity.slice(0, -1), `${affinity}x`, "x".repeat(9000)]) {
      expect(verifyAffinity(bad, key)).toBeUndefined();
    }
  });
});

describe("withoutSignature", () => {
  it("leaves what is random, and nothing that could be presented", () => {
    const { affinity, id } = issueConnectionId({ presented: [], key, random: randomBytes });
    const [, seed, nonce] = /^(.{16})~.{16}\.(.{12})$/.exec(id) ?? [];
    expect(withoutSignature(id)).toBe(`${seed}.${nonce}`);
    expect(withoutSignature(withoutSignature(id))).toBe(`${seed}.${nonce}`);
    expect(withoutSignature(affinity)).toBe(seed);
    expect(verifyAffinity(withoutSignature(id), key)).toBeUndefined();
  });
});

describe("what travels", () => {
  it("is taken back from header, query and cookie, in this order", () => {
    const handshake = makeHandshake("/?holdfast-id=q", { "holdfast-connection-id": "h", Cookie: "holdfast-id=c" });
    expect(presentedConnectionIds(handshake)).toEqual(["h", "q", "c"]);
    expect(presentedConnectionIds(makeHandshake())).toEqual([]);
  });

  it("is a cookie that scripts cannot read, secure under TLS", () => {
    expect(connectionIdCookie("a~b", "ws")).toBe("holdfast-id=a~b; Path=/; HttpOnly; SameSite=Lax");
    expect(connectionIdCookie("a~b", "wss")).toBe("holdfast-id=a~b; Path=/; HttpOnly; SameSite=Lax; Secure");
  });
});
