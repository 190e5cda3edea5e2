// One HTTP exchange with the API server: connections kept alive, credentials renewed, never more than that.
import http, { type ClientRequest, type IncomingMessage } from "node:http";
import https, { type RequestOptions } from "node:https";
import { TLSSocket } from "node:tls";
import type { CredentialSource, Credentials } from "./credentials.ts";
import { KubeError } from "./error.ts";
import { FencedOff } from "./fence.ts";

export interface Exchange {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly signal: AbortSignal;
  /** Called right before the request's first byte leaves, each time that it is tried; what it throws ends the exchange. */
  readonly beforeSending?: () => void;
}

export interface Transport {
  /**
   * Resolves with the response once its headers are there, whatever the status says.
   * @throws KubeError `Unreachable` when there is no answer.
   */
  send(exchange: Exchange): Promise<IncomingMessage>;
  /** Ends idle connections and refuses to keep more. */
  close(): void;
}

const USER_AGENT = "holdfast";
/** Dead peers are noticed by the kernel too, beside the silence detector of a watch. */
const TCP_KEEP_ALIVE_MS = 15_000;

export function createTransport(source: CredentialSource): Transport {
  const secure = source.server.protocol === "https:";
  const options = { keepAlive: true, keepAliveMsecs: TCP_KEEP_ALIVE_MS };
  const agent = secure ? new https.Agent(options) : new http.Agent(options);
  const base = source.server.pathname.replace(/\/$/, "");

  const once = async (exchange: Exchange): Promise<IncomingMessage> => {
    const request = requestOptions(exchange, await source.credentials());
    return start(
      secure ? https : http,
      {
        agent,
        ...request,
        host: source.server.hostname.replace(/^\[|\]$/g, ""),
        port: source.server.port || (secure ? 443 : 80),
        path: `${base}${exchange.path}`,
      },
      exchange,
    );
  };

  return {
    async send(exchange) {
      const response = await onceMoreAfterStaleConnection(exchange, once);
      if (response.statusCode !== 401) return response;
      response.resume();
      source.reload();
      return once(exchange);
    },
    close: () => agent.destroy(),
  };
}

function requestOptions(exchange: Exchange, { headers, tls, agent }: Credentials): RequestOptions {
  const body = exchange.body === undefined ? undefined : Buffer.byteLength(exchange.body);
  return {
    ...tls,
    ...(agent === undefined ? {} : { agent }),
    method: exchange.method,
    signal: exchange.signal,
    headers: {
      ...headers,
      "user-agent": USER_AGENT,
      accept: "application/json",
      ...(body === undefined
        ? {}
        : { "content-length": body, "content-type": exchange.contentType ?? "application/json" }),
    },
  };
}

/** What a failed exchange knows: whether the server had closed an idle connection just as we used it again. */
class StaleConnection extends Error {}

async function onceMoreAfterStaleConnection(
  exchange: Exchange,
  once: (exchange: Exchange) => Promise<IncomingMessage>,
): Promise<IncomingMessage> {
  try {
    return await once(exchange);
  } catch (error) {
    if (!(error instanceof StaleConnection) || exchange.method === "POST") throw toKubeError(error);
    return await once(exchange).catch((second) => {
      throw toKubeError(second);
    });
  }
}

function start(
  module: typeof http | typeof https,
  options: RequestOptions,
  exchange: Exchange,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = module.request(options, resolve);
    request.on("error", (error: NodeJS.ErrnoException) => {
      const stale = request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
      reject(stale ? new StaleConnection(error.message, { cause: error }) : error);
    });
    const { beforeSending, body } = exchange;
    if (beforeSending === undefined) request.end(body);
    else onceConnected(request, () => sendUnless(beforeSending, request, body));
  });
}

/** What is written to a connection that is still being made would leave by itself, however long that takes. */
function onceConnected(request: ClientRequest, send: () => void): void {
  request.once("socket", (socket) => {
    if (!socket.connecting) send();
    else socket.once(socket instanceof TLSSocket ? "secureConnect" : "connect", send);
  });
}

function sendUnless(mayNot: () => void, request: ClientRequest, body: string | undefined): void {
  try {
    mayNot();
  } catch (error) {
    request.destroy(error as Error);
    return;
  }
  request.end(body);
}

function toKubeError(error: unknown): Error {
  if (error instanceof KubeError || error instanceof FencedOff) return error;
  const { name, message, code } = error as NodeJS.ErrnoException;
  if (name === "AbortError") return error as Error;
  return new KubeError(0, "Unreachable", `the API server does not answer: ${message || code || name}`, {
    cause: error,
  });
}
