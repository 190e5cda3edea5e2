/** The operator's port for probes and figures: `/healthz`, `/readyz`, `/metrics`. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";

export interface HealthOptions {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly registry: Registry;
  /** What is missing for being ready; empty when nothing is. */
  readonly missing: () => readonly string[];
}

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** @throws Error when the port cannot be had. */
export async function startHealthServer(options: HealthOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "").split("?")[0];
    if (request.method !== "GET" && request.method !== "HEAD") return answer(response, 405, "only GET\n");
    if (path === "/healthz") return answer(response, 200, "ok\n");
    if (path === "/readyz") return readiness(response, options.missing());
    if (path === "/metrics") return void metrics(response, options.registry);
    answer(response, 404, "there are /healthz, /readyz and /metrics\n");
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function readiness(response: ServerResponse, missing: readonly string[]): void {
  if (missing.length === 0) answer(response, 200, "ok\n");
  else answer(response, 503, `not read yet: ${missing.slice(0, 20).join(", ")}\n`);
}

async function metrics(response: ServerResponse, registry: Registry): Promise<void> {
  try {
    const text = await registry.metrics();
    response.writeHead(200, { "content-type": registry.contentType }).end(text);
  } catch (error) {
    answer(response, 500, `${(error as Error).message}\n`);
  }
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(text);
}
