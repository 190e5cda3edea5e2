import { availableParallelism } from "node:os";

/** The command bound to one CPU, so that what is measured does not share it; as it is where there is only one. */
export function pinned(cpu: number, command: readonly string[]): [string, ...string[]] {
  const [program = "", ...args] = command;
  return availableParallelism() > 1 ? ["taskset", "-c", String(cpu), program, ...args] : [program, ...args];
}
