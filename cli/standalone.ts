/**
 * Standalone: manifests from files through the operator's own pass and the gateway's own assembly, without a cluster. What
 * the operator would write to the API goes straight into the assembly.
 */
import { randomBytes } from "node:crypto";
import { Assembler } from "../gateway/config/assemble.ts";
import type { SnapshotHolder } from "../gateway/config/source.ts";
import type { Log } from "../gateway/observe/log.ts";
import { type SecretMaterial, SNAPSHOT_OBJECTS } from "../gateway/snapshot.ts";
import type { ClusterStore } from "../operator/cluster.ts";
import { type LoadedFiles, watchFiles } from "../operator/files.ts";
import type { ConfigMap, Secret } from "../operator/objects.ts";
import { emptyMemory, type PassResult, pass } from "../operator/pass.ts";
import type { GatewayName } from "./options.ts";

export interface StandaloneOptions {
  readonly paths: readonly string[];
  /** Which WebSocketGateway of the files to serve; omitted where there is just one. */
  readonly gateway: GatewayName | undefined;
  /** The API's bearer token, in place of a random one that would be new with each start. */
  readonly apiToken: string;
  readonly holder: SnapshotHolder;
  readonly log: Log;
  readonly signal: AbortSignal;
}

type Rendered = Extract<PassResult["gateways"][number]["rendered"], { ok: true }>;

/** Follows the files until the signal aborts; resolves when what they held at first is served or refused. */
export async function followFiles(options: StandaloneOptions): Promise<void> {
  const standalone = new Standalone(options);
  const loaded = await watchFiles(options.paths, (next) => void standalone.take(next), { signal: options.signal });
  await standalone.take(loaded);
}

class Standalone {
  readonly #options: StandaloneOptions;
  readonly #assembler = new Assembler();
  /** Carried from one reading to the next, as the API server would: the index's sequence, the Secret's keys. */
  readonly #written = { indexes: new Map<string, ConfigMap>(), secrets: new Map<string, Secret>() };
  #memory = emptyMemory();
  /** What was last said of each object, so that only changes are logged. */
  #said = new Map<string, string>();

  constructor(options: StandaloneOptions) {
    this.#options = options;
  }

  async take({ cluster, problems }: LoadedFiles): Promise<void> {
    const { holder, log } = this.#options;
    const said = new Map<string, string>();
    for (const { file, line, message } of problems) this.#say(said, `${file}:${line}`, message);
    const result = this.#pass(cluster);
    for (const { key, status } of result.routeStatuses)
      this.#sayConditions(said, `WebSocketRoute ${key}`, status.conditions);
    for (const { key, status } of result.gatewayStatuses)
      this.#sayConditions(said, `WebSocketGateway ${key}`, status.conditions);
    this.#said = said;
    const rendered = this.#choose(result);
    if (typeof rendered === "string") return holder.refuse(rendered);
    const { parts, index, secret } = rendered.objects;
    const named = new Map(parts.map((part) => [part.metadata.name, part]));
    const assembled = this.#assembler.assemble({ index, parts: named, secret });
    if (assembled.kind !== "candidate")
      throw new Error(`the rendered snapshot does not assemble: ${JSON.stringify(assembled)}`);
    const unchanged = assembled.candidate.snapshot.revision === holder.current?.snapshot.revision;
    if (unchanged) return log.debug({ event: "files" }, "the files changed, what they mean did not");
    const { snapshot, secrets } = assembled.candidate;
    await holder.offer({ snapshot, secrets: this.#withToken(secrets) });
  }

  #withToken(secrets: SecretMaterial): SecretMaterial {
    return {
      ...secrets,
      get: (key) => (key === SNAPSHOT_OBJECTS.apiTokenKey ? this.#options.apiToken : secrets.get(key)),
    };
  }

  #pass(cluster: ClusterStore): PassResult {
    for (const [key, index] of this.#written.indexes) cluster.indexes.set(key, index);
    for (const [key, secret] of this.#written.secrets) cluster.secrets.set(key, secret);
    const result = pass({
      cluster,
      memory: this.#memory,
      options: { externalNames: "Allow", fleet: "Ignore" },
      now: Date.now(),
      random: randomBytes,
    });
    this.#memory = result.memory;
    for (const { plan, rendered } of result.gateways) {
      if (!rendered.ok) continue;
      const { namespace, name } = plan.settings;
      this.#written.indexes.set(`${namespace}/${SNAPSHOT_OBJECTS.indexName(name)}`, rendered.objects.index);
      this.#written.secrets.set(`${namespace}/${SNAPSHOT_OBJECTS.secretName(name)}`, rendered.objects.secret);
    }
    return result;
  }

  /** The snapshot of the gateway to serve, or why there is none. */
  #choose({ gateways }: PassResult): Rendered | string {
    const { gateway } = this.#options;
    const keys = gateways.map(({ plan }) => plan.key);
    const wanted = gateway ? `${gateway.namespace}/${gateway.name}` : keys[0];
    if (!gateway && keys.length > 1)
      return `the files hold several gateways (${keys.join(", ")}): choose one with --gateway`;
    const found = gateways.find(({ plan }) => plan.key === wanted);
    if (!found)
      return wanted ? `there is no gateway ${wanted} that can be served` : "no gateway in the files can be served";
    return found.rendered.ok ? found.rendered : found.rendered.message;
  }

  /** Without a fleet, `Programmed` and `Ready` say nothing: what is said is what is wrong with the manifests. */
  #sayConditions(said: Map<string, string>, what: string, conditions: readonly Condition[] = []): void {
    for (const { type, status, reason, message } of conditions) {
      if (status === "True" || type === "Programmed" || type === "Ready") continue;
      this.#say(said, `${what} ${type}=${status}/${reason}`, message);
    }
  }

  #say(said: Map<string, string>, where: string, message: string): void {
    said.set(where, message);
    if (this.#said.get(where) !== message) this.#options.log.warn({ event: "files", where }, message);
  }
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}
