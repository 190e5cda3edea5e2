/** A whole gateway in this process, on free ports of 127.0.0.1, whose snapshot a test changes as it likes. */
import { createMemoryBus } from "../../gateway/bus/bus-memory.ts";
import { secretMaterial } from "../../gateway/config/secrets.ts";
import { SnapshotHolder } from "../../gateway/config/source.ts";
import { createHub } from "../../gateway/hub/hub.ts";
import { type Gateway, type GatewayOptions, startGateway } from "../../gateway/main.ts";
import { createLog } from "../../gateway/observe/log.ts";
import { eventually } from "./eventually.ts";
import { makeSnapshot, type SnapshotParts } from "./make-snapshot.ts";
import { scrape } from "./metrics.ts";

export type LogLine = Readonly<Record<string, unknown>>;

export interface TestGatewayOptions extends SnapshotParts {
  readonly secrets?: Readonly<Record<string, string>>;
  /** Anything else that the gateway takes. */
  readonly gateway?: Partial<GatewayOptions>;
}

export interface TestGateway {
  readonly gateway: Gateway;
  /** Port of the first listener. */
  readonly port: number;
  readonly adminPort: number;
  /** `ws://127.0.0.1:<port><path>` */
  url(path?: string): string;
  /** Lines of the log with this `event`, in order. */
  lines(event: string): LogLine[];
  /** The first line of the log with this `event`, as soon as there is one. */
  line(event: string): Promise<LogLine>;
  /** The sum of a metric's series whose labels include these, as the admin port gives it. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
  /** Serves another snapshot; resolves when it is served. */
  offer(parts: SnapshotParts & { readonly secrets?: Readonly<Record<string, string>> }): Promise<void>;
  stop(): Promise<void>;
}

const materialOf = (secrets: Readonly<Record<string, string>> = {}) => secretMaterial(new Map(Object.entries(secrets)));

export async function startTestGateway({ secrets, gateway: more, ...parts }: TestGatewayOptions): Promise<TestGateway> {
  const holder = new SnapshotHolder();
  await holder.offer({ snapshot: makeSnapshot(parts), secrets: materialOf(secrets) });
  if (!holder.current) throw new Error(`the test's snapshot was refused: ${holder.refused}`);
  const text: string[] = [];
  const destination = { write: (line: string) => void text.push(line) };
  const bus = createMemoryBus();
  const gateway = await startGateway({
    source: holder,
    bus,
    hub: createHub({ bus }),
    log: createLog({ level: "debug", destination }),
    listen: { host: "127.0.0.1", portOf: () => 0, apiPort: 0, adminHost: "127.0.0.1", adminPort: 0 },
    ...more,
  });
  const { admin, listeners } = gateway.ports;
  const port = [...listeners.values()][0] as number;
  let sequence = parts.sequence ?? 1;
  const lines = (event: string): LogLine[] =>
    text.map((line) => JSON.parse(line) as LogLine).filter((line) => line.event === event);
  return {
    gateway,
    port,
    adminPort: admin,
    url: (path = "/") => `ws://127.0.0.1:${port}${path}`,
    lines,
    line: (event) => eventually(`a line about a ${event}`, () => lines(event)[0]),
    metric: (name, labels = {}) => scrape(admin, name, labels),
    async offer({ secrets: newSecrets = secrets, ...newParts }) {
      sequence += 1;
      await holder.offer({ snapshot: makeSnapshot({ sequence, ...newParts }), secrets: materialOf(newSecrets) });
    },
    stop: () => gateway.close(),
  };
}
