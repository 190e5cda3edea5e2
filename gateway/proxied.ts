/** Opens the session between a client and the backend that was dialled for it: a tunnel, or one whose messages are read. */
import type { Duplex } from "node:stream";
import type { MessagePolicy } from "../policy/messages.ts";
import type { Dialled } from "./backend/dial.ts";
import type { Inspections } from "./inspect/inspection.ts";
import { openInspected } from "./inspect/session.ts";
import type { Meter } from "./limits/meter.ts";
import type { Facts } from "./live/live.ts";
import type { Session, SessionEnd } from "./session.ts";
import { openTunnel } from "./tunnel/tunnel.ts";

export interface ProxiedOptions {
  readonly client: Duplex;
  readonly dialled: Extract<Dialled, { kind: "open" }>;
  readonly facts: Facts;
  readonly meter: Meter | undefined;
  readonly clock: { now(): number };
  readonly inspections: Inspections;
  /** Of a route that reads messages, and whether compression was agreed with the client. */
  readonly inspected: { readonly policy: MessagePolicy; readonly deflatesForClient: boolean } | undefined;
  onEnd(end: SessionEnd): void;
}

const NOTHING = Buffer.alloc(0);

export function openProxied({
  client,
  dialled,
  facts,
  meter,
  clock,
  inspections,
  inspected,
  onEnd,
}: ProxiedOptions): Session {
  const { limits } = facts.route;
  const { socket: backend, head: backendHead, rsv } = dialled;
  const common = { client, backend, clientHead: NOTHING, backendHead, limits, clock, meter, onEnd };
  if (inspected === undefined) return openTunnel({ ...common, rsv });
  const { policy, deflatesForClient } = inspected;
  const session: Session = openInspected({
    ...common,
    deflate: { client: deflatesForClient, backend: rsv !== 0 },
    inspector: inspections.inspector(facts, policy, (frame) => session.push(frame)),
  });
  return session;
}
