/** Starts and steers `gateway-child.ts`. */
import { type ChildProcess, type ForkOptions, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Command, Report } from "./gateway-child.ts";
import type { SnapshotParts } from "./make-snapshot.ts";
import { scrape } from "./metrics.ts";

export interface GatewayProcess {
  readonly port: number;
  readonly adminPort: number;
  url(path?: string): string;
  /** How it ended. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** What it has logged so far. */
  log(): string;
  signal(name: NodeJS.Signals): void;
  /** Serves another snapshot; resolves when it is served. */
  offer(parts: SnapshotParts): Promise<void>;
  /** Heap in use after a collection, in bytes, and open connections. */
  measure(): Promise<Extract<Report, { is: "measured" }>>;
  /** Throws where nobody catches. */
  throwUncaught(): void;
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
  /** SIGKILL, if it is still there. */
  stop(): Promise<void>;
}

const CHILD = join(import.meta.dirname, "gateway-child.ts");

function nextReport<K extends Report["is"]>(child: ChildProcess, is: K): Promise<Extract<Report, { is: K }>> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      child.off("message", onMessage);
      child.off("exit", onExit);
    };
    const onMessage = (message: unknown): void => {
      const report = message as Report;
      if (report.is !== is) return;
      done();
      resolve(report as Extract<Report, { is: K }>);
    };
    const onExit = (code: number | null): void => {
      done();
      reject(new Error(`the gateway process ended with ${code} before it reported "${is}"`));
    };
    child.on("message", onMessage);
    child.on("exit", onExit);
  });
}

export interface ProcessOptions {
  /** Limit of open files. */
  readonly maxFiles?: number;
}

/** `sh` sets the limit and becomes Node; the channel to the parent passes through it. */
function launcher({ maxFiles }: ProcessOptions): Pick<ForkOptions, "execPath" | "execArgv"> {
  if (maxFiles === undefined) return { execArgv: ["--expose-gc"] };
  const script = `ulimit -n ${maxFiles} && exec "$0" --expose-gc "$@"`;
  return { execPath: "/bin/sh", execArgv: ["-c", script, process.execPath] };
}

export async function startGatewayProcess(parts: SnapshotParts, options: ProcessOptions = {}): Promise<GatewayProcess> {
  const stdio = ["ignore", "pipe", "pipe", "ipc"] as const;
  const child = fork(CHILD, [JSON.stringify(parts)], { ...launcher(options), stdio: [...stdio] });
  const text: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => text.push(chunk.toString()));
  const exited = once(child, "exit").then(([code, signal]) => ({ code, signal }));
  const tell = (command: Command): boolean => child.send(command);
  const started = await nextReport(child, "started").catch((error: Error) => {
    throw new Error(`${error.message}: ${text.join("")}`);
  });
  const { port, adminPort } = started;
  return {
    port,
    adminPort,
    url: (path = "/") => `ws://127.0.0.1:${port}${path}`,
    exited,
    log: () => text.join(""),
    signal: (name) => void child.kill(name),
    async offer(next) {
      const served = nextReport(child, "served");
      tell({ do: "offer", parts: next });
      await served;
    },
    measure() {
      const measured = nextReport(child, "measured");
      tell({ do: "measure" });
      return measured;
    },
    throwUncaught: () => void tell({ do: "throw" }),
    metric: (name, labels = {}) => scrape(adminPort, name, labels),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exited;
    },
  };
}
