/**
 * Asks an HTTP server for something small: one GET within a time and a size, over connections that are kept and few. It
 * follows no redirect: where keys and decisions come from is configuration.
 */
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";

export interface Question {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Milliseconds for everything, waiting for a free connection included. */
  readonly timeout: number;
  /** Bytes of body; a longer one is an error. */
  readonly maxBody: number;
  readonly signal?: AbortSignal;
}

export interface Reply {
  readonly status: number;
  readonly statusText: string;
  /** Names as sent; a byte a character. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

/** Rejects with an Error for people when there is no whole answer; its message holds nothing of the question. */
export type Ask = (question: Question) => Promise<Reply>;

/** Connections to one server; more questions wait for one of them. */
const MAX_SOCKETS = 64;
const AGENT = { keepAlive: true, maxSockets: MAX_SOCKETS, maxFreeSockets: 8 } as const;

/** An `Ask` with connections of its own, and how they are closed. */
export function createAsk(): { readonly ask: Ask; close(): void } {
  const agents = { http: new HttpAgent(AGENT), https: new HttpsAgent(AGENT) };
  return {
    ask: async (question) => {
      try {
        return await once(question, agents);
      } catch (error) {
        // A kept connection may have been closed by the server just now; nothing was answered, so it is asked again.
        if (!(error instanceof StaleConnection)) throw error;
        return await once(question, agents);
      }
    },
    close: () => {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

class StaleConnection extends Error {}

interface Agents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

function once({ url, headers = {}, timeout, maxBody, signal }: Question, agents: Agents): Promise<Reply> {
  const secure = url.startsWith("https:");
  const limit = AbortSignal.timeout(timeout);
  const options = { headers, agent: secure ? agents.https : agents.http };
  const request = secure ? requestHttps(url, options) : requestHttp(url, options);
  const abort = (): void => void request.destroy(new Error(limit.aborted ? `no answer in ${timeout} ms` : "given up"));
  const signals = signal ? AbortSignal.any([limit, signal]) : limit;
  return new Promise<Reply>((resolve, reject) => {
    signals.addEventListener("abort", abort, { once: true });
    request.on("error", (error: NodeJS.ErrnoException) => {
      const stale = request.reusedSocket && error.code === "ECONNRESET" && !signals.aborted;
      reject(stale ? new StaleConnection(error.message) : error);
    });
    request.on("response", (response) => readReply(response, maxBody).then(resolve, reject));
    request.end();
  }).finally(() => {
    signals.removeEventListener("abort", abort);
  });
}

async function readReply(response: IncomingMessage, maxBody: number): Promise<Reply> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBody) throw new Error(`the answer is longer than ${maxBody} bytes`);
    chunks.push(chunk);
  }
  const headers: [string, string][] = [];
  const { rawHeaders, statusCode = 0, statusMessage = "" } = response;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    headers.push([rawHeaders[i] as string, rawHeaders[i + 1] as string]);
  return { status: statusCode, statusText: statusMessage, headers, body: Buffer.concat(chunks) };
}
