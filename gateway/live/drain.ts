/**
 * The paced end of all connections: clients are told to come back elsewhere, so many a second, and none is cut unless
 * the time runs out (P1).
 */
import { type Clock, wait } from "../clock.ts";
import type { LiveConnection, LiveConnections } from "./live.ts";

/** Milliseconds between two batches. */
const TICK = 100;

export interface DrainOptions {
  readonly live: LiveConnections;
  readonly clock: Clock;
  /** Gives [0, 1). */
  readonly random: () => number;
  readonly plan: DrainPlan;
  /** Ends everything at once when it aborts. */
  readonly hurry: AbortSignal;
}

export interface DrainPlan {
  /** Milliseconds after which what is left is destroyed. */
  readonly timeout: number;
  readonly maxDisconnectsPerSecond: number;
}

/** Fisher-Yates: neighbours in time (one deployment's clients) are not sent away together. */
function shuffled<T>(items: Iterable<T>, random: () => number): T[] {
  const list = [...items];
  for (let last = list.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    const moved = list[other] as T;
    list[other] = list[last] as T;
    list[last] = moved;
  }
  return list;
}

/** The last part of the timeout, in which closing handshakes may finish: everybody left is told at its start. */
export function lastCall({ timeout }: DrainPlan): number {
  return timeout - Math.min(2000, timeout / 5);
}

/** Tells batches of connections to leave, until all are told or the time is up. */
async function tellInBatches(queue: LiveConnection[], { clock, random, plan, hurry }: DrainOptions): Promise<void> {
  const deadline = clock.now() + lastCall(plan);
  const perTick = (plan.maxDisconnectsPerSecond * TICK) / 1000;
  let allowance = 0;
  while (queue.length > 0 && clock.now() < deadline && !hurry.aborted) {
    // Jitter around the tick spreads the reconnects; the mean stays at the allowed rate and never goes over it.
    const pause = TICK * (1 + random() * 0.2);
    allowance += perTick;
    while (allowance >= 1 && queue.length > 0) {
      queue.pop()?.session.close("Draining");
      allowance -= 1;
    }
    await wait(clock, Math.min(pause, deadline - clock.now()), hurry);
  }
}

/** Resolves when no connection is open; says how many had to be cut because the time ran out or `hurry` aborted. */
export async function drainConnections(options: DrainOptions): Promise<{ cut: number }> {
  const { live, clock, plan, hurry } = options;
  const deadline = clock.now() + plan.timeout;
  await tellInBatches(shuffled(live, options.random), options);
  if (!hurry.aborted) {
    await live.closeAll("Draining");
    await Promise.race([live.whenEmpty(), wait(clock, deadline - clock.now(), hurry)]);
  }
  const cut = live.size;
  if (cut > 0) await live.destroyAll("Draining");
  await live.whenEmpty();
  return { cut };
}
