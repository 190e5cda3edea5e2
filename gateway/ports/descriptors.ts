/**
 * File descriptors, so that they never run out (P3): a process without a free one cannot even accept a connection to
 * refuse it, nor answer its admin port.
 */
import { readFileSync } from "node:fs";

/** For everything that is no client's: libraries, admin, API, bus and watches. */
const FOR_THE_PROCESS = 64;
/** For clients beyond the budget while they are being told so. */
const FOR_REFUSALS = 64;

/** Descriptors of clients and of the backends' sockets behind them. */
export interface DescriptorBudget {
  /** New handshakes are refused from here on. */
  readonly full: number;
  /** New connections are closed as they come from here on. */
  readonly spent: number;
}

/** The soft limit of open files in the text of `/proc/self/limits`; infinite where there is none. */
export function parseLimit(limits: string): number {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}

/** What a limit of open files leaves for clients; something, so that a gateway under any limit serves somebody. */
export function descriptorBudget(limit: number): DescriptorBudget {
  const spent = Math.max(4, limit - FOR_THE_PROCESS);
  return { full: Math.max(2, spent - FOR_REFUSALS), spent };
}

/** This process's budget, by the limit that holds now. */
export function processBudget(): DescriptorBudget {
  let limits = "";
  try {
    limits = readFileSync("/proc/self/limits", "utf8");
  } catch {
    // Not Linux: no limit is known.
  }
  return descriptorBudget(parseLimit(limits));
}
