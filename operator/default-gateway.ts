/**
 * The gateway that an installation brings along: a WebSocketGateway as text in a ConfigMap. Helm cannot install an object together
 * with the definition of its kind, so the operator makes it, keeps it as the text says, and lets it go with its ConfigMap.
 */
import { parse } from "yaml";
import { formatProblems, parseGateway } from "../crds/parse.ts";
import type { KubeClient } from "../kube/client.ts";
import type { Clock } from "../kube/clock.ts";
import { type ListWatchState, listWatch } from "../kube/listwatch.ts";
import type { KubeObject } from "../kube/objects.ts";
import { RESOURCES } from "../kube/resources.ts";
import type { Cluster, GatewayEntry } from "./cluster.ts";
import { APPLIED_ANNOTATION, withHash } from "./fleet/compare.ts";
import type { ConfigMap, ObjectMeta } from "./objects.ts";
import type { FleetObject } from "./render/fleet/identity.ts";
import { Retries } from "./retries.ts";

/** Where the text stands in the ConfigMap's data. */
export const MANIFEST_KEY = "gateway.yaml";
const FIELD_MANAGER = "holdfast-default-gateway";
const BACKOFF = { firstMs: 500, maxMs: 30_000 };

export interface DefaultGatewayOptions {
  readonly client: Pick<KubeClient, "list" | "watch" | "apply" | "delete">;
  readonly configMap: { readonly namespace: string; readonly name: string };
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Another look is wanted. */
  readonly onChange: () => void;
  readonly onState: (what: string, state: ListWatchState) => void;
  readonly onWrite: (kind: string) => void;
  /** Takes in what was written, before a watch brings it. */
  readonly took: (object: KubeObject) => void;
  /** What keeps the gateway from being as the text says; it is tried again in `retryInMs`. */
  readonly onError: (what: string, error: unknown, retryInMs: number) => void;
  /** A look is wanted by this time (clock's milliseconds). */
  readonly wakeBy: (time: number) => void;
}

export class DefaultGateway {
  /** Resolves when the watching has ended after the signal. */
  readonly ended: Promise<void>;
  readonly #options: DefaultGatewayOptions;
  readonly #retries: Retries;
  readonly #what: string;
  #source: ConfigMap | undefined;

  constructor(options: DefaultGatewayOptions) {
    const { client, configMap, clock, random, signal, onState } = options;
    this.#options = options;
    this.#retries = new Retries(BACKOFF, random);
    this.#what = `the gateway of ConfigMap ${configMap.namespace}/${configMap.name}`;
    this.ended = listWatch<KubeObject>({
      client,
      resource: RESOURCES.configMaps,
      namespace: configMap.namespace,
      fieldSelector: `metadata.name=${configMap.name}`,
      onSync: (objects) => this.#take(objects[0]),
      onEvent: ({ type, object }) => this.#take(type === "DELETED" ? undefined : object),
      onState: (state) => onState(`configmaps ${configMap.namespace}/${configMap.name}`, state),
      clock,
      random,
      signal,
    });
  }

  /** Makes the gateway as the text says, where it is not. Failures are told and tried again; it never rejects. */
  async keep(cluster: Cluster): Promise<void> {
    const { clock, signal, onError, wakeBy } = this.#options;
    if (this.#source === undefined) return;
    const notBefore = this.#retries.notBefore(this.#what);
    if (notBefore > clock.now()) return wakeBy(notBefore);
    try {
      await this.#write(this.#source, cluster);
      this.#retries.succeeded(this.#what);
    } catch (error) {
      if (signal.aborted) return;
      const retryInMs = this.#retries.failed(this.#what, clock.now());
      onError(this.#what, error, retryInMs);
      wakeBy(clock.now() + retryInMs);
    }
  }

  async #write(source: ConfigMap, { gateways }: Cluster): Promise<void> {
    const { client, signal, onWrite, took } = this.#options;
    const resource = RESOURCES.webSocketGateways;
    const desired = withHash(gatewayOf(source));
    const { namespace, name } = desired.metadata;
    for (const { metadata } of [...gateways.values()]) {
      if (metadata.namespace !== namespace || metadata.name === name || !isMadeOf(metadata, source)) continue;
      onWrite("delete");
      await client.delete({ resource, namespace, name: metadata.name }, { uid: metadata.uid, signal });
    }
    if (isKept(gateways.get(`${namespace}/${name}`), desired, source)) return;
    onWrite("gateway");
    took(
      await client.apply({ resource, namespace, name }, desired, {
        fieldManager: FIELD_MANAGER,
        conflicts: "force",
        signal,
      }),
    );
  }

  #take(source: KubeObject | undefined): void {
    this.#source = source as ConfigMap | undefined;
    this.#retries.succeeded(this.#what);
    this.#options.onChange();
  }
}

/** @throws Error that says what is wrong with the text. */
function gatewayOf({ data, metadata }: ConfigMap): FleetObject {
  const object = parse(data?.[MANIFEST_KEY] ?? "") as FleetObject | null;
  const parsed = parseGateway(object);
  if (object === null || !parsed.ok)
    throw new Error(`${MANIFEST_KEY}: ${parsed.ok ? "is empty" : formatProblems(parsed.problems)}`);
  const namespace = metadata.namespace ?? "default";
  if ((object.metadata.namespace ?? namespace) !== namespace)
    throw new Error(`${MANIFEST_KEY}: metadata.namespace must be ${namespace}, that of the ConfigMap`);
  const owner = { apiVersion: "v1", kind: "ConfigMap", name: metadata.name, uid: metadata.uid ?? "" };
  return { ...object, metadata: { ...object.metadata, namespace, ownerReferences: [owner] } };
}

/** @throws Error when there is a gateway of that name that somebody else made. */
function isKept(entry: GatewayEntry | undefined, desired: FleetObject, source: ConfigMap): boolean {
  if (entry === undefined) return false;
  const { metadata } = entry;
  if (!isMadeOf(metadata, source))
    throw new Error(
      `WebSocketGateway ${metadata.name} exists and was not made of it: delete that one, or choose another name`,
    );
  // The hash covers the owner's uid too, which is another one after a new installation.
  return metadata.annotations?.[APPLIED_ANNOTATION] === desired.metadata.annotations?.[APPLIED_ANNOTATION];
}

function isMadeOf({ ownerReferences = [] }: ObjectMeta, { metadata }: ConfigMap): boolean {
  return ownerReferences.some(({ kind, name }) => kind === "ConfigMap" && name === metadata.name);
}
