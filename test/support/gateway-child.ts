/**
 * A gateway as a process of its own, for what only a process can show: signals, faults, memory. Steered by its parent over
 * IPC (`gateway-process.ts`), and gone when the parent is.
 */
import { createMemoryBus } from "../../gateway/bus/bus-memory.ts";
import { secretMaterial } from "../../gateway/config/secrets.ts";
import { SnapshotHolder } from "../../gateway/config/source.ts";
import { createHub } from "../../gateway/hub/hub.ts";
import { startGateway } from "../../gateway/main.ts";
import { createLog } from "../../gateway/observe/log.ts";
import { addProcessMetrics, Metrics } from "../../gateway/observe/metrics.ts";
import { handleSignals } from "../../gateway/process.ts";
import { makeSnapshot, type SnapshotParts } from "./make-snapshot.ts";

export type Command =
  | { readonly do: "offer"; readonly parts: SnapshotParts }
  | { readonly do: "throw" }
  | { readonly do: "measure" };

export type Report =
  | { readonly is: "started"; readonly port: number; readonly adminPort: number }
  | { readonly is: "served"; readonly sequence: number }
  | { readonly is: "measured"; readonly heapUsed: number; readonly connections: number };

const report = (message: Report): void => void process.send?.(message);

process.on("disconnect", () => process.exit(3));

const holder = new SnapshotHolder();
const secrets = secretMaterial(new Map());
const parts = JSON.parse(process.argv[2] ?? "{}") as SnapshotParts;
await holder.offer({ snapshot: makeSnapshot(parts), secrets });
const bus = createMemoryBus();
const log = createLog({ level: "info" });
const metrics = new Metrics();
addProcessMetrics(metrics);
const gateway = await startGateway({
  source: holder,
  bus,
  hub: createHub({ bus, metrics }),
  log,
  metrics,
  listen: { host: "127.0.0.1", portOf: () => 0, apiPort: 0, adminHost: "127.0.0.1", adminPort: 0 },
});
handleSignals({ gateway, log });

process.on("message", async (command: Command) => {
  if (command.do === "offer") {
    const snapshot = makeSnapshot(command.parts);
    await holder.offer({ snapshot, secrets });
    report({ is: "served", sequence: snapshot.sequence });
  } else if (command.do === "measure") {
    globalThis.gc?.();
    report({ is: "measured", heapUsed: process.memoryUsage().heapUsed, connections: gateway.connections });
  } else {
    setImmediate(() => {
      throw new Error("a fault that the test asked for");
    });
  }
});

const port = [...gateway.ports.listeners.values()][0] as number;
report({ is: "started", port, adminPort: gateway.ports.admin });
