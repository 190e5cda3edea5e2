import { describe, expect, it } from "@jest/globals";
import { fullGateway, fullRoute } from "../test/support/full-examples.ts";
import { API_VERSION } from "./kinds.ts";
import { formatProblems, isKind, parseGateway, parseRoute } from "./parse.ts";

const route = (spec: unknown, more: object = {}) => ({
  apiVersion: API_VERSION,
  kind: "WebSocketRoute",
  metadata: { name: "chat", namespace: "apps", generation: 4, uid: "u" },
  spec,
  ...more,
});

describe("parseRoute and parseGateway", () => {
  it("take every field of the API as it is", () => {
    const parsedRoute = parseRoute(fullRoute("apps"));
    expect(parsedRoute.ok && parsedRoute.value.spec).toEqual(fullRoute("apps").spec);
    const parsedGateway = parseGateway(fullGateway("apps"));
    expect(parsedGateway.ok && parsedGateway.value.spec).toEqual(fullGateway("apps").spec);
  });

  it("fill in the defaults that the CRD has", () => {
    const parsed = parseRoute(
      route({ backendRefs: [{ name: "chat", port: 3000 }], matches: [{}, { path: { value: "/a" } }] }),
    );
    expect(parsed.ok && parsed.value.spec).toEqual({
      backendRefs: [{ name: "chat", port: 3000, weight: 1 }],
      matches: [{ path: { type: "PathPrefix", value: "/" } }, { path: { type: "PathPrefix", value: "/a" } }],
    });
  });

  it("give a file's object the default namespace", () => {
    const parsed = parseRoute({ ...route({ hub: {} }), metadata: { name: "chat" } });
    expect(parsed.ok && parsed.value.metadata).toEqual({ name: "chat", namespace: "default", generation: 1 });
  });

  it("report every problem with its path, and who the object is", () => {
    const spec = { backendRefs: [{ name: "chat", port: 0 }], hostnames: ["A"], limit: {}, timeouts: { idle: 30 } };
    const parsed = parseRoute(route(spec, { status: { pods: "1/1" } }));
    expect(parsed).toEqual({
      ok: false,
      problems: expect.arrayContaining([
        { path: "spec.backendRefs[0].port", message: expect.stringContaining(">=1") },
        { path: "spec.hostnames[0]", message: expect.stringContaining("DNS name") },
        { path: "spec.timeouts.idle", message: expect.stringContaining("string") },
        { path: "spec.limit", message: "is not a known field" },
      ]),
      metadata: { name: "chat", namespace: "apps", generation: 4, uid: "u" },
      status: { pods: "1/1" },
    });
    expect(!parsed.ok && parsed.problems).toHaveLength(4);
    expect(!parsed.ok && formatProblems(parsed.problems)).toMatch(/; spec.limit: is not a known field$/);
  });

  it("say what is missing", () => {
    const parsed = parseGateway({ ...route({}), kind: "WebSocketGateway", metadata: undefined });
    expect(!parsed.ok && parsed.problems).toEqual([
      { path: "metadata", message: "is required" },
      { path: "spec.listeners", message: "is required" },
    ]);
  });

  it("survive anything", () => {
    for (const object of [undefined, null, 1, "x", [], {}, { metadata: 1, status: [] }, route(null), route([])]) {
      expect(parseRoute(object).ok).toBe(false);
      expect(parseGateway(object).ok).toBe(false);
    }
  });

  it("keep a status that is theirs and ignore one that is not", () => {
    const condition = {
      type: "Ready",
      status: "True",
      reason: "Ready",
      message: "",
      lastTransitionTime: "2026-01-01T00:00:00Z",
    };
    const good = parseRoute(route({ hub: {} }, { status: { conditions: [condition], pods: "1/1", somethingNew: 1 } }));
    expect(good.ok && good.value.status).toEqual({ conditions: [condition], pods: "1/1" });
    const strange = parseRoute(route({ hub: {} }, { status: { conditions: "none" } }));
    expect(strange.ok && strange.value).not.toHaveProperty("status");
  });
});

describe("isKind", () => {
  it("tells kind and version", () => {
    expect(isKind(route({}), "WebSocketRoute")).toBe(true);
    expect(isKind(route({}), "WebSocketGateway")).toBe(false);
    expect(isKind({ ...route({}), apiVersion: "other/v1" }, "WebSocketRoute")).toBe(false);
    expect(isKind(null, "WebSocketRoute")).toBe(false);
  });
});
