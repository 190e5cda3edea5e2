import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { until } from "./apiserver-client.ts";
import { startLeashed } from "./leashed.ts";
import { processesMentioning } from "./processes.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "holdfast-leashed-"));
  writeFileSync(join(dir, "watched"), "");
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A command that runs until it is killed and shows `dir` in its command line. */
const endless = () => ["-c", 'echo started; exec tail -f "$0"', join(dir, "watched")];

describe("a leashed command", () => {
  it("is gone, with its leash, when kill resolves", async () => {
    const command = await startLeashed({
      name: "endless",
      file: "/bin/sh",
      args: endless(),
      logFile: join(dir, "log"),
    });
    await until("it prints to its log", 5_000, async () => command.logTail() === "started");
    // Within its exec a process shows no command line.
    await until("it is among the processes", 5_000, async () => processesMentioning(dir).includes(command.pid));

    await command.kill();

    expect(processesMentioning(dir)).toEqual([]);
    await expect(command.ended).resolves.toBe("signal SIGKILL");
    await command.kill(); // a second time does no harm
  });

  it("tells how it ended by itself and what it said", async () => {
    const args = ["-c", "echo 'no such luck' >&2; exit 3"];
    const command = await startLeashed({ name: "failing", file: "/bin/sh", args, logFile: join(dir, "log") });

    await expect(command.ended).resolves.toBe("code 3");
    expect(command.logTail()).toBe("no such luck");
  });

  it("says which file is missing when there is no such program", async () => {
    const command = await startLeashed({
      name: "absent",
      file: join(dir, "absent"),
      args: [],
      logFile: join(dir, "log"),
    });

    await expect(command.ended).resolves.toBe("code 127");
    expect(command.logTail()).toContain("absent");
  });

  it.each([
    { how: "is killed", signal: "SIGKILL", reaches: (pid: number) => pid },
    { how: "loses its terminal together with everything it started", signal: "SIGHUP", reaches: (pid: number) => -pid },
  ] as const)("dies when the process that started it $how", async ({ signal, reaches }) => {
    const parent = spawn(process.execPath, ["--input-type=module-typescript", "--eval", PARENT, dir], {
      stdio: ["ignore", "pipe", "inherit"],
      detached: true, // a process group of its own, like a command typed at a terminal
    });
    await once(createInterface(parent.stdout), "line");
    expect(processesMentioning(join(dir, "watched"))).not.toEqual([]);

    process.kill(reaches(parent.pid!), signal);
    expect(await once(parent, "exit")).toEqual([null, signal]);

    await until("no process is left", 5_000, async () => processesMentioning(join(dir, "watched")).length === 0);
  });
});

// The command says that it runs and then does not mind losing its terminal.
const PARENT = `
import { startLeashed } from ${JSON.stringify(new URL("./leashed.ts", import.meta.url).href)};
import { setTimeout as sleep } from "node:timers/promises";
const dir = process.argv[1];
const args = ["-c", "trap '' HUP; echo started; exec tail -f $0", dir + "/watched"];
const command = await startLeashed({ name: "stubborn", file: "/bin/sh", args, logFile: dir + "/log" });
while (command.logTail() !== "started") await sleep(10);
console.log("started");
`;
