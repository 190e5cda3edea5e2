// A clock whose hands a test turns: fits every interface of `now` and `after`.

export interface FakeClock {
  now(): number;
  after(ms: number, callback: () => void): () => void;
  /** Moves on by `ms`, calling what falls due on the way, in order; lets promises settle between two calls. */
  advance(ms: number): Promise<void>;
  /** Timers that wait. */
  pending(): number;
}

export function createFakeClock(startMs = 0): FakeClock {
  let now = startMs;
  const timers = new Set<{ readonly at: number; readonly callback: () => void }>();
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    now: () => now,
    after(ms, callback) {
      const timer = { at: now + ms, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async advance(ms) {
      const end = now + ms;
      await settle();
      for (;;) {
        const due = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        timers.delete(due);
        now = Math.max(now, due.at);
        due.callback();
        await settle();
      }
      now = end;
    },
    pending: () => timers.size,
  };
}
