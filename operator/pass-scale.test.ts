import { describe, expect, it } from "@jest/globals";
import { lease, makeCluster, putRoute, routeObject, service, slice } from "../test/support/make-cluster.ts";
import type { ClusterStore } from "./cluster.ts";
import { emptyMemory, type PassMemory, type PassResult, pass } from "./pass.ts";

const ROUTES = 10_000;
const CHANGES = 6;
/** Of the work for all of them. In milliseconds it depends on the machine; the benchmark tells those. */
const MOST_SHARE = 1 / 10;
const NOW = Date.parse("2026-01-01T00:00:00Z");

const spec = (index: number) => ({ backendRefs: [{ name: `s${index}`, port: 3000 }] });

function largeCluster(): ClusterStore {
  const routes = Array.from({ length: ROUTES }, (_, index) => routeObject(`r${index}`, spec(index)));
  const cluster = makeCluster(...routes);
  for (let index = 0; index < ROUTES; index++) {
    cluster.services.set(`apps/s${index}`, service(`s${index}`));
    cluster.endpointSlices.set(`apps/s${index}-1`, slice(`s${index}`, ["10.0.0.1", "10.0.0.2"]));
  }
  cluster.leases.set("holdfast/holdfast-public-a", lease("a", { sequence: 1 }, NOW));
  return cluster;
}

interface Done {
  readonly result: PassResult;
  readonly memory: PassMemory;
  readonly cpuMs: number;
}

function passOver(cluster: ClusterStore, memory: PassMemory): Done {
  const before = process.cpuUsage();
  const random = (bytes: number) => Buffer.alloc(bytes, 1);
  const result = pass({ cluster, memory, now: NOW, random, options: { externalNames: "Refuse" } });
  const { user, system } = process.cpuUsage(before);
  for (const { key, entry, status } of result.routeStatuses) cluster.routes.set(key, { ...entry, status });
  for (const { key, entry, status } of result.gatewayStatuses) cluster.gateways.set(key, { ...entry, status });
  const [gateway] = result.gateways;
  if (gateway?.rendered.ok) {
    cluster.indexes.set("holdfast/holdfast-public", gateway.rendered.objects.index);
    // As the watch does: an object that it has already is not another.
    if (!cluster.secrets.has("holdfast/holdfast-public"))
      cluster.secrets.set("holdfast/holdfast-public", gateway.rendered.objects.secret);
  }
  return { result, memory: result.memory, cpuMs: (user + system) / 1000 };
}

function partNames({ gateways }: PassResult): string[] {
  const [gateway] = gateways;
  return gateway?.rendered.ok ? gateway.rendered.objects.parts.map(({ metadata }) => metadata.name) : [];
}

describe(`one change among ${ROUTES} routes`, () => {
  const cluster = largeCluster();
  const first = passOver(cluster, emptyMemory());
  let last = first;
  const changes = Array.from({ length: CHANGES }, (_, index) => {
    const before = new Set(partNames(last.result));
    const key = 97 * index;
    putRoute(cluster, routeObject(`r${key}`, { ...spec(key), protocols: ["v2"] }, { generation: 2 }));
    last = passOver(cluster, last.memory);
    const written = partNames(last.result).filter((name) => !before.has(name));
    return { key, written, statuses: last.result.routeStatuses.map((change) => change.key), cpuMs: last.cpuMs };
  });

  it("rewrites one part and one status", () => {
    for (const { key, written, statuses } of changes) {
      expect(written).toHaveLength(1);
      expect(statuses).toEqual([`apps/r${key}`]);
    }
  });

  it("takes a small part of the work for all of them", () => {
    // The least of several: what the machine does beside it only adds to the others.
    expect(Math.min(...changes.map(({ cpuMs }) => cpuMs))).toBeLessThan(first.cpuMs * MOST_SHARE);
  });
});
