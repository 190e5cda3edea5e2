// Looks at the machine's processes, to prove that none was left behind.
import { readdirSync, readFileSync } from "node:fs";

/** The ids of the living processes (Linux) whose command line contains `text`; a zombie has none. */
export function processesMentioning(text: string): number[] {
  const ids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return ids.filter((id) => id !== process.pid && commandLine(id).includes(text));
}

function commandLine(id: number): string {
  try {
    return readFileSync(`/proc/${id}/cmdline`, "utf8");
  } catch {
    return ""; // it ended meanwhile
  }
}
