/** A thin typed layer over the Kubernetes API: JSON in, JSON out, errors as `KubeError`. It decides nothing. */
import type { IncomingMessage } from "node:http";
import { type KubeConfigSource, loadCredentials } from "./credentials.ts";
import { errorFromStatus, KubeError } from "./error.ts";
import { FencedOff, type WriteFence, type WriteTerm } from "./fence.ts";
import type { KubeList, KubeObject, Status, WatchEvent } from "./objects.ts";
import { pathOf, type Target } from "./resources.ts";
import { createTransport, type Exchange, type Transport } from "./transport.ts";
import { WatchDecoder } from "./watch-stream.ts";

export const FIELD_MANAGER = "holdfast";

export interface Selectors {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface ListOptions extends Selectors {
  readonly limit?: number;
  /** Token of the page before. */
  readonly continue?: string;
}

export interface WatchOptions extends Selectors {
  readonly resourceVersion: string;
  readonly timeoutSeconds: number;
}

export interface ApplyOptions {
  readonly fieldManager?: string;
  /** Fields that another manager set: take them over, or fail with 409. Default `fail`. */
  readonly conflicts?: "force" | "fail";
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Every method throws `KubeError`, or an AbortError when its signal aborts; a fenced client's writes also `FencedOff`. */
export interface KubeClient {
  /** The namespace of the kubeconfig's context, or of the pod. */
  readonly namespace: string | undefined;
  get<T extends KubeObject>(target: Target, options?: CallOptions): Promise<T>;
  /** One page. */
  list<T extends KubeObject>(target: Target, options?: ListOptions & CallOptions): Promise<KubeList<T>>;
  /** Resolves when the server has accepted the watch. The events end with the watch; a cut connection throws. */
  watch(target: Target, options: WatchOptions & { readonly signal: AbortSignal }): Promise<AsyncIterable<WatchEvent>>;
  create<T extends KubeObject>(target: Target, object: KubeObject, options?: CallOptions): Promise<T>;
  /** Server-side apply: creates or changes exactly the fields in `object`. */
  apply<T extends KubeObject>(target: Target, object: KubeObject, options?: ApplyOptions & CallOptions): Promise<T>;
  /** Replaces the object; with `metadata.resourceVersion`, only while it is that version (else 409). */
  replace<T extends KubeObject>(target: Target, object: KubeObject, options?: CallOptions): Promise<T>;
  /** JSON merge patch (RFC 7396). */
  merge<T extends KubeObject>(target: Target, patch: object, options?: CallOptions): Promise<T>;
  /** Writes the whole status of an object by server-side apply; a status field that is left out is removed. */
  patchStatus<T extends KubeObject>(target: Target, object: KubeObject, options?: CallOptions): Promise<T>;
  /** Resolves also when the object is gone already. With `uid`, only that very object is deleted. */
  delete(target: Target, options?: { readonly uid?: string | undefined } & CallOptions): Promise<void>;
  /** The same client, but what changes something is only sent while the fence lets it. */
  fenced(fence: WriteFence): KubeClient;
  close(): void;
}

const REQUEST_TIMEOUT_MS = 15_000;
const LIST_TIMEOUT_MS = 60_000;
const WATCH_ACCEPT_TIMEOUT_MS = 30_000;

/** @throws Error when the kubeconfig cannot be used. */
export function createKubeClient(source: KubeConfigSource = {}): KubeClient {
  const credentials = loadCredentials(source);
  return clientOver(createTransport(credentials), credentials.namespace);
}

type Call = Omit<Exchange, "path" | "signal"> & {
  readonly target: Target;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
};

function clientOver(transport: Transport, namespace: string | undefined, fence?: WriteFence): KubeClient {
  const call = <T>(request: Call) =>
    fence === undefined || request.method === "GET"
      ? callJson<T>(transport, request)
      : withinTerm(fence.term(), request.signal, (bounds) => callJson<T>(transport, { ...request, ...bounds }));
  const apply: KubeClient["apply"] = (target, object, { fieldManager = FIELD_MANAGER, conflicts, signal } = {}) =>
    call({
      method: "PATCH",
      target,
      query: { fieldManager, force: conflicts === "force" ? "true" : "false" },
      body: JSON.stringify(object),
      contentType: "application/apply-patch+yaml",
      signal,
    });
  return {
    namespace,
    get: (target, options = {}) => call({ method: "GET", target, ...options }),
    list: (target, { signal, ...query } = {}) =>
      call({ method: "GET", target, query, timeoutMs: LIST_TIMEOUT_MS, signal }),
    watch: (target, options) => openWatch(transport, target, options),
    create: (target, object, options = {}) =>
      call({
        method: "POST",
        target: { ...target, name: undefined },
        query: { fieldManager: FIELD_MANAGER },
        body: JSON.stringify(object),
        ...options,
      }),
    apply,
    replace: (target, object, options = {}) =>
      call({
        method: "PUT",
        target,
        query: { fieldManager: FIELD_MANAGER },
        body: JSON.stringify(object),
        ...options,
      }),
    merge: (target, patch, options = {}) =>
      call({
        method: "PATCH",
        target,
        query: { fieldManager: FIELD_MANAGER },
        body: JSON.stringify(patch),
        contentType: "application/merge-patch+json",
        ...options,
      }),
    patchStatus: (target, object, options = {}) =>
      apply({ ...target, subresource: "status" }, object, { conflicts: "force", ...options }),
    delete: (target, options = {}) => deleteObject(call, target, options),
    fenced: (stricter) => clientOver(transport, namespace, stricter),
    close: () => transport.close(),
  };
}

/** @throws FencedOff when the term ended before the answer came: whether the write was done is not known then. */
async function withinTerm<T>(
  term: WriteTerm,
  signal: AbortSignal | undefined,
  run: (bounds: Pick<Exchange, "beforeSending" | "signal">) => Promise<T>,
): Promise<T> {
  const bounded = new AbortController();
  const abort = () => bounded.abort();
  const signals = signal === undefined ? [term.signal] : [term.signal, signal];
  for (const each of signals) each.addEventListener("abort", abort, { once: true });
  if (signals.some(({ aborted }) => aborted)) abort();
  try {
    return await run({ beforeSending: () => term.check(), signal: bounded.signal });
  } catch (error) {
    throw term.signal.aborted && !signal?.aborted ? new FencedOff() : error;
  } finally {
    for (const each of signals) each.removeEventListener("abort", abort);
  }
}

async function deleteObject(
  call: (request: Call) => Promise<unknown>,
  target: Target,
  { uid, signal }: { readonly uid?: string | undefined } & CallOptions,
): Promise<void> {
  const body = JSON.stringify({
    kind: "DeleteOptions",
    apiVersion: "v1",
    propagationPolicy: "Background",
    ...(uid === undefined ? {} : { preconditions: { uid } }),
  });
  try {
    await call({ method: "DELETE", target, body, signal });
  } catch (error) {
    if (!(error instanceof KubeError && error.status === 404)) throw error;
  }
}

function queryOf(query: Call["query"]): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) params.set(name, String(value));
  }
  const text = params.toString();
  return text === "" ? "" : `?${text}`;
}

async function callJson<T>(transport: Transport, { target, query, timeoutMs, signal, ...rest }: Call): Promise<T> {
  return await withDeadline(timeoutMs ?? REQUEST_TIMEOUT_MS, signal, async (bounded) => {
    const response = await transport.send({ ...rest, path: pathOf(target) + queryOf(query), signal: bounded });
    return parseAnswer<T>(response, await readBody(response));
  });
}

async function openWatch(
  transport: Transport,
  target: Target,
  { signal, ...selectors }: WatchOptions & { readonly signal: AbortSignal },
): Promise<AsyncIterable<WatchEvent>> {
  const path = pathOf(target) + queryOf({ ...selectors, watch: "true", allowWatchBookmarks: "true" });
  // The signal given to the transport must outlive the deadline: it also ends the stream.
  const stream = new AbortController();
  const end = () => stream.abort(signal.reason);
  if (signal.aborted) end();
  signal.addEventListener("abort", end, { once: true });
  try {
    return await withDeadline(WATCH_ACCEPT_TIMEOUT_MS, stream.signal, async (bounded) => {
      bounded.addEventListener("abort", () => stream.abort(bounded.reason), { once: true });
      const response = await transport.send({ method: "GET", path, signal: stream.signal });
      if (response.statusCode !== 200) parseAnswer(response, await readBody(response));
      return watchEvents(response, () => signal.removeEventListener("abort", end));
    });
  } catch (error) {
    signal.removeEventListener("abort", end);
    throw error;
  }
}

async function* watchEvents(response: IncomingMessage, onEnd: () => void): AsyncGenerator<WatchEvent> {
  const decoder = new WatchDecoder();
  try {
    for await (const chunk of response) yield* decoder.push(chunk as Buffer);
  } catch (error) {
    throw lostConnection(error);
  } finally {
    onEnd();
    response.destroy();
  }
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch (error) {
    throw lostConnection(error);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function lostConnection(error: unknown): unknown {
  const { name, message } = error as Error;
  if (name === "AbortError") return error;
  if (error instanceof SyntaxError) return new KubeError(0, "BadAnswer", `not a watch event: ${message}`);
  return new KubeError(0, "Unreachable", `the connection to the API server was cut: ${message}`, { cause: error });
}

/** @throws KubeError for any status but 2xx, and for a body that is not JSON. */
function parseAnswer<T>(response: IncomingMessage, text: string): T {
  const code = response.statusCode ?? 0;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (code >= 200 && code < 300) {
    if (body === undefined) throw new KubeError(code, "BadAnswer", "the API server's answer is not JSON");
    return body as T;
  }
  // A proxy in between answers without a Status object.
  const isStatus = typeof body === "object" && body !== null && "kind" in body && body.kind === "Status";
  const retryAfter = Number(response.headers["retry-after"]);
  const error = errorFromStatus(
    isStatus ? { ...(body as Status), code } : { code, message: text.trim().slice(0, 300) },
    code,
  );
  if (error.retryAfter !== undefined || !Number.isFinite(retryAfter)) throw error;
  throw new KubeError(error.status, error.reason, error.message, { retryAfter });
}

/** Runs with a signal that aborts with the caller's, or after `ms`, which throws `KubeError` `Timeout`. */
async function withDeadline<T>(
  ms: number,
  signal: AbortSignal | undefined,
  run: (bounded: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    controller.abort();
  }, ms);
  try {
    return await run(controller.signal);
  } catch (error) {
    if (timedOut) throw new KubeError(0, "Timeout", `the API server did not answer in ${ms} ms`, { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}
