import { describe, expect, it } from "@jest/globals";
import { DEFAULTS, POLICY_BLOCKS, resolveGateway, resolvePolicies } from "./defaults.ts";
import { API_VERSION } from "./kinds.ts";
import { parseGateway, parseRoute } from "./parse.ts";
import { policyFields } from "./policies.ts";
import type { GatewayDefaults } from "./websocketgateway.ts";
import type { WebSocketRouteSpec } from "./websocketroute.ts";

const spec = (fields: object): WebSocketRouteSpec => {
  const metadata = { name: "chat" };
  const parsed = parseRoute({ apiVersion: API_VERSION, kind: "WebSocketRoute", metadata, spec: fields });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.value.spec;
};
const proxied = (fields: object) => spec({ backendRefs: [{ name: "chat", port: 1 }], ...fields });

describe("resolvePolicies", () => {
  it("gives a route without policies the built-in ones", () => {
    expect(resolvePolicies(proxied({}), undefined)).toEqual({
      limits: { maxMessageSize: "1Mi", maxQueuedBytes: "1Mi", onSlowClient: "Pause" },
      timeouts: { handshake: "10s", connect: "5s", idle: "1h", maxLifetime: "0s" },
      keepAlive: { interval: "25s", timeout: "8s" },
      loadBalancing: { type: "ConsistentHash", key: { type: "ConnectionID" }, maxLoad: 125 },
      onChange: "Keep",
    });
  });

  it("lets a route's block replace the gateway's as a whole, and the built-in ones fill its gaps", () => {
    const gateway: GatewayDefaults = {
      timeouts: { idle: "5m", connect: "1s" },
      limits: { maxMessageSize: "64Ki", connections: { perClientIP: 5 } },
      origins: ["https://example.com"],
      onChange: "Close",
    };
    const policies = resolvePolicies(proxied({ timeouts: { connect: "2s" } }), gateway);
    expect(policies.timeouts).toEqual({ handshake: "10s", connect: "2s", idle: "1h", maxLifetime: "0s" });
    expect(policies.limits).toMatchObject({
      maxMessageSize: "64Ki",
      maxQueuedBytes: "1Mi",
      connections: { perClientIP: 5 },
    });
    expect(policies.origins).toEqual(["https://example.com"]);
    expect(policies.onChange).toBe("Close");
  });

  it("does not let a key that is present but undefined hide a default", () => {
    expect(resolvePolicies({ ...proxied({}), timeouts: { idle: undefined } }, undefined).timeouts.idle).toBe("1h");
  });

  it.each([
    ["a hub", spec({ hub: {} }), "Pause", "Close"],
    ["a hub", spec({ hub: {} }), "DropOldest", "DropOldest"],
    ["a hub", spec({ hub: {} }), undefined, "Close"],
    ["backends", proxied({}), "DropOldest", "Pause"],
    ["backends", proxied({}), "Close", "Close"],
    ["both", proxied({ hub: {} }), "DropOldest", "DropOldest"],
  ] as const)(
    "for %s, takes the gateway's onSlowClient only where it can be done (%#)",
    (_, route, wanted, expected) => {
      const gateway = wanted === undefined ? {} : { limits: { onSlowClient: wanted } };
      expect(resolvePolicies(route, gateway).limits.onSlowClient).toBe(expected);
    },
  );

  it("knows every policy block that the schema has", () => {
    expect([...POLICY_BLOCKS].sort()).toEqual(Object.keys(policyFields).sort());
  });
});

describe("defaults", () => {
  it("are values that the schema itself accepts", () => {
    const { limits, timeouts, keepAlive, loadBalancing, onChange, apiKeySources } = DEFAULTS;
    const { key, maxLoad, type } = loadBalancing;
    const fields = {
      limits: { ...limits, onSlowClient: DEFAULTS.onSlowClient.backends },
      timeouts,
      keepAlive,
      loadBalancing: { type, consistentHash: { key, maxLoad } },
      onChange,
      authentication: { apiKeys: { secretRef: { name: "keys" }, sources: apiKeySources } },
    };
    expect(proxied(fields)).toMatchObject(fields);
  });

  it("are those of a gateway that says nothing", () => {
    const spec = { listeners: [{ name: "ws", port: 1, protocol: "WS" }] };
    const parsed = parseGateway({ apiVersion: API_VERSION, kind: "WebSocketGateway", metadata: { name: "a" }, spec });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    expect(resolveGateway(parsed.value.spec)).toEqual({
      drain: { timeout: "60s", maxDisconnectsPerSecond: 500 },
      allowedFrom: "Same",
      redisType: "Standalone",
    });
    expect(resolveGateway({ ...parsed.value.spec, drain: { timeout: "5s" } }).drain).toEqual({
      timeout: "5s",
      maxDisconnectsPerSecond: 500,
    });
  });
});
