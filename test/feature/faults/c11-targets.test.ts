import { describe, expect, it } from "@jest/globals";
import { makeRoute, prefixMatch } from "../../support/make-route.ts";
import { handshakeText, rawConnect, rawRequest } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();

const routes = [
  makeRoute({ name: "public", matches: [prefixMatch("/public")], backends: [{ id: "public", weight: 1 }] }),
  makeRoute({ name: "admin", order: 1, matches: [prefixMatch("/admin")], backends: [{ id: "admin", weight: 1 }] }),
];

async function setUp() {
  const [pub, admin] = [await rig.backend(), await rig.backend()];
  const holdfast = await rig.gateway({ routes, backends: { public: [pub.port], admin: [admin.port] } });
  return { pub, admin, holdfast };
}

describe("C11: the request target has one normal form before it is matched", () => {
  it.each([
    ["/public/../admin/x", "admin", "/admin/x"],
    ["/public/%2e%2e/admin", "admin", "/admin"],
    ["/public/./room", "public", "/public/room"],
    ["//public//room", "public", "/public/room"],
    ["/%70ublic", "public", "/public"],
    ["/public/a%2fb", "public", "/public/a%2Fb"],
    ["http://chat.example.com/public?v=1", "public", "/public?v=1"],
    ["/../../public", "public", "/public"],
  ])("%s is %s's, which gets %s", async (target, owner, seen) => {
    const { pub, admin, holdfast } = await setUp();
    const client = rig.use(await rawConnect(holdfast.port), ({ socket }) => socket.destroy());
    client.socket.write(handshakeText({ target }));
    expect(await client.head()).toContain(" 101 ");
    const [asked, other] = owner === "public" ? [pub, admin] : [admin, pub];
    expect(asked.requests.map(({ url }) => url)).toEqual([seen]);
    expect(other.requests).toHaveLength(0);
  });

  it.each([
    ["an encoded NUL", "/public/%00"],
    ["a broken encoding", "/public/%zz"],
    ["dot segments behind an encoded slash", "/public/..%2fadmin"],
    ["a back slash", "/public\\..\\admin"],
    ["a fragment", "/public#x"],
    ["a user in an absolute target", "http://me@chat.example.com/public"],
    ["a target that is no path", "public"],
    ["NUL itself", "/public/\0"],
  ])("%s: 400", async (_, target) => {
    const { pub, admin, holdfast } = await setUp();
    const reply = await rawRequest(holdfast.port, handshakeText({ target }));
    expect(reply.status).toBe(400);
    expect(pub.requests.length + admin.requests.length).toBe(0);
  });
});
