import { setTimeout as sleep } from "node:timers/promises";

/**
 * Asks again and again until `holds` gives something truthy, and resolves to that; for what announces itself by no event.
 * @throws Error naming `what` after `timeout` ms.
 */
export async function eventually<T>(
  what: string,
  holds: () => T | Promise<T>,
  timeout = 5_000,
  everyMs = 5,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeout;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`not within ${timeout} ms: ${what}`);
    await sleep(everyMs);
  }
}
