/** Answers requests on a client port that are no upgrades, and those that never became whole requests. */
import type { Duplex } from "node:stream";
import type { SnapshotSource } from "../config/source.ts";
import { Attempt, type AttemptTools } from "../handshake/attempt.ts";
import { decidePlain } from "../handshake/decide.ts";
import { type RefusalReason, refuse } from "../refusals.ts";
import { problemAnswer } from "./problem.ts";
import type { PlainEvent } from "./server.ts";

export interface PlainTools extends AttemptTools {
  readonly source: SnapshotSource;
}

const NO_BYTES = Buffer.alloc(0);

/** The connection stays open for a next request: its body, if there is one, is read away by Node within its bounds. */
export function answerPlain(tools: PlainTools, { request, response, port }: PlainEvent): void {
  const remoteAddress = request.socket.remoteAddress ?? "";
  const attempt = new Attempt(tools, { target: request.url ?? "", remoteAddress });
  const loaded = tools.source.current;
  const { method, url, httpVersion, rawHeaders } = request;
  const facts = { method, url, httpVersion, rawHeaders, head: NO_BYTES, remoteAddress, port };
  const refusal = loaded ? decidePlain(facts, loaded, attempt) : refuse("NotReady");
  attempt.answered(refusal);
  const { status, headers, body } = problemAnswer(refusal, tools.random.fraction);
  for (const [name, value] of headers) response.setHeader(name, value);
  response.writeHead(status, { "Content-Length": body.length });
  response.end(body);
}

/** Answers a request that was too slow, too large or no HTTP, and closes. */
export function answerBroken(tools: AttemptTools, reason: RefusalReason, socket: Duplex & { remoteAddress?: string }) {
  const attempt = new Attempt(tools, { target: "", remoteAddress: socket.remoteAddress ?? "" });
  attempt.refused(socket, refuse(reason));
}
