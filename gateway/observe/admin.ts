/**
 * The admin port: is the process alive, should it get new clients, what does it count, who is connected.
 * For operators of the gateway; never to be exposed to clients.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Clock } from "../clock.ts";
import { withoutSignature } from "../handshake/connection-id.ts";
import type { LiveConnection, LiveConnections } from "../live/live.ts";
import type { Metrics } from "./metrics.ts";

export interface Readiness {
  readonly ready: boolean;
  /** Why not; empty when ready. */
  readonly because: readonly string[];
  /** What is wrong although it may be ready: one listener that cannot be served does not take the others away. */
  readonly problems: readonly string[];
}

export interface AdminTools {
  readonly clock: Clock;
  readonly live: LiveConnections;
  readonly metrics: Metrics;
  readonly readiness: () => Readiness;
}

/** Connections that one answer lists when the request names no `limit`, and the most it may name. */
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

type Answer = { readonly status: number; readonly type: string; readonly body: string };

const json = (status: number, value: unknown): Answer => ({
  status,
  type: "application/json",
  body: `${JSON.stringify(value)}\n`,
});

/** One live connection, with nothing in it that would let a reader resume it. */
function describe({ facts, session, openedAt, principal }: LiveConnection, now: number) {
  return {
    id: withoutSignature(facts.connectionId),
    route: facts.routeName,
    ...facts.caller,
    principal: principal.user,
    endpoint: facts.endpoint,
    protocol: facts.protocol,
    seconds: Math.round(now - openedAt) / 1000,
    idleSeconds: Math.round(now - session.lastMessageAt) / 1000,
    silentSeconds: Math.round(now - session.lastHeardAt) / 1000,
    fromClient: { ...session.fromClient },
    toClient: { ...session.toClient },
    queuedBytes: session.queuedBytes,
  };
}

function listConnections({ live, clock }: AdminTools, query: URLSearchParams): Answer {
  const limit = Number(query.get("limit") ?? DEFAULT_LIMIT);
  if (!Number.isInteger(limit) || limit < 0 || limit > MAX_LIMIT) {
    return json(400, { error: `limit must be a whole number from 0 to ${MAX_LIMIT}` });
  }
  const route = query.get("route");
  const connections = [];
  for (const connection of live) {
    if (connections.length >= limit) break;
    if (route === null || connection.facts.routeName === route) connections.push(describe(connection, clock.now()));
  }
  return json(200, { total: live.size, connections });
}

async function answer(tools: AdminTools, { pathname, searchParams }: URL): Promise<Answer> {
  switch (pathname) {
    case "/healthz":
      return json(200, { status: "ok" });
    case "/readyz": {
      const readiness = tools.readiness();
      return json(readiness.ready ? 200 : 503, readiness);
    }
    case "/metrics": {
      tools.live.flush();
      const { registry } = tools.metrics;
      return { status: 200, type: registry.contentType, body: await registry.metrics() };
    }
    case "/connections":
      return listConnections(tools, searchParams);
    default:
      return json(404, { error: "try /healthz, /readyz, /metrics or /connections" });
  }
}

async function serve(tools: AdminTools, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const base = "http://admin";
  const known = request.method === "GET" || request.method === "HEAD";
  const path = request.url ?? "";
  const result = !known
    ? json(405, { error: "the admin port is read with GET" })
    : URL.canParse(path, base)
      ? await answer(tools, new URL(path, base))
      : json(400, { error: "the request target is not a path" });
  if (!known) response.setHeader("Allow", "GET, HEAD");
  response.writeHead(result.status, { "Content-Type": result.type, "Cache-Control": "no-store" });
  response.end(result.body);
}

/** The admin server, not listening yet. */
export function createAdminServer(tools: AdminTools): Server {
  return createServer((request, response) => {
    serve(tools, request, response).catch(() => {
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
}
