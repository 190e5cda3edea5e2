import { describe, expect, it } from "@jest/globals";
import { gatewayObject, lease, routeObject } from "../test/support/make-cluster.ts";
import { observeLease, readAcknowledgement, readGateway, readRoute } from "./cluster.ts";

describe("readRoute and readGateway", () => {
  it("keep the parsed value while uid and generation are the same, and take the new status", () => {
    const before = readRoute(routeObject("chat"));
    const after = readRoute({ ...routeObject("chat"), ...{ status: { pods: "1/1" } } }, before);
    expect(after.parsed).toBe(before.parsed);
    expect(after.status).toEqual({ pods: "1/1" });
  });

  it("parse again for a new generation, another object of the name, and an object from a file", () => {
    const before = readRoute(routeObject("chat"));
    expect(readRoute(routeObject("chat", {}, { generation: 2 }), before).parsed).not.toBe(before.parsed);
    expect(readRoute(routeObject("chat", {}, { uid: "other" }), before).parsed).not.toBe(before.parsed);
    const fromFile = readGateway(gatewayObject({}, { generation: undefined }));
    expect(readGateway(gatewayObject({}, { generation: undefined }), fromFile).parsed).not.toBe(fromFile.parsed);
  });

  it("tell every problem of a broken object, with its name", () => {
    const entry = readRoute(routeObject("chat", { hostnames: ["UPPER"], limitz: {} }));
    expect(entry.metadata.name).toBe("chat");
    expect(entry.parsed).toMatchObject({ ok: false });
    const paths = entry.parsed.ok ? [] : entry.parsed.problems.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(["spec.hostnames[0]", "spec.limitz"]));
  });
});

describe("observeLease", () => {
  const renewed = (renewTime: string) => ({ metadata: { name: "l" }, spec: { renewTime } });

  it("believes the gateway's clock for a Lease never seen before, but not into the future", () => {
    const now = Date.parse("2026-01-01T00:01:00Z");
    expect(observeLease(undefined, renewed("2026-01-01T00:00:00Z"), now).observedAt).toBe(now - 60_000);
    expect(observeLease(undefined, renewed("2026-01-01T09:00:00Z"), now).observedAt).toBe(now);
    expect(observeLease(undefined, { metadata: { name: "l" } }, now).observedAt).toBe(now);
  });

  it("goes by the operator's own clock from then on, and only by what is renewed", () => {
    const first = observeLease(undefined, renewed("2026-01-01T00:00:00Z"), 1000);
    const renewedLater = observeLease(first, renewed("2020-01-01T00:00:02Z"), 5000);
    expect(renewedLater.observedAt).toBe(5000);
    expect(observeLease(renewedLater, renewed("2020-01-01T00:00:02Z"), 9000).observedAt).toBe(5000);
  });
});

describe("readAcknowledgement", () => {
  it("reads what a gateway process says", () => {
    const said = readAcknowledgement(lease("gw-a", { sequence: 7, connections: 12, refused: "why" }, 1000));
    expect(said).toEqual({
      pod: "gw-a",
      sequence: 7,
      revision: "any",
      connections: 12,
      ready: true,
      draining: false,
      refused: "why",
      expiresAt: 7000,
    });
  });

  it("takes the pod's name from the Lease's where nobody holds it, and nonsense for nothing", () => {
    const { lease: object } = lease("gw-a", { sequence: 1 }, 0);
    const annotations = { "holdfast.dev/sequence": "-3", "holdfast.dev/connections": "many" };
    const { spec: _spec, ...withoutSpec } = { ...object, metadata: { ...object.metadata, annotations } };
    expect(readAcknowledgement({ lease: withoutSpec, observedAt: 0 })).toMatchObject({
      pod: "gw-a",
      sequence: 0,
      connections: 0,
      ready: false,
      refused: undefined,
    });
  });

  it("passes over a Lease that is not a gateway's", () => {
    expect(readAcknowledgement({ lease: { metadata: { name: "leader" } }, observedAt: 0 })).toBeUndefined();
  });
});
