import { describe, expect, it } from "@jest/globals";
import { SNAPSHOT_OBJECTS } from "../../gateway/snapshot.ts";
import type { LeaseEntry } from "../cluster.ts";
import { DeletionCosts } from "./deletion-cost.ts";
import { DELETION_COST_ANNOTATION, type FleetPod } from "./objects.ts";

const pod = (name: string, cost?: string, more: object = {}): FleetPod => ({
  kind: "Pod",
  metadata: {
    name,
    namespace: "edge",
    uid: `uid-${name}`,
    labels: { [SNAPSHOT_OBJECTS.gatewayLabel]: "public" },
    ...(cost === undefined ? {} : { annotations: { [DELETION_COST_ANNOTATION]: cost } }),
    ...more,
  },
  trouble: undefined,
  isUnready: false,
});

const leases = (connections: Record<string, number>): ReadonlyMap<string, LeaseEntry> =>
  new Map(
    Object.entries(connections).map(([name, count]) => {
      const metadata = {
        name: `holdfast-public-${name}`,
        namespace: "edge",
        labels: { [SNAPSHOT_OBJECTS.gatewayLabel]: "public" },
        annotations: { [SNAPSHOT_OBJECTS.acknowledgement.connections]: String(count) },
      };
      return [`edge/holdfast-public-${name}`, { lease: { metadata }, observedAt: 0 }];
    }),
  );

const written = (costs: DeletionCosts, pods: FleetPod[], connections: Record<string, number>, now = 0) => {
  const { changes, nextAt } = costs.due(pods, leases(connections), now);
  return { changes: changes.map(({ pod: { metadata }, cost }) => `${metadata.name}=${cost}`), nextAt };
};

describe("deletion costs", () => {
  it("are the pods' connections", () => {
    expect(written(new DeletionCosts(), [pod("a"), pod("b", "7")], { a: 100, b: 900 }).changes).toEqual([
      "a=100",
      "b=900",
    ]);
  });

  it.each([
    ["nobody has said anything", pod("b"), { a: 5 }],
    ["a pod without connections has none yet", pod("a"), { a: 0 }],
    ["it is a tenth more", pod("a", "100"), { a: 110 }],
    ["it is a tenth less", pod("a", "100"), { a: 90 }],
    ["the pod is going anyway", pod("a", "5", { deletionTimestamp: "2026-01-01T00:00:00Z" }), { a: 900 }],
  ])("are not written when %s", (_what, it, connections) => {
    expect(written(new DeletionCosts(), [it], connections)).toEqual({ changes: [], nextAt: undefined });
  });

  it.each([
    ["more than a tenth more", "100", 111],
    ["more than a tenth less", "100", 89],
    ["gone", "100", 0],
    ["the first", undefined, 1],
    ["what somebody wrote over with nonsense", "many", 1],
  ])("are written when it is %s", (_what, before, connections) => {
    expect(written(new DeletionCosts(), [pod("a", before)], { a: connections }).changes).toEqual([`a=${connections}`]);
  });

  it("are written for one pod every 30 seconds at most, and then with the newest number", () => {
    const costs = new DeletionCosts();
    expect(written(costs, [pod("a")], { a: 10 }, 1_000)).toEqual({ changes: ["a=10"], nextAt: undefined });
    expect(written(costs, [pod("a", "10")], { a: 50 }, 2_000)).toEqual({ changes: [], nextAt: 31_000 });
    expect(written(costs, [pod("a", "10"), pod("b")], { a: 60, b: 1 }, 30_999)).toEqual({
      changes: ["b=1"],
      nextAt: 31_000,
    });
    expect(written(costs, [pod("a", "10")], { a: 70 }, 31_000)).toEqual({ changes: ["a=70"], nextAt: undefined });
  });

  it("stay within an int32", () => {
    expect(written(new DeletionCosts(), [pod("a")], { a: 3_000_000_000 }).changes).toEqual(["a=2147483647"]);
  });
});
