/** An inspected connection: the tunnel's ends and rules, with lanes between them that read every message. */
import type { Duplex } from "node:stream";
import type { Meter } from "../limits/meter.ts";
import type { Session, SessionEnd } from "../session.ts";
import type { Route } from "../snapshot.ts";
import { openTunnel } from "../tunnel/tunnel.ts";
import type { Inspector } from "./inspector.ts";
import { InspectedLane } from "./lane.ts";

export interface InspectedOptions {
  /** Both sockets have to allow half-open; from here on they belong to the session. */
  readonly client: Duplex;
  readonly backend: Duplex;
  readonly clientHead: Buffer;
  readonly backendHead: Buffer;
  readonly limits: Pick<Route["limits"], "maxMessageSize" | "maxQueuedBytes" | "onSlowClient">;
  /** Whether permessage-deflate was agreed with each side. */
  readonly deflate: { readonly client: boolean; readonly backend: boolean };
  readonly inspector: Inspector;
  readonly meter?: Meter | undefined;
  readonly clock: { now(): number };
  readonly closeWithin?: number;
  onEnd(end: SessionEnd): void;
}

const RSV1 = 0x40;

export function openInspected(options: InspectedOptions): Session {
  const { client, backend, limits, deflate, inspector, meter, ...rest } = options;
  const { maxMessageSize } = limits;
  const cost = (): number => inspector.cost;
  const up = new InspectedLane({
    from: client,
    to: backend,
    rules: { masked: true, rsv: deflate.client ? RSV1 : 0, maxMessageSize },
    meter,
    output: { deflates: deflate.backend, isMasked: true },
    stopAt: 0,
    reads: inspector.readsFromClient(),
    decide: (kind, text) => inspector.fromClient(kind, text),
    cost,
  });
  const down = new InspectedLane({
    from: backend,
    to: client,
    rules: { masked: false, rsv: deflate.backend ? RSV1 : 0, maxMessageSize },
    output: { deflates: deflate.client, isMasked: false },
    // A slow client is closed when more than this waits, so that much has to be let through.
    stopAt: limits.onSlowClient === "Close" ? limits.maxQueuedBytes + 1 : 0,
    reads: inspector.readsToClient(),
    decide: (kind, text) => inspector.toClient(kind, text),
    cost,
  });
  return openTunnel({ client, backend, limits, rsv: 0, lanes: { up, down }, ...rest });
}
