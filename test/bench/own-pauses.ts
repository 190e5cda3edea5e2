// Preloaded into a process under test: tells each turn of its event loop that came late, by the clock and by the processor time that
// the process itself used meanwhile. A machine that runs something else holds up every clock; only the lesser of the two is its own.
import { appendFileSync } from "node:fs";

const FILE = process.env.HOLDFAST_BENCH_PAUSES ?? "";
const EVERY_MS = 5;
const WORTH_TELLING_MS = 2;

export interface Pause {
  readonly clockMs: number;
  /** Of all threads: while garbage is collected, the one with the event loop waits for the others. */
  readonly cpuMs: number;
}

/** What was told in a file, in order. */
export function readPauses(lines: string): Pause[] {
  return lines.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Pause]));
}

if (FILE !== "") {
  let last = performance.now();
  let cpu = process.cpuUsage();
  setInterval(() => {
    const { user, system } = process.cpuUsage(cpu);
    const clockMs = performance.now() - last - EVERY_MS;
    if (clockMs > WORTH_TELLING_MS) {
      appendFileSync(FILE, `${JSON.stringify({ clockMs, cpuMs: (user + system) / 1000 } satisfies Pause)}\n`);
    }
    last = performance.now();
    cpu = process.cpuUsage();
  }, EVERY_MS).unref();
}
