// An API server that does what a test says, to break the protocol in ways that a real one does only on a bad day.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./controlplane/apiserver-client.ts";

export interface ScriptedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export type Answer = (response: ServerResponse, request: ScriptedRequest) => void;

export interface ScriptedApi {
  /** A kubeconfig for it, with the token in `tokenFile`. */
  readonly kubeconfig: string;
  readonly tokenFile: string;
  /** Every request so far. */
  readonly requests: readonly ScriptedRequest[];
  /** The next requests are answered by these, in turn; the last one answers for ever. */
  script(...answers: Answer[]): void;
  /** Waits until there have been this many requests. */
  requested(count: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startScriptedApi(): Promise<ScriptedApi> {
  const requests: ScriptedRequest[] = [];
  const sockets = new Set<Socket>();
  let answers: Answer[] = [];
  const server = createServer((request, response) => {
    void readRequest(request).then((read) => {
      requests.push(read);
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer === undefined) response.writeHead(500).end("no script");
      else answer(response, read);
    });
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const dir = mkdtempSync(join(tmpdir(), "holdfast-scripted-"));
  const { kubeconfig, tokenFile } = writeKubeconfig(dir, (server.address() as AddressInfo).port);
  return {
    kubeconfig,
    tokenFile,
    requests,
    script(...next) {
      answers = next;
    },
    requested: (count) => until(`${count} requests`, 5_000, async () => requests.length >= count),
    stop: () => stop(server, sockets, dir),
  };
}

function writeKubeconfig(dir: string, port: number): { kubeconfig: string; tokenFile: string } {
  const kubeconfig = join(dir, "kubeconfig");
  const tokenFile = join(dir, "token");
  writeFileSync(tokenFile, "token-1\n");
  writeFileSync(
    kubeconfig,
    `
clusters: [{name: c, cluster: {server: "http://127.0.0.1:${port}"}}]
users: [{name: u, user: {auth-provider: {name: tokenFile, config: {tokenFile: "${tokenFile}"}}}}]
contexts: [{name: x, context: {cluster: c, user: u, namespace: apps}}]
current-context: x
`,
  );
  return { kubeconfig, tokenFile };
}

async function readRequest(request: IncomingMessage): Promise<ScriptedRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const url = new URL(request.url ?? "/", "http://scripted");
  return {
    method: request.method ?? "",
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers,
    body: Buffer.concat(chunks).toString("utf8"),
  };
}

async function stop(server: Server, sockets: Set<Socket>, dir: string): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  for (const socket of sockets) socket.destroy();
  await closed;
  rmSync(dir, { recursive: true, force: true });
}

/** Answers with JSON. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  };
}

/** Answers with a Kubernetes Status. */
export function status(code: number, reason: string, message = reason): Answer {
  return json(code, { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message });
}
