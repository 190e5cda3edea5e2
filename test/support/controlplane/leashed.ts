// Processes that cannot outlive the test run that started them, however it ends.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";

/** A command, and the file that gets what it prints. */
export interface LeashedCommand {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly logFile: string;
}

/** A running command on its leash. */
export interface Leashed {
  readonly name: string;
  readonly pid: number;
  /** Resolves when the command has ended, with how it ended ("code 1", "signal SIGKILL"). Never rejects. */
  readonly ended: Promise<string>;
  /** Sends SIGKILL and resolves when the command and its leash are gone. Harmless when they already are. */
  kill(): Promise<void>;
  /** The last lines of the log, for error messages. */
  logTail(lines?: number): string;
}

// The shell becomes the command (`exec`), so that the pid is the command's own. What stays behind is a subshell that reads
// the pipe on fd 0: only this process holds the other end, so end of file means that it ended, even by SIGKILL. The subshell
// ignores what a terminal sends to everything in it, because the command may ignore that or take its time over it.
const LEASH = `
log=$1; shift
exec 3<&0
(trap '' HUP INT TERM; cat <&3 >/dev/null; kill -9 $$ 2>/dev/null) 2>/dev/null &
exec "$@" </dev/null >>"$log" 2>&1 3<&-
`;

/**
 * Starts a command that is killed when this process ends for any reason.
 * @throws Error when the shell cannot be started; a command that does not exist shows in `ended` and in the log.
 */
export async function startLeashed(command: LeashedCommand): Promise<Leashed> {
  closeSync(openSync(command.logFile, "a"));
  const child = spawn("/bin/sh", ["-c", LEASH, "leash", command.logFile, command.file, ...command.args], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  await once(child, "spawn");
  child.stdout.resume();
  child.stdin.on("error", () => {}); // the command may end first
  child.once("exit", () => child.stdin.destroy());
  // The leash holds stdout until it ends, hence "close" tells that both are gone.
  const closed = once(child, "close");
  return {
    name: command.name,
    pid: child.pid!,
    ended: closed.then(() => howItEnded(child)),
    async kill() {
      child.kill("SIGKILL");
      await closed;
    },
    logTail: (lines = 25) => readFileSync(command.logFile, "utf8").trimEnd().split("\n").slice(-lines).join("\n"),
  };
}

function howItEnded(child: ChildProcess): string {
  return child.signalCode === null ? `code ${child.exitCode}` : `signal ${child.signalCode}`;
}
