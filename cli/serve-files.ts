/** Serves manifests from files: what `holdfast run` does. Apart from its options, so that `--help` loads nothing else. */
import { randomBytes } from "node:crypto";
import { createMemoryBus } from "../gateway/bus/bus-memory.ts";
import { SnapshotHolder } from "../gateway/config/source.ts";
import { createLog } from "../gateway/observe/log.ts";
import { redisBus, startGatewayProcess } from "./gateway-process.ts";
import { overloadThresholds } from "./options.ts";
import type { RunOptions } from "./run.ts";
import { followFiles } from "./standalone.ts";

export async function run(options: RunOptions): Promise<void> {
  const log = createLog({ level: options.logLevel });
  const holder = new SnapshotHolder();
  const leaving = new AbortController();
  const ended = new AbortController();
  const apiToken = options.apiToken ?? randomBytes(24).toString("base64url");
  await followFiles({
    paths: options.filename,
    gateway: options.gateway,
    apiToken,
    holder,
    log,
    signal: ended.signal,
  });
  const replaced = holder.current?.snapshot.settings.listeners.find(({ protocol }) => protocol === "WS")?.name;
  const { host, port, apiPort, adminPort } = options;
  const gateway = await startGatewayProcess({
    holder,
    bus: options.redis === undefined ? createMemoryBus() : redisBus(options.redis, log),
    overload: overloadThresholds(options),
    onRedis: (use) => use(options.redis),
    listen: {
      host,
      portOf: (listener) => (port !== undefined && listener.name === replaced ? port : listener.port),
      apiPort,
      adminHost: host,
      adminPort,
    },
    leaveDelay: 0,
    log,
    leaving,
    cleanUp: async () => ended.abort(),
  });
  const { listeners, api, admin } = gateway.ports;
  log.info({ event: "started", listeners: Object.fromEntries(listeners), api, admin }, "holdfast serves");
  // Not a log line: a log is kept, and a secret has no place in it.
  if (options.apiToken === undefined) process.stderr.write(`API token of this run: ${apiToken}\n`);
}
