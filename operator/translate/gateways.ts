/** WebSocketGateways: what is accepted, and their settings with every reference resolved. */
import { resolveGateway } from "../../crds/defaults.ts";
import { formatProblems } from "../../crds/parse.ts";
import { parseDuration } from "../../crds/primitives.ts";
import type { WebSocketGatewaySpec } from "../../crds/websocketgateway.ts";
import type { GatewaySettings } from "../../gateway/snapshot.ts";
import type { Cluster, GatewayEntry } from "../cluster.ts";
import { type ResolvedCertificates, resolveCertificates } from "./certificates.ts";
import { joined, type Objection } from "./condition.ts";
import type { GatewayDraft, ListenerDraft } from "./draft.ts";
import type { TranslateOptions } from "./plan.ts";
import { oneLine, SECRET_KEYS, valuesOf, withoutSecret } from "./secrets.ts";
import { unsupportedInGateway } from "./supported.ts";

/** Every gateway of the cluster, by `namespace/name`, sorted. */
export function draftGateways(
  cluster: Cluster,
  options: Pick<TranslateOptions, "fleet"> = {},
): ReadonlyMap<string, GatewayDraft> {
  const sorted = [...cluster.gateways].sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(sorted.map(([key, entry]) => [key, draftGateway(cluster, entry, { key, ...options })]));
}

function draftGateway(
  cluster: Cluster,
  entry: GatewayEntry,
  { key, fleet }: { readonly key: string } & Pick<TranslateOptions, "fleet">,
): GatewayDraft {
  const namespace = entry.metadata.namespace ?? "default";
  const base = { key, namespace, entry };
  if (!entry.parsed.ok) {
    const rejected: Objection = { reason: "Invalid", message: formatProblems(entry.parsed.problems) };
    return { ...base, accepted: undefined, rejected };
  }
  const { spec } = entry.parsed.value;
  const rejected = unsupportedInGateway(spec, fleet);
  if (rejected !== undefined) return { ...base, accepted: undefined, rejected };
  return { ...base, accepted: acceptedParts({ cluster, entry, spec, namespace }), rejected: undefined };
}

interface Accepting {
  readonly cluster: Cluster;
  readonly entry: GatewayEntry;
  readonly spec: WebSocketGatewaySpec;
  readonly namespace: string;
}

function acceptedParts({ cluster, entry, spec, namespace }: Accepting): NonNullable<GatewayDraft["accepted"]> {
  const certificates = spec.listeners.map((listener) =>
    resolveCertificates(cluster, listener.tls?.certificateRefs ?? [], namespace),
  );
  const listeners = spec.listeners.map((listener, index) => draftListener(listener, certificates[index]));
  const redis = resolveRedis(cluster, spec, namespace);
  const { drain } = resolveGateway(spec);
  const settings: GatewaySettings = {
    namespace,
    name: entry.metadata.name,
    generation: entry.metadata.generation ?? 1,
    listeners: listeners.map((listener) => listener.settings),
    trustedProxies: [...(spec.trustedProxies ?? [])],
    ...(redis.settings === undefined ? {} : { redis: redis.settings }),
    drain: { timeout: parseDuration(drain.timeout), maxDisconnectsPerSecond: drain.maxDisconnectsPerSecond },
  };
  const secretValues = new Map([
    ...certificates.flatMap((resolved) => [...resolved.secretValues]),
    ...redis.secretValues,
  ]);
  const unresolved = [...listeners.flatMap((listener) => listener.unresolved ?? []), ...redis.objections];
  return { spec, settings, listeners, unresolved, secretValues };
}

function draftListener(
  { name, port, protocol, hostname }: WebSocketGatewaySpec["listeners"][number],
  resolved: ResolvedCertificates | undefined,
): ListenerDraft {
  const settings = {
    name,
    port,
    protocol,
    ...(hostname === undefined ? {} : { hostname }),
    certificates: [...(resolved?.certificates ?? [])],
  };
  return { settings, unresolved: joined(resolved?.objections ?? []) };
}

interface ResolvedRedis {
  readonly settings: GatewaySettings["redis"];
  readonly secretValues: ReadonlyMap<string, string>;
  readonly objections: readonly Objection[];
}

/** A missing Secret leaves the gateway with a Redis that it cannot reach, and not quietly with none. */
function resolveRedis(cluster: Cluster, { redis }: WebSocketGatewaySpec, namespace: string): ResolvedRedis {
  if (redis === undefined) return { settings: undefined, secretValues: new Map(), objections: [] };
  const type = "Standalone";
  const { url, secretRef } = redis;
  if (secretRef === undefined)
    return { settings: { type, ...(url === undefined ? {} : { url }) }, secretValues: new Map(), objections: [] };
  const settings = { type, secretKey: SECRET_KEYS.redisUrl } as const;
  const key = `${namespace}/${secretRef.name}`;
  const secret = cluster.secrets.get(key);
  const value = secret === undefined ? undefined : valuesOf(secret).get(secretRef.key);
  if (value) return { settings, secretValues: new Map([[SECRET_KEYS.redisUrl, oneLine(value)]]), objections: [] };
  const objection: Objection =
    secret === undefined
      ? withoutSecret(cluster, key)
      : { reason: "SecretNotFound", message: `Secret ${key} has no key ${secretRef.key}` };
  return { settings, secretValues: new Map(), objections: [objection] };
}
