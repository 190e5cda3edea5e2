import { describe, expect, it } from "@jest/globals";
import type { Listener } from "../snapshot.ts";
import { certificateFor, listenerFor, planPorts } from "./listeners.ts";

const listener = (name: string, port: number, more: Partial<Listener> = {}): Listener => ({
  name,
  port,
  protocol: "WS",
  certificates: [],
  ...more,
});
const ownPort = ({ port }: Listener): number => port;

describe("planPorts", () => {
  it("puts listeners of one port and protocol together and names those that cannot be", () => {
    const wss = listener("wss", 8080, { protocol: "WSS" });
    const plan = planPorts([listener("a", 8080), listener("b", 8080), listener("c", 8081), wss], ownPort);
    expect(plan.groups.map(({ port, listeners }) => [port, listeners.map(({ name }) => name)])).toEqual([
      [8080, ["a", "b"]],
      [8081, ["c"]],
    ]);
    expect(plan.conflicts).toEqual([wss]);
  });

  it("gives each listener on port 0 a port of its own, under an id that lasts", () => {
    const plan = (names: string[]) =>
      planPorts(
        names.map((name) => listener(name, 80)),
        () => 0,
      ).groups;
    expect(plan(["a", "b"])).toHaveLength(2);
    expect(plan(["b"])[0]?.id).toBe(plan(["a", "b"])[1]?.id);
  });

  it("changes the id of a port whose protocol changes, so that it is opened anew", () => {
    const [ws] = planPorts([listener("a", 8443)], ownPort).groups;
    const [wss] = planPorts([listener("a", 8443, { protocol: "WSS" })], ownPort).groups;
    expect(ws?.id).not.toBe(wss?.id);
  });
});

describe("listenerFor", () => {
  const group = planPorts(
    [
      listener("any", 80),
      listener("wild", 80, { hostname: "*.example.com" }),
      listener("deeper", 80, { hostname: "*.eu.example.com" }),
      listener("exact", 80, { hostname: "chat.example.com" }),
    ],
    ownPort,
  ).groups[0]!;

  it.each([
    ["chat.example.com", "exact"],
    ["other.example.com", "wild"],
    ["a.b.example.com", "wild"],
    ["x.eu.example.com", "deeper"],
    ["example.com", "any"],
    ["badexample.com", "any"],
  ])("sends %s to %s", (host, name) => {
    expect(listenerFor(group, host)?.name).toBe(name);
  });

  it("knows no listener for a host that none names", () => {
    const only = planPorts([listener("exact", 80, { hostname: "chat.example.com" })], ownPort).groups[0]!;
    expect(listenerFor(only, "other.example.com")).toBeUndefined();
  });
});

describe("certificateFor", () => {
  const certificates = [
    { id: "default", hostnames: ["a.example.com"] },
    { id: "wild", hostnames: ["*.example.com"] },
    { id: "b", hostnames: ["x.org", "B.example.com".toLowerCase()] },
  ];

  it.each([
    ["A.example.com", "default"],
    ["c.example.com", "wild"],
    ["b.example.com", "b"],
    ["unknown.net", "default"],
    ["", "default"],
  ])("serves %s with %s", (serverName, id) => {
    expect(certificateFor(certificates, serverName)?.id).toBe(id);
  });
});
