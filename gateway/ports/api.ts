/**
 * The API port: sends messages to the clients of a hub, from any gateway process. Paths and content types are those of
 * the Azure Web PubSub data plane, so that its server libraries' requests mean the same here.
 *
 *   POST /api/hubs/{hub}/:send                 to everybody in the hub
 *   POST /api/hubs/{hub}/groups/{group}/:send  to a group
 *
 * 202 says that the message is on its way to every gateway process, not that anybody was there to get it.
 */
import { isUtf8 } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { type IncomingMessage, type RequestListener, type ServerResponse, STATUS_CODES } from "node:http";
import { BusUnavailable } from "../bus/bus.ts";
import type { DataType } from "../hub/envelope.ts";
import type { Hub } from "../hub/hub.ts";

/** Bytes that one message may have. */
export const MAX_BODY = 1024 * 1024;
/** Longest hub or group name, in characters (Azure Web PubSub's own bound for groups). */
const MAX_NAME = 1024;

const CONTENT_TYPES: Readonly<Record<string, DataType>> = {
  "text/plain": "text",
  "application/json": "json",
  "application/octet-stream": "binary",
};

export interface ApiOptions {
  readonly hub: Pick<Hub, "sendToAll" | "sendToGroup">;
  /** The bearer token of now; while undefined, nobody is let in. */
  readonly token: () => string | undefined;
  /** Told of failures that are not the caller's fault. */
  readonly onFailure?: (error: unknown) => void;
}

/** What the caller is answered instead of 202. */
export interface ApiProblem {
  readonly status: 400 | 401 | 404 | 405 | 409 | 413 | 415 | 422 | 500 | 503;
  readonly reason: string;
  readonly detail: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Target {
  readonly hub: string;
  /** Undefined for everybody. */
  readonly group: string | undefined;
}

/** A listener for `http.createServer`; every request gets an answer and none throws. */
export function apiHandler(options: ApiOptions): RequestListener {
  return (request, response) => {
    respond(options, request, response).catch((error) => options.onFailure?.(error));
  };
}

async function respond(options: ApiOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const problem = await serve(options, request);
    if (problem === undefined) response.writeHead(202, { "Content-Length": 0 }).end();
    else answerProblem(response, problem);
  } catch (error) {
    if (request.destroyed && !request.complete) return; // the caller went away in mid-body
    options.onFailure?.(error);
    answerProblem(response, { status: 500, reason: "InternalError", detail: "the gateway failed" });
  }
}

async function serve({ hub, token }: ApiOptions, request: IncomingMessage): Promise<ApiProblem | undefined> {
  if (!authorized(request.headers.authorization, token())) return UNAUTHORIZED;
  const target = parseTarget(request.url ?? "");
  if (target === undefined) return NOT_FOUND;
  if (request.method !== "POST") return METHOD_NOT_ALLOWED;
  const type = dataType(request.headers["content-type"]);
  if (type === undefined) return UNSUPPORTED_MEDIA_TYPE;
  const data = await readBody(request);
  if (data === undefined) return TOO_LARGE;
  const invalid = checkData(type, data);
  if (invalid !== undefined) return { status: 400, reason: "BadRequest", detail: invalid };
  try {
    const { group } = target;
    if (group === undefined) await hub.sendToAll({ hub: target.hub, type, data });
    else await hub.sendToGroup({ hub: target.hub, group, type, data });
    return undefined;
  } catch (error) {
    if (error instanceof BusUnavailable) return unavailable(error);
    throw error;
  }
}

export const UNAUTHORIZED: ApiProblem = {
  status: 401,
  reason: "Unauthenticated",
  detail: "send the gateway's API token as 'Authorization: Bearer <token>'",
  headers: { "WWW-Authenticate": 'Bearer realm="holdfast"' },
};
const NOT_FOUND: ApiProblem = {
  status: 404,
  reason: "NotFound",
  detail: "known are POST /api/hubs/{hub}/:send and POST /api/hubs/{hub}/groups/{group}/:send",
};
const METHOD_NOT_ALLOWED: ApiProblem = {
  status: 405,
  reason: "MethodNotAllowed",
  detail: "a message is sent with POST",
  headers: { Allow: "POST" },
};
const UNSUPPORTED_MEDIA_TYPE: ApiProblem = {
  status: 415,
  reason: "UnsupportedMediaType",
  detail: `Content-Type has to be one of ${Object.keys(CONTENT_TYPES).join(", ")}; text is UTF-8`,
  headers: { "Accept-Post": Object.keys(CONTENT_TYPES).join(", ") },
};
const TOO_LARGE: ApiProblem = {
  status: 413,
  reason: "MessageTooBig",
  detail: `a message has at most ${MAX_BODY} bytes`,
};

function unavailable({ message }: BusUnavailable): ApiProblem {
  return {
    status: 503,
    reason: "BusUnavailable",
    detail: `${message}; clients of this gateway process may have got the message, others have not`,
    headers: { "Retry-After": "1" },
  };
}

/** Compares hashes, so that neither the token's length nor a common beginning shows in the time taken. */
export function authorized(header: string | undefined, token: string | undefined): boolean {
  const [, presented] = /^Bearer +(\S+) *$/i.exec(header ?? "") ?? [];
  if (presented === undefined || token === undefined || token === "") return false;
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(presented), hash(token));
}

const PATH = /^\/api\/hubs\/([^/]+)(?:\/groups\/([^/]+))?\/:send$/;

/** The query is not read: `api-version` and the like change nothing yet. */
function parseTarget(url: string): Target | undefined {
  const [path = ""] = url.split("?", 1);
  const [, hub, group] = PATH.exec(path) ?? [];
  if (hub === undefined) return undefined;
  try {
    const target = { hub: decodeURIComponent(hub), group: group === undefined ? undefined : decodeURIComponent(group) };
    return target.hub.length > MAX_NAME || (target.group ?? "").length > MAX_NAME ? undefined : target;
  } catch {
    return undefined; // a broken percent escape names nothing
  }
}

function dataType(contentType: string | undefined): DataType | undefined {
  const [media = "", ...parameters] = (contentType ?? "").toLowerCase().split(";");
  const charset = parameters
    .map((parameter) => /^\s*charset\s*=\s*"?([^"\s]*)"?\s*$/.exec(parameter)?.[1])
    .find(Boolean);
  if (charset !== undefined && charset !== "utf-8" && charset !== "utf8") return undefined;
  return CONTENT_TYPES[media.trim()];
}

/** Undefined when it is longer than `MAX_BODY`; nothing beyond that is held. */
export async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY) return undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    length += chunk.length;
    if (length > MAX_BODY) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

/** What a client would choke on is refused here: a text message that is not UTF-8 ends a connection with 1007. */
function checkData(type: DataType, data: Buffer): string | undefined {
  if (type === "binary") return undefined;
  if (!isUtf8(data)) return "the body is not UTF-8; send bytes as application/octet-stream";
  if (type === "text") return undefined;
  try {
    JSON.parse(data.toString());
    return undefined;
  } catch (error) {
    return `the body is not JSON: ${error instanceof Error ? error.message : error}`;
  }
}

/** A problem document (RFC 9457). */
export function answerProblem(response: ServerResponse, { status, reason, detail, headers }: ApiProblem): void {
  const document = { type: "about:blank", title: STATUS_CODES[status], status, detail, reason };
  const body = `${JSON.stringify(document)}\n`;
  response.writeHead(status, {
    "Content-Type": "application/problem+json",
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    ...headers,
  });
  response.end(body);
}
