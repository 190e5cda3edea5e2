import { beforeEach, describe, expect, it } from "@jest/globals";
import { type ClusterStore, createClusterStore } from "./cluster.ts";
import { Collector } from "./collect.ts";
import type { KubernetesObject } from "./objects.ts";

let store: ClusterStore;
let parts: Map<string, KubernetesObject>;
let collector: Collector;

const part = (name: string) => ({ metadata: { name, namespace: "gw" } });
function indexNames(...names: string[]): void {
  const references = names.map((object) => ({ kind: "routes", object, hash: "0".repeat(64) }));
  const index = {
    metadata: { name: "holdfast-public", namespace: "gw" },
    data: { "index.json": JSON.stringify({ parts: references }) },
  };
  store.indexes.set("gw/holdfast-public", index);
}
const leftAt = (now: number) => {
  const { parts: due, nextAt } = collector.leftovers(store, parts, now);
  return { due: due.map(({ metadata }) => metadata.name), nextAt };
};

beforeEach(() => {
  store = createClusterStore();
  parts = new Map(["a", "b"].map((name) => [`gw/${name}`, part(name)]));
  collector = new Collector();
});

describe("parts", () => {
  it("stay while an index names them", () => {
    indexNames("a", "b");
    expect(leftAt(0)).toEqual({ due: [], nextAt: undefined });
    expect(leftAt(1_000_000)).toEqual({ due: [], nextAt: undefined });
  });

  it("go a minute after the index let go of them", () => {
    indexNames("a", "b");
    leftAt(0);
    indexNames("a");
    expect(leftAt(5_000)).toEqual({ due: [], nextAt: 65_000 });
    expect(leftAt(64_999)).toEqual({ due: [], nextAt: 65_000 });
    expect(leftAt(65_000)).toEqual({ due: ["b"], nextAt: undefined });
  });

  it("get a whole minute again when they were in use in between", () => {
    indexNames("a");
    leftAt(0);
    indexNames("a", "b");
    leftAt(30_000);
    indexNames("a");
    expect(leftAt(70_000)).toEqual({ due: [], nextAt: 130_000 });
  });
});

it("Leases go ten minutes after they have expired", () => {
  const lease = {
    metadata: { name: "holdfast-public-a", namespace: "gw", labels: { "holdfast.dev/gateway": "public" } },
    spec: { leaseDurationSeconds: 6 },
  };
  store.leases.set("gw/holdfast-public-a", { lease, observedAt: 0 });
  expect(collector.leftovers(store, parts, 605_999).leases).toEqual([]);
  expect(collector.leftovers(store, parts, 606_000).leases).toEqual([lease]);
});
