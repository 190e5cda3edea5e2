import { describe, expect, it } from "@jest/globals";
import { lease, type PodSays } from "../test/support/make-cluster.ts";
import { readAcknowledgement } from "./cluster.ts";
import type { FleetFacts } from "./fleet/facts.ts";
import { drainage, programmed, readServing } from "./serving.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");
const SILENT = NOW - 6_000;
const FLEET: FleetFacts = {
  desired: 2,
  pods: new Set(),
  unready: new Set(),
  trouble: undefined,
  rollout: undefined,
  addresses: [],
};

interface Setting {
  readonly pods: Readonly<Record<string, Partial<PodSays> & { readonly seen?: number }>>;
  readonly fleet?: FleetFacts;
}

function serving({ pods, fleet }: Setting) {
  const said = Object.entries(pods).flatMap(
    ([pod, { seen = NOW, ...says }]) => readAcknowledgement(lease(pod, { sequence: 1, ...says }, seen)) ?? [],
  );
  return readServing({ pods: said, sequence: 1, blocked: undefined, fleet, now: NOW });
}

describe("a pod that drains", () => {
  it("is missed by nobody, and is said to drain with how many are left", () => {
    const pods = serving({ pods: { a: {}, b: { draining: true, connections: 120 }, c: {} } });
    expect({ unavailable: pods.unavailable, known: pods.known }).toEqual({ unavailable: [], known: 2 });
    expect(programmed(pods, 1, 4).condition.message).toBe("2/2 gateway pods serve generation 4");
    expect(drainage(pods)).toMatchObject([
      { type: "Draining", status: "True", message: "clients are sent to other pods by b (120 connections left)" },
    ]);
  });

  it("does not stand in for one that has still to come", () => {
    const { unavailable, known } = serving({ pods: { a: {}, b: { draining: true } }, fleet: FLEET });
    expect({ unavailable, known }).toEqual({ unavailable: ["1 of 2 pods have not started to report"], known: 2 });
  });

  it("is not waited for when it falls silent: it has said that it goes", () => {
    const pods = serving({ pods: { a: {}, b: { draining: true, seen: SILENT } } });
    expect({ unavailable: pods.unavailable, known: pods.known }).toEqual({ unavailable: [], known: 1 });
    expect(drainage(pods)).toBeUndefined();
  });

  it("is named when there is no other", () => {
    const { condition } = programmed(serving({ pods: { a: { draining: true, connections: 3 } } }), 1, 1);
    expect(condition).toMatchObject({ reason: "NoPods", message: "no gateway pod is ready (a drains)" });
  });

  it("says nothing new to a route when connections go", () => {
    const [before, after] = [120, 119].map((connections) =>
      serving({ pods: { a: {}, b: { draining: true, connections } } }),
    );
    expect(after?.words(1)).toBe(before?.words(1));
  });
});

describe("a pod that starts", () => {
  it("is not waited for while there are as many as there should be: a rollout is no loss", () => {
    const pods = { a: {}, b: {}, new: { ready: false, sequence: 0 } };
    const { unavailable, known } = serving({ pods, fleet: FLEET });
    expect({ unavailable, known }).toEqual({ unavailable: [], known: 2 });
  });

  it("is not ready before Kubernetes leads clients to it", () => {
    const pods = { a: {}, new: {} };
    const early = serving({ pods, fleet: { ...FLEET, unready: new Set(["new"]) } });
    expect(early.unavailable).toEqual(["new is not ready yet"]);
    expect(programmed(early, 1, 7)).toMatchObject({ serving: 1, known: 2 });
    expect(programmed(serving({ pods, fleet: FLEET }), 1, 7)).toMatchObject({ serving: 2, known: 2 });
  });

  it("is not counted in addition when it serves: no route's status changes in a rollout", () => {
    const before = serving({ pods: { a: {}, b: {} }, fleet: FLEET });
    const after = serving({ pods: { a: {}, b: {}, new: {} }, fleet: { ...FLEET, rollout: "1/2 are new" } });
    expect(programmed(after, 1, 7)).toMatchObject({ serving: 2, known: 2 });
    expect(after.words(1)).toBe(before.words(1));
  });

  it("is named while it serves something older than the others", () => {
    const pods = serving({ pods: { a: {}, b: {}, new: { sequence: 0 } }, fleet: FLEET });
    const { condition, serving: count, known } = programmed(pods, 1, 7);
    expect([condition.message, count, known]).toEqual([
      "2/3 gateway pods serve generation 7; waiting for new (sequence 0, needs 1)",
      2,
      3,
    ]);
  });

  it("is waited for while there are too few, and where nobody knows how many there should be", () => {
    const pods = { a: {}, new: { ready: false, sequence: 0 } };
    for (const setting of [{ pods, fleet: FLEET }, { pods }]) {
      const { unavailable, known } = serving(setting);
      expect({ unavailable, known }).toEqual({ unavailable: ["new is not ready yet"], known: 2 });
    }
  });
});
