/** The real command as a process of its own, on a leash: what it logs can be waited for. */
import { closeSync, openSync, readSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Leashed, startLeashed } from "./controlplane/leashed.ts";
import { eventually } from "./eventually.ts";

const COMMAND = resolve(import.meta.dirname, "../../bin/holdfast");

export type LogLine = Readonly<Record<string, unknown>> & { readonly event?: string; readonly msg?: string };

export interface HoldfastProcess {
  readonly pid: number;
  /** What it has logged so far; lines that are not JSON (its last words) as `{msg}`. */
  lines(): readonly LogLine[];
  /** The first line after `from` lines that fits. */
  line(what: string, fits: (line: LogLine) => unknown, options?: { from?: number; timeout?: number }): Promise<LogLine>;
  /** Resolves with how the process ended. */
  readonly ended: Promise<string>;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export interface HoldfastOptions {
  /** Also the log file's name. */
  readonly name: string;
  readonly args: readonly string[];
  /** Folder for the log. */
  readonly dir: string;
}

/** Starts `holdfast` with these arguments; it dies with the test. */
export async function startHoldfast({ name, args, dir }: HoldfastOptions): Promise<HoldfastProcess> {
  const logFile = join(dir, `${name}-${Date.now()}.log`);
  const child = await startLeashed({ name, file: COMMAND, args, logFile });
  return describeProcess(child, new LogTail(logFile));
}

function describeProcess(child: Leashed, tail: LogTail): HoldfastProcess {
  let over = "";
  void child.ended.then((how) => {
    over = how;
  });
  return {
    pid: child.pid,
    ended: child.ended,
    lines: () => tail.read(),
    async line(what, fits, { from = 0, timeout = 10_000 } = {}) {
      try {
        return await eventually(
          `${child.name} logs ${what}`,
          () => {
            const found = tail.read().slice(from).find(fits);
            if (!found && over) throw new Error(`${child.name} ended with ${over}`);
            return found;
          },
          timeout,
        );
      } catch (error) {
        throw new Error(`${(error as Error).message}; its log ends:\n${child.logTail()}`);
      }
    },
    signal: (signal) => process.kill(child.pid, signal),
    kill: () => child.kill(),
  };
}

/** Reads what a log file has gained since the last look. */
class LogTail {
  readonly #file: string;
  readonly #lines: LogLine[] = [];
  #position = 0;
  #rest = "";

  constructor(file: string) {
    this.#file = file;
  }

  read(): readonly LogLine[] {
    const descriptor = openSync(this.#file, "r");
    const buffer = Buffer.alloc(1 << 20);
    try {
      for (let read = 1; read > 0; ) {
        read = readSync(descriptor, buffer, 0, buffer.length, this.#position);
        this.#position += read;
        this.#rest += buffer.toString("utf8", 0, read);
      }
    } finally {
      closeSync(descriptor);
    }
    const complete = this.#rest.split("\n");
    this.#rest = complete.pop() ?? "";
    for (const text of complete) if (text !== "") this.#lines.push(parse(text));
    return this.#lines;
  }
}

function parse(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { msg: text };
  }
}
