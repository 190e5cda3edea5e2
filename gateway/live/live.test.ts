import { describe, expect, it } from "@jest/globals";
import { createFakeClock } from "../../test/support/fake-clock.ts";
import { makeRoute } from "../../test/support/make-route.ts";
import { ANONYMOUS } from "../auth/principal.ts";
import { createLog } from "../observe/log.ts";
import { Metrics } from "../observe/metrics.ts";
import type { CloseReason } from "../refusals.ts";
import type { Session, SessionEnd } from "../session.ts";
import { drainConnections } from "./drain.ts";
import { type Facts, LiveConnections } from "./live.ts";

const facts: Facts = {
  route: makeRoute(),
  routeName: "apps/chat",
  caller: { listener: "ws", clientIP: "192.0.2.1", host: "chat.example.com", target: "/", userAgent: undefined },
  connectionId: "a~b.c",
  endpoint: undefined,
  protocol: undefined,
  principal: ANONYMOUS,
};

/** A session without sockets: it ends as soon as it is asked to. */
class InstantSession implements Session {
  readonly fromClient = { messages: 0, bytes: 0 };
  readonly toClient = { messages: 0, bytes: 0 };
  readonly queuedBytes = 0;
  lastMessageAt = 0;
  lastHeardAt = 0;
  pings = 0;
  onEnd: (end: SessionEnd) => void = () => undefined;
  onPing: () => void = () => undefined;
  ping(): void {
    this.pings += 1;
    this.onPing();
  }
  push(): boolean {
    return true;
  }
  close(reason: CloseReason): void {
    this.onEnd({ reason, code: 1012 });
  }
  destroy(reason: CloseReason): void {
    this.onEnd({ reason, code: 1006 });
  }
}

function setUp(count: number) {
  const clock = createFakeClock();
  const metrics = new Metrics();
  const live = new LiveConnections({ clock, metrics, log: createLog({ level: "silent" }) });
  const ends: { at: number; end: SessionEnd }[] = [];
  const sessions = Array.from({ length: count }, () => {
    const session = new InstantSession();
    const connection = live.add(facts, session);
    session.onEnd = (end) => {
      ends.push({ at: clock.now(), end });
      live.end(connection, end);
    };
    return session;
  });
  return { clock, live, metrics, sessions, ends };
}

const seriesOf = async (metrics: Metrics, name: string): Promise<string[]> =>
  (await metrics.registry.metrics()).split("\n").filter((line) => line.startsWith(`${name}{`));

describe("the sweep", () => {
  it("lets the event loop go on while it looks at many connections", async () => {
    const { clock, live, sessions } = setUp(2000);
    for (const session of sessions) {
      session.onPing = () => {
        const until = performance.now() + 0.1;
        while (performance.now() < until);
      };
    }
    await clock.advance(24_500);
    let turns = 0;
    let sweeping = true;
    const turn = (): void => {
      turns += 1;
      if (sweeping) setImmediate(turn);
    };
    setImmediate(turn);
    await live.sweep();
    sweeping = false;
    expect(sessions.every(({ pings }) => pings === 1)).toBe(true);
    // 200 ms of work in slices of about 5 ms; a machine that is busy makes fewer slices, not one.
    expect(turns).toBeGreaterThan(8);
  });

  it("hands each message to the metrics once, by sweep and by end", async () => {
    const { live, metrics, sessions } = setUp(2);
    const [one, two] = sessions;
    one!.fromClient.messages = 3;
    await live.sweep();
    one!.fromClient.messages = 5;
    two!.toClient.messages = 7;
    await live.sweep();
    one!.fromClient.messages = 6;
    one!.close("Closed");
    live.flush();
    expect(await seriesOf(metrics, "holdfast_messages_total")).toEqual([
      'holdfast_messages_total{route="apps/chat",direction="from_client"} 6',
      'holdfast_messages_total{route="apps/chat",direction="to_client"} 7',
    ]);
  });

  it("counts an end once, however often it is told", async () => {
    const { metrics, live, sessions } = setUp(1);
    sessions[0]!.close("Draining");
    sessions[0]!.destroy("Draining");
    expect(live.size).toBe(0);
    expect(await seriesOf(metrics, "holdfast_closes_total")).toEqual([
      'holdfast_closes_total{route="apps/chat",code="1012",reason="Draining",side="gateway"} 1',
    ]);
  });
});

describe("drainConnections", () => {
  const never = new AbortController().signal;

  it("never sends more away in a second than are allowed, and spreads them within it", async () => {
    const { clock, live, ends } = setUp(300);
    const plan = { timeout: 60_000, maxDisconnectsPerSecond: 50 };
    const done = drainConnections({ live, clock, random: Math.random, plan, hurry: never });
    await clock.advance(60_000);
    expect(await done).toEqual({ cut: 0 });
    const most = Math.max(...ends.map(({ at }) => ends.filter((end) => end.at >= at && end.at < at + 1000).length));
    expect(most).toBeLessThanOrEqual(50);
    const last = ends.at(-1)?.at ?? 0;
    expect(last).toBeGreaterThanOrEqual(5500);
    expect(last).toBeLessThan(8000);
    expect(new Set(ends.map(({ at }) => at)).size).toBeGreaterThan(40);
  });

  it("takes less than one a tick", async () => {
    const { clock, live, ends } = setUp(3);
    const plan = { timeout: 60_000, maxDisconnectsPerSecond: 1 };
    const done = drainConnections({ live, clock, random: () => 0, plan, hurry: never });
    await clock.advance(5000);
    expect(await done).toEqual({ cut: 0 });
    const [first, second, third] = ends.map(({ at }) => at) as [number, number, number];
    expect(second - first).toBeGreaterThanOrEqual(999);
    expect(third - second).toBeGreaterThanOrEqual(999);
  });

  it("tells everybody who is left before the time is up", async () => {
    const { clock, live, ends } = setUp(100);
    const plan = { timeout: 10_000, maxDisconnectsPerSecond: 1 };
    const done = drainConnections({ live, clock, random: Math.random, plan, hurry: never });
    await clock.advance(10_000);
    expect(await done).toEqual({ cut: 0 });
    expect(ends.every(({ end }) => end.code === 1012)).toBe(true);
    expect(ends.at(-1)?.at).toBeLessThan(10_000);
  });

  it("cuts who does not leave when the time is up, or at once when it has to hurry", async () => {
    const stuck = setUp(2);
    for (const session of stuck.sessions) session.close = () => undefined;
    const plan = { timeout: 10_000, maxDisconnectsPerSecond: 100 };
    const tools = { live: stuck.live, clock: stuck.clock, random: Math.random, plan };
    const done = drainConnections({ ...tools, hurry: never });
    await stuck.clock.advance(9900);
    expect(stuck.live.size).toBe(2);
    await stuck.clock.advance(200);
    expect(await done).toEqual({ cut: 2 });

    const hurried = setUp(50);
    const hurry = new AbortController();
    const slow = { timeout: 60_000, maxDisconnectsPerSecond: 1 };
    const ended = drainConnections({ ...hurried, random: Math.random, plan: slow, hurry: hurry.signal });
    await hurried.clock.advance(1500);
    hurry.abort();
    expect((await ended).cut).toBeGreaterThan(45);
  });
});
