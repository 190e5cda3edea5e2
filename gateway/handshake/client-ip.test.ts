import { describe, expect, it } from "@jest/globals";
import { clientIP, compileAddressList, inList } from "./client-ip.ts";

const proxies = ["10.0.0.0/8", "fd00::/8"];

describe("clientIP", () => {
  it.each([
    ["a peer that is no proxy, whatever it claims", "203.0.113.9", "1.1.1.1", ["203.0.113.9", "203.0.113.9"]],
    ["the client before one proxy", "10.0.0.1", "203.0.113.9", ["203.0.113.9", "203.0.113.9, 10.0.0.1"]],
    [
      "the nearest untrusted, not the first",
      "10.0.0.1",
      "1.1.1.1, 203.0.113.9",
      ["203.0.113.9", "1.1.1.1, 203.0.113.9, 10.0.0.1"],
    ],
    ["past several proxies", "10.0.0.1", "203.0.113.9, 10.2.2.2", ["203.0.113.9", "203.0.113.9, 10.2.2.2, 10.0.0.1"]],
    [
      "no further than what can be read",
      "10.0.0.1",
      "203.0.113.9, unknown",
      ["10.0.0.1", "203.0.113.9, unknown, 10.0.0.1"],
    ],
    ["the first where all are proxies", "10.0.0.1", "10.3.3.3, 10.2.2.2", ["10.3.3.3", "10.3.3.3, 10.2.2.2, 10.0.0.1"]],
    ["a proxy without the header", "10.0.0.1", undefined, ["10.0.0.1", "10.0.0.1"]],
    ["an address with a port", "10.0.0.1", "203.0.113.9:4711", ["203.0.113.9", "203.0.113.9:4711, 10.0.0.1"]],
    ["IPv6 with brackets and port", "fd00::1", "[2001:DB8:0::1]:80", ["2001:db8::1", "[2001:DB8:0::1]:80, fd00::1"]],
    ["IPv4 mapped into IPv6", "::ffff:10.0.0.1", "203.0.113.9", ["203.0.113.9", "203.0.113.9, 10.0.0.1"]],
  ])("is %s", (_what, peer, header, [ip, forwardedFor]) => {
    expect(clientIP(peer, header, proxies)).toMatchObject({ ip, forwardedFor });
  });

  it("spells one IPv6 address one way", () => {
    const spellings = ["2001:db8::1", "2001:0DB8:0:0::0001", "2001:db8::1%eth0", "[2001:db8:0:0:0:0:0:1]"];
    expect(new Set(spellings.map((text) => clientIP(text, undefined, []).ip))).toEqual(new Set(["2001:db8::1"]));
  });

  it("tells whether what proxies say counts", () => {
    expect(clientIP("10.0.0.1", undefined, proxies).viaTrustedProxy).toBe(true);
    expect(clientIP("10.0.0.1", undefined, []).viaTrustedProxy).toBe(false);
    expect(clientIP("11.0.0.1", "10.0.0.1", proxies).viaTrustedProxy).toBe(false);
  });
});

describe("address lists", () => {
  it("hold single addresses and CIDRs of both families", () => {
    const list = ["192.0.2.7", "10.0.0.0/8", "2001:db8::/32", "0.0.0.0/32"];
    for (const ip of ["192.0.2.7", "10.255.0.1", "2001:db8::5"]) expect(inList(ip, list)).toBe(true);
    for (const ip of ["192.0.2.8", "11.0.0.1", "2001:db9::5", "nonsense", ""]) expect(inList(ip, list)).toBe(false);
  });

  it.each(["10.0.0.0/33", "10.0.0", "::/129", "example.com", "10.0.0.0/8/8", "10.0.0.0/", "10.0.0.0/08", ""])(
    "refuse %j by name",
    (entry) => {
      expect(() => compileAddressList(["10.0.0.1", entry])).toThrow(`"${entry}"`);
    },
  );
});
