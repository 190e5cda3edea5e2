/** Chance as the gateway sees it, injected so that a test can fix it. */
import { randomBytes } from "node:crypto";

export interface Random {
  /** In [0, 1); not for secrets. */
  fraction(): number;
  /** Unpredictable bytes. */
  bytes(size: number): Buffer;
}

export const systemRandom: Random = { fraction: Math.random, bytes: randomBytes };
