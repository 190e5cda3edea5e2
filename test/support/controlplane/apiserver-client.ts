// Asks a kube-apiserver whether it is ready, and waits until something holds.
import { readFileSync } from "node:fs";
import { get } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

/** Where an API server is, the file its certificate authority will be in, and a bearer token. */
export interface ApiServerAccess {
  readonly server: string;
  readonly servingCa: string;
  readonly adminToken: string;
}

const REQUEST_TIMEOUT_MS = 2_000;
const POLL_EVERY_MS = 50;

/** The HTTP status of a GET. @throws Error when there is no certificate yet, or no answer. */
export function statusOf(access: ApiServerAccess, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = {
      ca: readFileSync(access.servingCa),
      headers: { authorization: `Bearer ${access.adminToken}` },
      agent: false as const,
      timeout: REQUEST_TIMEOUT_MS,
    };
    const request = get(`${access.server}${path}`, options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on("timeout", () => request.destroy(new Error(`no answer in ${REQUEST_TIMEOUT_MS} ms`)));
    request.on("error", reject);
  });
}

/**
 * Polls until `check` returns true; what `check` throws counts as "not yet".
 * @throws Error naming `what` and the last reason when `withinMs` have passed.
 */
export async function until(what: string, withinMs: number, check: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + withinMs;
  let reason = "it did not hold";
  do {
    try {
      if (await check()) return;
    } catch (error) {
      reason = String(error);
    }
    await sleep(POLL_EVERY_MS);
  } while (performance.now() < deadline);
  throw new Error(`${what}: not within ${withinMs} ms (${reason})`);
}
