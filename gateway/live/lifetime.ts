/**
 * What one sweep owes one open connection: a ping, an end, or nothing. Pure.
 */
import type { CloseReason } from "../refusals.ts";
import type { Route } from "../snapshot.ts";

/** Clock times in milliseconds. */
export interface Vitals {
  readonly openedAt: number;
  readonly lastMessageAt: number;
  readonly lastHeardAt: number;
  /** When the last ping was sent; before `lastHeardAt` when it is answered or none was sent. */
  readonly pingedAt: number;
  /** When the token ends, with the tolerated difference of clocks; Infinity where that does not matter. */
  readonly expiresAt: number;
}

export interface Moment {
  readonly now: number;
  /** Milliseconds between two sweeps. */
  readonly period: number;
}

export type Due =
  | "nothing"
  | "ping"
  | Extract<CloseReason, "TokenExpired" | "MaxLifetime" | "IdleTimeout" | "KeepAliveTimeout">;

type Policy = Pick<Route, "timeouts" | "keepAlive">;

/**
 * A ping goes out in the last sweep before `keepAlive.interval` of silence, and the client is given `timeout` from there
 * (to the nearest sweep), so that a vanished client is gone by interval + timeout. Anything heard counts as an answer.
 * A token ends at the nearest sweep too.
 */
export function due({ timeouts, keepAlive }: Policy, vitals: Vitals, { now, period }: Moment): Due {
  if (now + period / 2 >= vitals.expiresAt) return "TokenExpired";
  if (timeouts.maxLifetime > 0 && now - vitals.openedAt >= timeouts.maxLifetime) return "MaxLifetime";
  if (timeouts.idle > 0 && now - vitals.lastMessageAt >= timeouts.idle) return "IdleTimeout";
  if (keepAlive.interval === 0) return "nothing";
  const waitsForAnswer = vitals.pingedAt > vitals.lastHeardAt;
  if (waitsForAnswer) return now - vitals.pingedAt + period / 2 >= keepAlive.timeout ? "KeepAliveTimeout" : "nothing";
  return now - vitals.lastHeardAt + period > keepAlive.interval ? "ping" : "nothing";
}
