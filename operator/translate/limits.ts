/** The limits of a route as a gateway works with them: bytes and milliseconds, every burst and action filled in. */
import { DEFAULTS, type Policies } from "../../crds/defaults.ts";
import { parseDuration, parseQuantity, type Quantity } from "../../crds/primitives.ts";
import type { Route } from "../../gateway/snapshot.ts";

type Given = Policies["limits"];
type Limits = Route["limits"];

export function compileLimits(limits: Given): Limits {
  const { connections, handshakes, messages, bytes, maxMessageSize, maxQueuedBytes, onSlowClient } = limits;
  return {
    connections: { ...counts(connections), ...shared(connections), ...shadowed(connections) },
    ...(handshakes === undefined
      ? {}
      : {
          handshakes: {
            ...rates({ total: handshakes.total, perClientIP: handshakes.perClientIP }),
            ...shared(handshakes),
            ...shadowed(handshakes),
          },
        }),
    ...(messages === undefined ? {} : { messages: traffic(messages) }),
    ...(bytes === undefined ? {} : { bytes: traffic(bytes) }),
    maxMessageSize: parseQuantity(maxMessageSize),
    maxQueuedBytes: parseQuantity(maxQueuedBytes),
    onSlowClient,
  };
}

/** Blocks of the limits that all pods of a gateway count together, which they can through its Redis only. */
export function fleetFields({ connections, handshakes, messages, bytes }: Limits): string[] {
  return Object.entries<Scoped | undefined>({ connections, handshakes, messages, bytes })
    .filter(([, block]) => block?.scope === "Fleet")
    .map(([name]) => `limits.${name}`);
}

function counts({ total, perClientIP, perUser }: NonNullable<Given["connections"]> = {}): Limits["connections"] {
  return {
    ...(total === undefined ? {} : { total }),
    ...(perClientIP === undefined ? {} : { perClientIP }),
    ...(perUser === undefined ? {} : { perUser }),
  };
}

interface Scoped {
  readonly scope?: "Pod" | "Fleet" | undefined;
  readonly mode?: "Enforce" | "Report" | undefined;
}

function shared({ scope }: Scoped = {}): { scope?: "Fleet" } {
  return scope === "Fleet" ? { scope } : {};
}

function shadowed({ mode }: Scoped = {}): { mode?: "Report" } {
  return mode === "Report" ? { mode } : {};
}

interface GivenRate {
  readonly rate: Quantity;
  readonly interval: string;
  readonly burst?: Quantity | undefined;
}

function rates<K extends string>(given: Readonly<Record<K, GivenRate | undefined>>) {
  const set = Object.entries<GivenRate | undefined>(given).flatMap(([name, rate]) =>
    rate === undefined ? [] : [[name, compileRate(rate)] as const],
  );
  return Object.fromEntries(set) as Partial<Record<K, ReturnType<typeof compileRate>>>;
}

function compileRate({ rate, interval, burst = rate }: GivenRate) {
  return { rate: parseQuantity(rate), interval: parseDuration(interval), burst: parseQuantity(burst) };
}

/** For messages, `mode: Report` and `onExceeded: Report` are the same. */
function traffic(block: NonNullable<Given["messages"]> | NonNullable<Given["bytes"]>): NonNullable<Limits["messages"]> {
  const { perConnection, perUser, onExceeded = DEFAULTS.onExceeded, mode } = block;
  return {
    ...rates({ perConnection, perUser }),
    onExceeded: mode === "Report" ? "Report" : onExceeded,
    ...shared(block),
  };
}
