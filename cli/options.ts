/** Options that several commands share. Every flag is an environment variable too; the flag wins. */
import { isIP } from "node:net";
import { InvalidArgumentError, Option } from "commander";
import { OVERLOAD, type OverloadThresholds } from "../gateway/ports/overload.ts";

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "silent"];

export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new InvalidArgumentError("Give a port from 0 (any free one) to 65535.");
  return port;
}

export function parseSeconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text);
  if (!match) throw new InvalidArgumentError("Give a duration such as 500ms, 5s or 2m.");
  const factor = { ms: 1, s: 1_000, m: 60_000 }[match[2] as "ms" | "s" | "m"];
  return Number(match[1]) * factor;
}

export function parseAddress(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError("Give an IP address such as 127.0.0.1, 0.0.0.0 or ::.");
  return text;
}

export function parsePercent(text: string): number {
  const percent = Number(text);
  if (!/^\d+$/.test(text) || percent < 1 || percent > 100)
    throw new InvalidArgumentError("Give a percentage from 1 to 100.");
  return percent;
}

export interface GatewayName {
  readonly namespace: string;
  readonly name: string;
}

export function parseObjectName(text: string): GatewayName {
  const [namespace, name, ...rest] = text.split("/");
  if (!namespace || !name || rest.length > 0) throw new InvalidArgumentError("Give NAMESPACE/NAME.");
  return { namespace, name };
}

export const logLevelOption = () =>
  new Option("--log-level <level>", "least severe log lines to write, as JSON on standard output")
    .choices(LOG_LEVELS)
    .default("info")
    .env("HOLDFAST_LOG_LEVEL");

export const adminPortOption = (fallback: number) =>
  new Option("--admin-port <port>", "port of /healthz, /readyz, /metrics and /connections")
    .argParser(parsePort)
    .default(fallback)
    .env("HOLDFAST_ADMIN_PORT");

export const apiPortOption = () =>
  new Option("--api-port <port>", "port of the API that sends to groups")
    .argParser(parsePort)
    .default(8081)
    .env("HOLDFAST_API_PORT");

export const redisOption = () =>
  new Option("--redis <url>", "redis:// or rediss:// URL of the bus; overrides the WebSocketGateway's").env(
    "HOLDFAST_REDIS_URL",
  );

/** From when on a process is overloaded. */
export interface OverloadFlags {
  readonly maxLoopDelay: number;
  readonly maxHeap: number;
}

export const maxLoopDelayOption = () =>
  new Option("--max-loop-delay <duration>", "mean delay of the event loop from which on new handshakes are refused")
    .argParser(parseSeconds)
    .default(OVERLOAD.loopDelay, `${OVERLOAD.loopDelay}ms`)
    .env("HOLDFAST_MAX_LOOP_DELAY");

export const maxHeapOption = () =>
  new Option("--max-heap <percent>", "share of the heap's limit in use from which on new handshakes are refused")
    .argParser(parsePercent)
    .default(OVERLOAD.heapUse * 100)
    .env("HOLDFAST_MAX_HEAP");

export const overloadThresholds = ({ maxLoopDelay, maxHeap }: OverloadFlags): OverloadThresholds => ({
  loopDelay: maxLoopDelay,
  heapUse: maxHeap / 100,
});

export const kubeconfigOption = () =>
  new Option(
    "--kubeconfig <file>",
    "kubeconfig; omitted: $KUBECONFIG, ~/.kube/config or the pod's service account",
  ).env("HOLDFAST_KUBECONFIG");

export const contextOption = () =>
  new Option("--context <name>", "context of the kubeconfig; omitted: its current one").env("HOLDFAST_CONTEXT");
