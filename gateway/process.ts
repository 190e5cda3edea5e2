/** How a gateway process ends: by signal, paced; or by a fault that nobody caught, soon and never going on (P1, P2). */

import type { DrainRequest } from "./main.ts";
import type { Log } from "./observe/log.ts";

/** Milliseconds from an uncaught exception to the end of the process. */
const FAULT_LIMIT = 5000;

export interface Endable {
  drain(request: DrainRequest): Promise<{ cut: number }>;
  close(): Promise<void>;
}

export interface SignalOptions {
  readonly gateway: Endable;
  readonly log: Log;
  /** What else has to be ended before the process is: sources, bus, Lease. */
  readonly cleanUp?: () => Promise<void>;
  /** Ends the process; `process.exit` when absent. */
  readonly exit?: (code: number) => void;
}

/**
 * SIGTERM or SIGINT drains and exits 0; a second one ends at once. An uncaught exception or rejection is logged, drains
 * within 5 s and exits 1. Returns a function that takes the listeners off again.
 */
export function handleSignals({ gateway, log, cleanUp, exit = process.exit }: SignalOptions): () => void {
  const hurry = new AbortController();
  let code = 0;
  let ending = false;
  const end = async (request: DrainRequest): Promise<void> => {
    ending = true;
    try {
      await gateway.drain({ ...request, hurry: hurry.signal });
      await gateway.close();
      await cleanUp?.();
    } catch (error) {
      code = 1;
      log.error({ event: "exit", err: error }, "the end was not orderly");
    }
    exit(code);
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    log.info({ event: "exit", signal, again: ending }, ending ? "ending at once" : "draining");
    if (ending) hurry.abort();
    else void end({});
  };
  const onFault = (error: unknown): void => {
    log.fatal({ event: "exit", err: error }, "a fault that nobody caught: this process ends");
    code = 1;
    setTimeout(() => exit(1), FAULT_LIMIT);
    if (!ending) void end({ within: FAULT_LIMIT - 500 });
  };
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal).on("uncaughtException", onFault);
  return () => {
    process.off("SIGTERM", onSignal).off("SIGINT", onSignal).off("uncaughtException", onFault);
  };
}
