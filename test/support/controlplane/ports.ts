// Ports for servers that must be told theirs, and that keep it over a restart.
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

// Below the range that the kernel takes outgoing ports from (32768 and up on Linux, 49152 elsewhere): while a server of
// ours is away, a client that keeps trying must not be given the server's own port as its source, and connect to itself.
const LOWEST = 12_000;
const HIGHEST = 32_000;
const TRIES = 200;

/** A loopback TCP port that nothing listens on now. Another process may still take it before its user does. */
export async function findFreePort(): Promise<number> {
  for (let tried = 0; tried < TRIES; tried++) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port on 127.0.0.1 between ${LOWEST} and ${HIGHEST} in ${TRIES} tries`);
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, "127.0.0.1");
    await once(probe, "listening");
    return true;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}
