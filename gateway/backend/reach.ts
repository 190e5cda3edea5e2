/** Picks an endpoint for an admitted handshake and dials it, and another one where the first could not even be sent the request (C5). */
import type { ConnectionId } from "../handshake/connection-id.ts";
import type { Plan } from "../handshake/decide.ts";
import { agreedByBackend, BACKEND_OFFER } from "../inspect/deflate.ts";
import type { Random } from "../random.ts";
import { type Refusal, refuse } from "../refusals.ts";
import type { Endpoint, Route } from "../snapshot.ts";
import { type Cursor, endpointKey, hashKeyOf, newCursor, pickEndpoint } from "./balance.ts";
import { type Dialled, dial } from "./dial.ts";
import { upstreamHead } from "./headers.ts";
import type { EndpointLoads } from "./loads.ts";

/** How often a handshake is tried: on another endpoint once, when the first one was not sent anything. */
const MAX_TRIES = 2;

export interface ReachTools {
  readonly loads: EndpointLoads;
  readonly random: Random;
}

/** An endpoint that has answered; whoever gets it releases it. */
export interface Reached {
  readonly dialled: Exclude<Dialled, { kind: "failed" }>;
  readonly endpoint: Endpoint;
  readonly release: () => void;
}

export interface Dialling {
  /** How the client has come. */
  readonly scheme: "ws" | "wss";
  readonly signal: AbortSignal;
}

export class BackendReach {
  readonly #tools: ReachTools;
  /** Round-robin positions by route name; they outlive snapshots. */
  readonly #cursors = new Map<string, Cursor>();

  constructor(tools: ReachTools) {
    this.#tools = tools;
  }

  async reach(plan: Plan, id: ConnectionId, { scheme, signal }: Dialling): Promise<Reached | Refusal> {
    const { route, client, admission, loaded, principal } = plan;
    const handshake = forBackend(plan);
    const { loads, random } = this.#tools;
    const head = headFor(plan, id, scheme);
    const { affinity } = id;
    const key = hashKeyOf(handshake, route, { clientIP: client.ip, affinity, claims: principal.claims });
    const exclude = new Set<string>();
    let failure = refuse("NoEndpoints");
    while (exclude.size < MAX_TRIES) {
      const { endpoints } = loaded.snapshot;
      const cursor = this.#cursor(route);
      const picked = pickEndpoint({ route, endpoints, key, loads: loads.of, exclude, random: random.fraction, cursor });
      if (!picked) return failure;
      const { endpoint } = picked;
      const release = loads.take(endpoint);
      const offered = { protocols: admission.offered, extensions: handshake.extensions };
      const answer = await dial({ endpoint, head, key: handshake.key, offered, timeouts: route.timeouts, signal });
      const dialled = route.messages === undefined ? answer : withAgreedDeflate(answer);
      if (dialled.kind !== "failed") return { dialled, endpoint, release };
      release();
      failure = refuse(dialled.reason);
      if (dialled.sent || signal.aborted) return failure;
      exclude.add(endpointKey(endpoint));
    }
    return failure;
  }

  /** Forgets what was kept for routes that are gone. */
  retain(exists: (route: string) => boolean): void {
    for (const route of this.#cursors.keys()) if (!exists(route)) this.#cursors.delete(route);
  }

  #cursor({ namespace, name }: Route): Cursor {
    const key = `${namespace}/${name}`;
    let cursor = this.#cursors.get(key);
    if (!cursor) {
      cursor = newCursor();
      this.#cursors.set(key, cursor);
    }
    return cursor;
  }
}

/** Gives back what was reached for somebody who does not want it any more. */
export function abandon({ dialled, release }: Reached): void {
  release();
  if (dialled.kind === "open") dialled.socket.destroy();
}

function headFor(plan: Plan, { id }: ConnectionId, scheme: Dialling["scheme"]): ReturnType<typeof upstreamHead> {
  const { route, match, client, principal, admission } = plan;
  const handshake = forBackend(plan);
  return upstreamHead({
    handshake,
    route,
    match,
    client,
    principal,
    connectionId: id,
    scheme,
    protocols: admission.offered,
  });
}

/** Messages that are read are compressed on each side for itself, so the backend gets the gateway's own offer. */
function forBackend({ route, handshake }: Plan): Plan["handshake"] {
  return route.messages === undefined ? handshake : { ...handshake, extensions: BACKEND_OFFER };
}

function withAgreedDeflate(dialled: Dialled): Dialled {
  if (dialled.kind !== "open" || agreedByBackend(dialled.extensions) !== undefined) return dialled;
  dialled.socket.destroy();
  return { kind: "failed", reason: "BackendBadHandshake", sent: true };
}
