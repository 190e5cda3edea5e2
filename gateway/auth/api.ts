/**
 * The part of the API port that is about access; it works on any gateway process, whichever holds the connection.
 *
 *   POST /connections/{id}/token  {"token": "<JWT>"}: a newer token for an open connection, so that it outlives the first one.
 *                                 200 {"expiresAt": "<RFC 3339>" | null}
 *   POST /revocations             {"user" | "tokenId" | "connection": "<value>", "until"?: "<RFC 3339>"}: ends its connections
 *                                 with 3003 and, but for a connection, refuses new ones until then. 202
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import { BusUnavailable } from "../bus/bus.ts";
import { type ApiProblem, answerProblem, authorized, readBody, UNAUTHORIZED } from "../ports/api.ts";
import type { Control, RenewalFailure } from "./control.ts";

export interface AccessApiOptions {
  readonly control: Pick<Control, "renew" | "revoke">;
  /** The bearer token of now; while undefined, nobody is let in. */
  readonly token: () => string | undefined;
  /** ms since the epoch. */
  readonly wall: () => number;
  /** Told of failures that are not the caller's fault. */
  readonly onFailure: (error: unknown) => void;
}

interface Success {
  readonly status: 200 | 202;
  readonly document: object;
}

const TOKEN_PATH = /^\/connections\/([^/]{1,256})\/token$/;
/** How long a revocation lasts that names no end, and the longest (ms): tokens should not live longer than the first. */
const DEFAULT_UNTIL = 24 * 3_600_000;
const MAX_UNTIL = 366 * 24 * 3_600_000;

const value = z.string().min(1).max(1024);
const TokenBody = z.strictObject({ token: z.string().min(1).max(16_384) });
const RevocationBody = z
  .strictObject({
    user: value.optional(),
    tokenId: value.optional(),
    connection: value.optional(),
    until: z.iso.datetime({ offset: true }).optional(),
  })
  .refine(
    ({ user, tokenId, connection }) => [user, tokenId, connection].filter((it) => it !== undefined).length === 1,
    {
      message: "set exactly one of user, tokenId or connection",
    },
  );

/** Serves a request and returns true, or returns false for one that is about something else. */
export function accessApi(options: AccessApiOptions): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    const [path = ""] = (request.url ?? "").split("?", 1);
    const [, connection] = TOKEN_PATH.exec(path) ?? [];
    if (connection === undefined && path !== "/revocations") return false;
    respond(options, request, connection)
      .catch((error): Success | ApiProblem => {
        if (error instanceof BusUnavailable) return unavailable(error);
        options.onFailure(error);
        return { status: 500, reason: "InternalError", detail: "the gateway failed" };
      })
      .then((outcome) => answer(response, outcome))
      .catch(options.onFailure);
    return true;
  };
}

async function respond(
  options: AccessApiOptions,
  request: IncomingMessage,
  connection: string | undefined,
): Promise<Success | ApiProblem> {
  if (!authorized(request.headers.authorization, options.token())) return UNAUTHORIZED;
  if (request.method !== "POST") {
    return {
      status: 405,
      reason: "MethodNotAllowed",
      detail: "this is asked for with POST",
      headers: { Allow: "POST" },
    };
  }
  const body = await readBody(request);
  if (body === undefined) return { status: 413, reason: "BadRequest", detail: "the body is too long" };
  const json = parseJson(body);
  return connection === undefined ? revoke(options, json) : renew(options, connection, json);
}

async function renew({ control }: AccessApiOptions, encoded: string, json: unknown): Promise<Success | ApiProblem> {
  const body = TokenBody.safeParse(json);
  if (!body.success) return badRequest(body.error);
  const connection = decode(encoded);
  const renewal = connection === undefined ? NOT_HERE : await control.renew(connection, body.data.token);
  if (!renewal.ok) return RENEWAL_PROBLEMS[renewal.reason] ?? refusedToken(renewal.reason);
  const { expiresAt } = renewal;
  return { status: 200, document: { expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString() } };
}

const NOT_HERE = { ok: false, reason: "NoSuchConnection" } as const;

const RENEWAL_PROBLEMS: Readonly<Partial<Record<RenewalFailure, ApiProblem>>> = {
  NoSuchConnection: {
    status: 404,
    reason: "NoSuchConnection",
    detail: "no connection of this ID is open that came with a token",
  },
  SubjectChanged: {
    status: 409,
    reason: "SubjectChanged",
    detail: "the token is of another issuer or subject than the one that the connection came with",
  },
  KeysUnavailable: {
    status: 503,
    reason: "KeysUnavailable",
    detail: "the keys of the token's issuer cannot be had; the connection goes on with the token before",
    headers: { "Retry-After": "1" },
  },
};

function refusedToken(reason: RenewalFailure): ApiProblem {
  return { status: 422, reason, detail: "the token is not taken; the connection goes on with the one before" };
}

async function revoke({ control, wall }: AccessApiOptions, json: unknown): Promise<Success | ApiProblem> {
  const body = RevocationBody.safeParse(json);
  if (!body.success) return badRequest(body.error);
  const { user, tokenId, connection } = body.data;
  const at = Math.floor(wall());
  const until = body.data.until === undefined ? at + DEFAULT_UNTIL : Math.floor(Date.parse(body.data.until));
  if (until <= at || until > at + MAX_UNTIL) {
    return { status: 400, reason: "BadRequest", detail: "until: must be a time to come, within 366 days" };
  }
  if (connection !== undefined) {
    await control.revoke({ entries: [], connections: [connection] });
    return { status: 202, document: { connection } };
  }
  const kind = user === undefined ? "tokenId" : "user";
  const done = await control.revoke({
    entries: [{ kind, value: user ?? (tokenId as string), at, until }],
    connections: [],
  });
  if (done === "full") return FULL;
  return { status: 202, document: { [kind]: user ?? tokenId, until: new Date(until).toISOString() } };
}

const FULL: ApiProblem = {
  status: 503,
  reason: "TooManyRevocations",
  detail: "as many revocations as can be held are in force; the open connections were ended",
};

function unavailable({ message }: BusUnavailable): ApiProblem {
  return {
    status: 503,
    reason: "BusUnavailable",
    detail: `${message}; a revocation is in force on this gateway process, and on the others when the bus is back`,
    headers: { "Retry-After": "1" },
  };
}

function badRequest({ issues: [issue] }: z.ZodError): ApiProblem {
  const path = issue?.path.join(".");
  return { status: 400, reason: "BadRequest", detail: `${path ? `${path}: ` : ""}${issue?.message ?? "not valid"}` };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}

function decode(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}

function answer(response: ServerResponse, outcome: Success | ApiProblem): void {
  if (!("document" in outcome)) {
    answerProblem(response, outcome);
    return;
  }
  const body = `${JSON.stringify(outcome.document)}\n`;
  response.writeHead(outcome.status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
  });
  response.end(body);
}
