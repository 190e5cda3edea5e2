// The bench's end of `peers.ts`.
import { type ChildProcess, fork } from "node:child_process";
import type { Handshakes, Load, PeersReply, PeersRequest } from "./peers.ts";
import { pinned } from "./pinned.ts";

export class Peers {
  private readonly child: ChildProcess;

  constructor(cpu: number) {
    const [command, ...args] = pinned(cpu, [process.execPath]);
    this.child = fork(new URL("peers.ts", import.meta.url), { execPath: command, execArgv: args });
    this.child.setMaxListeners(0);
  }

  /** The echoing backend's port. */
  async backendPort(): Promise<number> {
    return (await this.reply("backend")).backend;
  }

  async open(load: Load): Promise<void> {
    const opened = this.reply("opened");
    this.send({ open: load });
    await opened;
  }

  /** Messages echoed since `open`. */
  async count(): Promise<number> {
    const counted = this.reply("counted");
    this.send({ count: true });
    return (await counted).counted;
  }

  async close(): Promise<void> {
    const closed = this.reply("closed");
    this.send({ close: true });
    await closed;
  }

  /** Resolves when each of them has been made and its connection has ended. */
  async shakeHands(handshakes: Handshakes): Promise<void> {
    const shaken = this.reply("shaken");
    this.send({ shake: handshakes });
    await shaken;
  }

  stop(): void {
    this.child.disconnect();
  }

  private send(request: PeersRequest): void {
    this.child.send(request);
  }

  private reply<K extends string>(kind: K): Promise<Extract<PeersReply, Record<K, unknown>>> {
    return new Promise((resolve, reject) => {
      const onMessage = (reply: PeersReply): void => {
        if (kind in reply) resolve(reply as Extract<PeersReply, Record<K, unknown>>);
        else if ("broken" in reply) reject(new Error(reply.broken));
        else return;
        this.child.off("message", onMessage);
      };
      this.child.on("message", onMessage);
      this.child.once("exit", () => reject(new Error("the peers' process is gone")));
    });
  }
}
