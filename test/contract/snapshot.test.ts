/** What the operator writes is what a gateway reads: both halves of the snapshot contract, held together. */
import { describe, expect, it } from "@jest/globals";
import { Assembler, type Carriers } from "../../gateway/config/assemble.ts";
import type { ClusterStore } from "../../operator/cluster.ts";
import { readIndex, renderSnapshot, snapshotOf } from "../../operator/render/snapshot-objects.ts";
import { translate } from "../../operator/translate/translate.ts";
import { makeCluster, putRoute, routeObject, slice } from "../support/make-cluster.ts";

function write(cluster: ClusterStore, before?: Carriers) {
  const [plan] = translate(cluster, { externalNames: "Refuse" }).plans;
  if (plan === undefined) throw new Error("the gateway is not accepted");
  const rendered = renderSnapshot({
    plan,
    previous: readIndex(before?.index as Parameters<typeof readIndex>[0]),
    secret: before?.secret as Parameters<typeof renderSnapshot>[0]["secret"],
    random: (bytes) => Buffer.alloc(bytes, 1),
  });
  if (!rendered.ok) throw new Error(rendered.message);
  const { objects, index } = rendered;
  const parts = new Map(objects.parts.map((part) => [part.metadata.name, part]));
  // As the API server would give them back.
  const carriers = structuredClone({ index: objects.index, parts, secret: objects.secret });
  return { carriers, snapshot: snapshotOf(plan, index), values: rendered.secretValues };
}

describe("what the operator writes", () => {
  const many = Array.from({ length: 1500 }, (_, index) => routeObject(`r${index}`, { protocols: [`v${index}`] }));

  it("is what a gateway reads", () => {
    const cluster = makeCluster(
      ...many,
      routeObject("keyed", { authentication: { apiKeys: { secretRef: { name: "k" } } } }),
    );
    cluster.secrets.set("apps/k", { metadata: { name: "k", namespace: "apps" }, stringData: { alice: "schlüssel" } });
    const addresses = Array.from({ length: 9000 }, (_, index) => `10.1.${index >> 8}.${index & 255}`);
    cluster.endpointSlices.set("apps/chat-1", slice("chat", addresses));
    const { carriers, snapshot, values } = write(cluster);
    const assembled = new Assembler().assemble(carriers);
    if (assembled.kind !== "candidate") throw new Error(JSON.stringify(assembled));
    const { candidate } = assembled;
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect([...candidate.snapshot.routes].sort(byName)).toEqual([...snapshot.routes].sort(byName));
    expect({ ...candidate.snapshot, routes: [] }).toEqual({ ...snapshot, routes: [] });
    for (const [key, value] of values) expect(candidate.secrets.get(key)).toBe(value);
  });

  it("is never read half: an index waits for its parts and its Secret", () => {
    const cluster = makeCluster(...many);
    const first = write(cluster).carriers;
    putRoute(cluster, routeObject("r7", { protocols: ["changed"] }, { generation: 2 }));
    const second = write(cluster, first).carriers;
    const assembler = new Assembler();
    const read = (carriers: Carriers) => {
      const assembled = assembler.assemble(carriers);
      return assembled.kind === "candidate" ? assembled.candidate.snapshot.sequence : assembled.kind;
    };
    expect(read(first)).toBe(1);
    expect(read({ ...second, parts: first.parts })).toBe("waiting");
    expect(read({ ...first, parts: new Map([...first.parts, ...second.parts]) })).toBe(1);
    expect(read(second)).toBe(2);
  });
});
