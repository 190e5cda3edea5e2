import { describe, expect, it } from "@jest/globals";
import { makeRoute } from "../../test/support/make-route.ts";
import { isRefusal, type Refusal } from "../refusals.ts";
import type { Route } from "../snapshot.ts";
import type { Permit } from "./permits.ts";
import { MemoryPermits } from "./permits-memory.ts";

function limited(connections: Route["limits"]["connections"], name = "chat"): Route {
  const route = makeRoute({ name });
  return { ...route, limits: { ...route.limits, connections } };
}

function granted(result: Permit | Refusal): Permit {
  if (isRefusal(result)) throw new Error(result.reason);
  return result;
}

describe("MemoryPermits", () => {
  it("grants up to the route's total, and again after a release", () => {
    const permits = new MemoryPermits();
    const route = limited({ total: 2 });
    const first = granted(permits.take({ route, clientIP: "a" }));
    granted(permits.take({ route, clientIP: "b" }));
    expect(permits.take({ route, clientIP: "c" })).toMatchObject({ reason: "TooManyConnections" });
    first.release();
    granted(permits.take({ route, clientIP: "c" }));
    expect(permits.held(route)).toBe(2);
  });

  it("counts each client address by itself, and names its limit first", () => {
    const permits = new MemoryPermits();
    const route = limited({ total: 2, perClientIP: 1 });
    granted(permits.take({ route, clientIP: "a" }));
    expect(permits.take({ route, clientIP: "a" })).toMatchObject({ reason: "TooManyConnectionsPerClient" });
    granted(permits.take({ route, clientIP: "b" }));
    expect(permits.take({ route, clientIP: "b" })).toMatchObject({ reason: "TooManyConnectionsPerClient" });
  });

  it("takes a permit back exactly once", () => {
    const permits = new MemoryPermits();
    const route = limited({ total: 2 });
    const first = granted(permits.take({ route, clientIP: "a" }));
    granted(permits.take({ route, clientIP: "a" }));
    first.release();
    first.release();
    expect(permits.held(route)).toBe(1);
  });

  it("counts each user by itself, and nobody who is not authenticated", () => {
    const permits = new MemoryPermits();
    const route = limited({ perUser: 1 });
    granted(permits.take({ route, clientIP: "a", user: "ann" }));
    expect(permits.take({ route, clientIP: "b", user: "ann" })).toMatchObject({ reason: "TooManyConnectionsPerUser" });
    granted(permits.take({ route, clientIP: "b", user: "bob" }));
    for (let i = 0; i < 3; i += 1) granted(permits.take({ route, clientIP: "b" }));
  });

  it("grants all in mode Report, and says what would have been refused", () => {
    const permits = new MemoryPermits();
    const route = limited({ total: 1, mode: "Report" });
    expect(granted(permits.take({ route, clientIP: "a" })).exceeded).toBeUndefined();
    expect(granted(permits.take({ route, clientIP: "a" })).exceeded).toBe("TooManyConnections");
    expect(permits.held(route)).toBe(2);
  });

  it("counts across snapshots, and keeps routes apart", () => {
    const permits = new MemoryPermits();
    granted(permits.take({ route: limited({}), clientIP: "a" }));
    expect(permits.take({ route: limited({ total: 1 }), clientIP: "b" })).toMatchObject({
      reason: "TooManyConnections",
    });
    granted(permits.take({ route: limited({ total: 1 }, "other"), clientIP: "b" }));
  });
});
