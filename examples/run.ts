/**
 * Starts the small chat and Holdfast on the manifests in examples/chat and examples/policies, and says what to try.
 * Ctrl-C ends both. Ports 3000, 8080, 8081 and 9090 have to be free.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const token = process.env.HOLDFAST_API_TOKEN ?? randomBytes(16).toString("hex");

const MANIFESTS = ["chat", "policies"].flatMap((folder) => ["-f", fromHere(folder)]);
const chat = start("the chat", process.execPath, [fromHere("chat/server.ts")]);
const holdfast = start("Holdfast", fromHere("../bin/holdfast"), ["run", ...MANIFESTS]);

function start(name: string, file: string, args: readonly string[]): { name: string; child: ChildProcess } {
  const child = spawn(file, args, { stdio: "inherit", env: { ...process.env, HOLDFAST_API_TOKEN: token } });
  child.on("error", (error) => console.error(`${name} cannot be started: ${error.message}`));
  return { name, child };
}

/** Resolves when both answer; when one of them ends instead, `main` ends everything. */
async function bothAnswer(): Promise<void> {
  for (const url of ["http://127.0.0.1:3000/", "http://127.0.0.1:9090/readyz"]) {
    while (
      !(await fetch(url).then(
        (response) => response.ok,
        () => false,
      ))
    )
      await sleep(100);
  }
}

function greet(): void {
  console.log(`
  Holdfast serves the examples.

    the chat       http://localhost:3000/              open it in two tabs
    chat, news     ws://localhost:8080/ws/chat         ws://localhost:8080/ws/news
    admin          http://localhost:9090/metrics       http://localhost:9090/connections

  Edit examples/chat/chat.yaml: the log shows the change within a second, and no tab disconnects.
  Send news to everybody:

    curl -H "Authorization: Bearer ${token}" -H "Content-Type: text/plain" \\
      -d "The build is green" http://localhost:8081/api/hubs/news/groups/news/:send

  Ctrl-C ends it.
`);
}

async function main(): Promise<number> {
  const parts = [chat, holdfast];
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) return; // a second signal would make Holdfast cut its clients off
    stopping = true;
    // A terminal sends Ctrl-C to all of them itself; any other signal comes to this process alone.
    if (signal === "SIGTERM" || !process.stdin.isTTY) for (const { child } of parts) child.kill(signal);
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  const ends = parts.map(async ({ name, child }) => {
    const [code] = (await once(child, "exit")) as [number | null];
    return { name, code: code ?? 1 };
  });
  void bothAnswer().then(greet);
  const first = await Promise.race(ends);
  if (first.code !== 0) console.error(`${first.name} ended with code ${first.code}`);
  stop("SIGTERM");
  await Promise.all(ends);
  return first.code;
}

process.exit(await main());
