/**
 * Which ports a gateway opens, and which listener or certificate a client means. Pure.
 */
import type { Listener } from "../snapshot.ts";

/** Listeners that share one port, told apart by host. */
export interface PortGroup {
  /** The same for as long as the port need not be closed and opened again. */
  readonly id: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly protocol: Listener["protocol"];
  readonly listeners: readonly Listener[];
}

export interface PortPlan {
  readonly groups: readonly PortGroup[];
  /** Listeners whose port another listener already uses with another protocol. */
  readonly conflicts: readonly Listener[];
}

/** Groups listeners by port, in their own order. A listener on port 0 has a port to itself. */
export function planPorts(listeners: readonly Listener[], portOf: (listener: Listener) => number): PortPlan {
  const groups = new Map<string, PortGroup & { listeners: Listener[] }>();
  const conflicts: Listener[] = [];
  for (const listener of listeners) {
    const port = portOf(listener);
    const key = port === 0 ? `any for ${listener.name}` : String(port);
    const group = groups.get(key);
    if (!group) {
      groups.set(key, { id: `${key}/${listener.protocol}`, port, protocol: listener.protocol, listeners: [listener] });
    } else if (group.protocol === listener.protocol) {
      group.listeners.push(listener);
    } else {
      conflicts.push(listener);
    }
  }
  return { groups: [...groups.values()], conflicts };
}

/** How well a hostname pattern fits: the length of what it fixes, exact names before wildcards; -1 when it does not. */
function specificity(pattern: string | undefined, host: string): number {
  if (pattern === undefined) return 0;
  if (pattern === host) return Number.MAX_SAFE_INTEGER;
  if (!pattern.startsWith("*.")) return -1;
  const suffix = pattern.slice(1);
  return host.length > suffix.length && host.endsWith(suffix) ? suffix.length : -1;
}

/** The entry whose pattern fits best; the earlier one among equals. */
function bestFit<T>(entries: readonly T[], patternsOf: (entry: T) => readonly (string | undefined)[], host: string) {
  let best: T | undefined;
  let bestScore = -1;
  for (const entry of entries) {
    const score = Math.max(...patternsOf(entry).map((pattern) => specificity(pattern, host)));
    if (score <= bestScore) continue;
    best = entry;
    bestScore = score;
  }
  return best;
}

/** The listener that a request to `host` (lower case, no port) is for: the most specific hostname wins. */
export function listenerFor(group: PortGroup, host: string): Listener | undefined {
  return bestFit(group.listeners, ({ hostname }) => [hostname], host);
}

/** The certificate for a server name (RFC 6066 §3); the first one when the client names none or none fits. */
export function certificateFor<T extends { readonly hostnames: readonly string[] }>(
  certificates: readonly T[],
  serverName: string,
): T | undefined {
  const named = certificates.filter(({ hostnames }) => hostnames.length > 0);
  return bestFit(named, ({ hostnames }) => hostnames, serverName.toLowerCase()) ?? certificates[0];
}
