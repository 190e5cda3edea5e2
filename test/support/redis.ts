// A real redis-server on a free port of 127.0.0.1, which cannot outlive the test run. `make setup` installs the program.
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Leashed, startLeashed } from "./controlplane/leashed.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** Ends the server as `kill -9` does: no goodbye, no data. */
  kill(): Promise<void>;
  /** Starts it again on the same port; resolves when it answers. */
  start(): Promise<void>;
  /** Ends the server and removes its folder. */
  stop(): Promise<void>;
}

/** Starts a server that keeps nothing on disk; `args` are further arguments of redis-server. */
export async function startRedis(...args: string[]): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-redis-"));
  const port = await freePort();
  let running: Leashed | undefined;
  const server: RedisServer = {
    port,
    url: `redis://127.0.0.1:${port}`,
    async kill() {
      await running?.kill();
      running = undefined;
    },
    async start() {
      const logFile = join(folder, "redis.log");
      const flags = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"];
      running = await startLeashed({ name: "redis-server", file: "redis-server", args: [...flags, ...args], logFile });
      let ended = "";
      running.ended.then((how) => {
        ended = how;
      });
      const tail = running.logTail;
      await eventually("redis-server answers", () => {
        if (ended !== "") throw new Error(`redis-server ended: ${ended}\n${tail()}`);
        return answers(port);
      });
    },
    async stop() {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    socket.once("data", (reply) => {
      // A server that wants a password answers too.
      resolve(/^(\+PONG|-NOAUTH)/.test(reply.toString()));
      socket.destroy();
    });
    socket.once("error", () => resolve(false));
  });
}
