import { describe, expect, it } from "@jest/globals";
import { due } from "./lifetime.ts";

const SECOND = 1000;
const policy = {
  timeouts: { handshake: 0, connect: 0, idle: 60 * SECOND, maxLifetime: 3600 * SECOND },
  keepAlive: { interval: 25 * SECOND, timeout: 8 * SECOND },
};
const fresh = {
  openedAt: 0,
  lastMessageAt: 0,
  lastHeardAt: 0,
  pingedAt: Number.NEGATIVE_INFINITY,
  expiresAt: Number.POSITIVE_INFINITY,
};
const at = (seconds: number) => ({ now: seconds * SECOND, period: SECOND });

/** Runs one sweep a second over a client that never answers and says what was due when. */
function sweepSilentClient(offset: number): { pinged: number; gone: number } {
  let pingedAt = Number.NEGATIVE_INFINITY;
  for (let now = offset; ; now += SECOND) {
    const what = due(policy, { ...fresh, pingedAt }, { now, period: SECOND });
    if (what === "ping") pingedAt = now;
    if (what === "KeepAliveTimeout") return { pinged: pingedAt, gone: now };
  }
}

describe("due", () => {
  it.each([0, 1, 250, 500, 999])("ends a token within a second of its end when sweeps fall %i ms after", (offset) => {
    const expiresAt = 20 * SECOND;
    let now = offset;
    while (due(policy, { ...fresh, expiresAt }, { now, period: SECOND }) !== "TokenExpired") now += SECOND;
    expect(Math.abs(now - expiresAt)).toBeLessThanOrEqual(SECOND / 2);
  });

  it("owes nothing to a connection that is heard", () => {
    expect(due(policy, { ...fresh, lastHeardAt: 30_000, lastMessageAt: 30_000 }, at(40))).toBe("nothing");
  });

  it.each([0, 1, 250, 500, 999])("pings by 25 s and ends by 33 s when sweeps fall %i ms after the second", (offset) => {
    const { pinged, gone } = sweepSilentClient(offset);
    expect(pinged).toBeGreaterThan(24 * SECOND);
    expect(pinged).toBeLessThanOrEqual(25 * SECOND);
    expect(gone - pinged).toBeGreaterThanOrEqual(7.5 * SECOND);
    expect(gone).toBeLessThanOrEqual(33 * SECOND);
  });

  it("takes anything that is heard after the ping as its answer", () => {
    const answered = { ...fresh, pingedAt: 24_500, lastHeardAt: 24_600 };
    expect(due(policy, answered, at(33))).toBe("nothing");
    expect(due(policy, answered, at(49))).toBe("ping");
  });

  it("ends an idle connection although it answers pings", () => {
    expect(due(policy, { ...fresh, lastHeardAt: 59_900 }, at(59))).toBe("nothing");
    expect(due(policy, { ...fresh, lastHeardAt: 59_900 }, at(60))).toBe("IdleTimeout");
  });

  it("ends a busy connection at its greatest age", () => {
    const busy = { ...fresh, lastHeardAt: 3600_000, lastMessageAt: 3600_000 };
    expect(due(policy, busy, at(3600))).toBe("MaxLifetime");
  });

  it("takes 0 as off for each of the three", () => {
    const off = {
      timeouts: { ...policy.timeouts, idle: 0, maxLifetime: 0 },
      keepAlive: { interval: 0, timeout: 8 * SECOND },
    };
    expect(due(off, fresh, at(1_000_000))).toBe("nothing");
  });
});
