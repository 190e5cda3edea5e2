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
    expect(processesMentioning(dir)).toContain(command.pid);

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

  it("dies when the process that started it is killed", async () => {
    const parent = spawn(process.execPath, ["--input-type=module-typescript", "--eval", PARENT, dir], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [pid] = await once(createInterface(parent.stdout), "line");
    expect(processesMentioning(dir)).toContain(Number(pid));

    parent.kill("SIGKILL");
    await once(parent, "exit");

    await until("no process is left", 5_000, async () => processesMentioning(dir).length === 0);
  });
});

const PARENT = `
import { startLeashed } from ${JSON.stringify(new URL("./leashed.ts", import.meta.url).href)};
const dir = process.argv[1];
const command = await startLeashed({ name: "tail", file: "tail", args: ["-f", dir + "/log"], logFile: dir + "/log" });
console.log(command.pid);
`;
