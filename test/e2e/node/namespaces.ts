// The namespaces that a node lives in, and the cable to them; namespaces.sh makes and removes them.
import { spawn } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { until } from "../../support/controlplane/apiserver-client.ts";

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const READY_WITHIN_MS = 10_000;

/** A part of this machine that a node may take for a machine. */
export interface Namespaces {
  /** Holds all that the node writes; gone after `remove`. */
  readonly folder: string;
  /** This machine's end of the cable: what the node can reach of it. */
  readonly hostAddress: string;
  /** The node's end. */
  readonly nodeAddress: string;
  /** Name of the cable's end on this machine, and of the node's cgroups. */
  readonly link: string;
  /** The command that runs `file` inside. */
  inside(file: string, args: readonly string[]): { readonly file: string; readonly args: readonly string[] };
  /** Ends all processes inside and removes what they left. May be called twice. */
  remove(): Promise<void>;
}

/**
 * Makes namespaces that last until `remove`, and at most as long as this process. Needs root.
 * @throws Error saying what the kernel refused; nothing is left then.
 */
export async function createNamespaces(): Promise<Namespaces> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-node-"));
  const link = `hfnode${randomBytes(4).toString("hex")}`;
  const { hostAddress, nodeAddress } = chooseAddresses();
  // Detached: what a terminal sends to everyone must not end it before it has cleaned up.
  const args = [folder, link, hostAddress, nodeAddress];
  const keeper = spawn(script("namespaces.sh"), args, { stdio: ["pipe", "ignore", "pipe"], detached: true });
  keeper.stdin.on("error", () => {}); // it may end first
  const complaints = text(keeper.stderr);
  const gone = once(keeper, "close");
  const remove = async () => {
    keeper.stdin.end();
    await gone;
    if (keeper.exitCode !== 0) throw new Error(`namespaces.sh failed: ${await complaints}`);
  };
  await until("the namespaces are there", READY_WITHIN_MS, async () => {
    return keeper.exitCode !== null || existsSync(join(folder, "ready"));
  }).catch(async (error) => {
    const log = join(folder, "namespaces.log");
    const reason = existsSync(log) ? readFileSync(log, "utf8") : "";
    await remove();
    throw new Error(`${error.message}; the log says:\n${reason}`);
  });
  if (keeper.exitCode !== null) await remove();
  const inside: Namespaces["inside"] = (file, args) => ({ file: script("enter.sh"), args: [folder, file, ...args] });
  return { folder, link, hostAddress, nodeAddress, inside, remove };
}

/**
 * Two addresses of a /30, unused on this machine, in the upper half of the range that RFC 2544 keeps for tests between devices;
 * in-netns.sh uses the lower.
 */
function chooseAddresses(): { hostAddress: string; nodeAddress: string } {
  const used = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  for (;;) {
    const prefix = `198.19.${randomInt(256)}`;
    const first = 4 * randomInt(64);
    const [hostAddress, nodeAddress] = [`${prefix}.${first + 1}`, `${prefix}.${first + 2}`];
    if (!used.some(({ address }) => address === hostAddress || address === nodeAddress)) {
      return { hostAddress, nodeAddress };
    }
  }
}
