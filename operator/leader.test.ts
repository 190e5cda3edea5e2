import { describe, expect, it } from "@jest/globals";
import { KubeError } from "../kube/error.ts";
import { FencedOff } from "../kube/fence.ts";
import type { KubeObject, Lease } from "../kube/objects.ts";
import { createFakeClock, type FakeClock } from "../test/support/fake-clock.ts";
import { checkTiming, LEADER_TIMING, Leader, type LeaderOptions } from "./leader.ts";

/** The Leases of an API server: one object, guarded by its resourceVersion. */
class LeaseStore {
  lease: Lease | undefined;
  away = false;
  writes = 0;
  #version = 0;

  readonly client: LeaderOptions["client"] = {
    get: async <T extends KubeObject>() => this.#answer(this.lease) as unknown as T,
    create: async <T extends KubeObject>(_target: unknown, object: KubeObject) => {
      this.#reach();
      if (this.lease !== undefined) throw new KubeError(409, "AlreadyExists", "there is one");
      return this.#put(object) as unknown as T;
    },
    replace: async <T extends KubeObject>(_target: unknown, object: KubeObject) => {
      const { metadata } = this.#answer(this.lease);
      if (metadata.resourceVersion !== object.metadata.resourceVersion) throw new KubeError(409, "Conflict", "changed");
      return this.#put(object) as unknown as T;
    },
  };

  #answer(lease: Lease | undefined): Lease {
    this.#reach();
    if (lease === undefined) throw new KubeError(404, "NotFound", "none");
    return lease;
  }

  #reach(): void {
    if (this.away) throw new KubeError(0, "Unreachable", "away");
  }

  #put(object: KubeObject): Lease {
    this.writes++;
    this.lease = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } } as Lease;
    return this.lease;
  }

  /** What `kubectl annotate` does: another version that says the same. */
  touch(): void {
    if (this.lease !== undefined) this.#put(this.lease);
  }
}

interface Contender {
  readonly leader: Leader;
  readonly clock: FakeClock;
  readonly turns: string[];
  readonly holders: string[];
  readonly errors: unknown[];
  /** Ends taking part, in an orderly way. */
  leave(): Promise<void>;
}

/** Its own clock, so that a test can pause one process: its time passes without any of its timers. */
function contend(store: LeaseStore, identity: string, skewMs = 0): Contender {
  const clock = createFakeClock(1_000_000 + skewMs);
  const stop = new AbortController();
  const [turns, holders, errors]: [string[], string[], unknown[]] = [[], [], []];
  const leader = new Leader({
    client: store.client,
    lease: { namespace: "holdfast", name: "holdfast-operator", identity },
    timing: LEADER_TIMING,
    clock,
    monotonic: () => clock.now(),
    random: () => 0.5,
    signal: stop.signal,
    onChange: (state) => turns.push(state),
    onHolder: (holder) => holders.push(holder),
    onError: (error) => errors.push(error),
  });
  const running = leader.run();
  const leave = async () => {
    stop.abort();
    await running;
    await leader.release();
  };
  return { leader, clock, turns, holders, errors, leave };
}

async function advance(contenders: readonly Contender[], ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) for (const { clock } of contenders) await clock.advance(50);
}

const mayWrite = ({ leader }: Contender): boolean => {
  try {
    leader.term().check();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(FencedOff);
    return false;
  }
};

describe("Leader", () => {
  it("leads at once where nobody does, and renews every two seconds", async () => {
    const store = new LeaseStore();
    const a = contend(store, "a");
    await advance([a], 100);
    expect(a.turns).toEqual(["leading"]);
    expect(mayWrite(a)).toBe(true);
    expect(store.lease?.spec).toMatchObject({ holderIdentity: "a", leaseDurationSeconds: 15, leaseTransitions: 0 });
    await advance([a], 60_000);
    expect(a.turns).toEqual(["leading"]);
    expect(store.writes).toBeGreaterThanOrEqual(25);
    expect(store.writes).toBeLessThanOrEqual(31);
    await a.leave();
  });

  it("stands by while another leads, whatever its clock says, and takes over within 20 s of its death", async () => {
    const store = new LeaseStore();
    const a = contend(store, "a");
    await advance([a], 100);
    const b = contend(store, "b", 3_600_000); // an hour ahead: to it, the Lease looks long expired
    await advance([a, b], 40_000);
    expect(b.turns).toEqual([]);
    expect(b.holders).toEqual(["a"]);
    expect(mayWrite(b)).toBe(false);

    await advance([b], 13_000); // a is dead: its clock stands still
    expect(b.turns).toEqual([]);
    await advance([b], 7_000);
    expect(b.turns).toEqual(["leading"]);
    expect(store.lease?.spec).toMatchObject({ holderIdentity: "b", leaseTransitions: 1 });
    await b.leave();
    await a.leave();
  });

  it("writes nothing once the renew deadline has passed, though no timer ran while it was paused", async () => {
    const store = new LeaseStore();
    const a = contend(store, "a");
    const b = contend(store, "b");
    await advance([a, b], 3_000);
    const term = a.leader.term();
    let now = a.clock.now();
    // Paused: time goes on for it too, but nothing of it runs until it asks for the time.
    Object.assign(a.clock, { now: () => now });
    now += 9_000;
    expect(() => term.check()).not.toThrow();
    now += 1_000;
    expect(() => term.check()).toThrow(FencedOff);
    expect(a.leader.leads).toBe(false);
    expect(mayWrite(a)).toBe(false);
    await b.leave();
    await a.leave();
  });

  it("stops before another begins when the API server is away, cuts what is under way, and comes back as a standby", async () => {
    const store = new LeaseStore();
    const a = contend(store, "a");
    await advance([a], 3_000);
    const { signal } = a.leader.term();
    store.away = true;
    await advance([a], 8_000);
    expect([signal.aborted, mayWrite(a)]).toEqual([false, true]);
    await advance([a], 2_100);
    expect([signal.aborted, mayWrite(a)]).toEqual([true, false]);
    expect(a.turns).toEqual(["leading", "standby"]);
    expect(a.errors.length).toBeGreaterThan(0);
    store.away = false;
    await advance([a], 3_000);
    expect(a.turns).toEqual(["leading", "standby", "leading"]);
    expect(signal.aborted).toBe(true); // what began in the first term stays cut
    await a.leave();
  });

  it("outlives a blip of the API server that is shorter than the deadline", async () => {
    const store = new LeaseStore();
    const a = contend(store, "a");
    await advance([a], 3_000);
    store.away = true;
    await advance([a], 6_000);
    store.away = false;
    await advance([a], 20_000);
    expect(a.turns).toEqual(["leading"]);
    await a.leave();
  });

  it("goes on leading when somebody touches or deletes the Lease", async () => {
    const store = new LeaseStore();
    const a = contend(store, "a");
    await advance([a], 3_000);
    store.touch();
    await advance([a], 5_000);
    store.lease = undefined;
    await advance([a], 5_000);
    expect(a.turns).toEqual(["leading"]);
    expect(store.lease).toBeDefined();
    expect(a.errors).toEqual([]);
    await a.leave();
  });

  it("yields to whom it finds in the Lease", async () => {
    const store = new LeaseStore();
    const a = contend(store, "a");
    await advance([a], 3_000);
    if (store.lease !== undefined) store.lease = { ...store.lease, spec: { ...store.lease.spec, holderIdentity: "b" } };
    store.touch();
    await advance([a], 3_000);
    expect(a.turns).toEqual(["leading", "standby"]);
    expect(a.holders).toEqual(["b"]);
    await a.leave();
  });

  it("hands over at once when it leaves, and a process with its identity takes up at once when it crashed", async () => {
    const store = new LeaseStore();
    const a = contend(store, "a");
    await advance([a], 100);
    const b = contend(store, "b");
    await advance([a, b], 3_000);
    await a.leave();
    expect(mayWrite(a)).toBe(false);
    await advance([b], 2_500);
    expect(b.turns).toEqual(["leading"]);
    const again = contend(store, "b");
    await advance([again], 100);
    expect(again.turns).toEqual(["leading"]);
    await again.leave();
    await b.leave();
  });
});

it.each([
  ["renew deadline must be shorter", { leaseMs: 10_000, renewDeadlineMs: 10_000, retryMs: 2_000 }],
  ["renew deadline must be longer", { leaseMs: 15_000, renewDeadlineMs: 2_000, retryMs: 2_000 }],
  ["time between two tries", { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 0 }],
])("refuses a timing: the %s", (message, timing) => {
  expect(() => checkTiming(timing)).toThrow(message);
});
