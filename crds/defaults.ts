/**
 * Every default of a policy, once. They are applied when a route is translated (route block, else the gateway's
 * `defaults` block, else these), so that a change of a default reaches routes that are already stored; only what
 * `kubectl get -o yaml` should show (a match's type, a backend's weight) is a default of the CRD itself.
 */
import type { GatewayDefaults, WebSocketGatewaySpec } from "./websocketgateway.ts";
import type { WebSocketRouteSpec } from "./websocketroute.ts";

export const DEFAULTS = {
  limits: { maxMessageSize: "1Mi", maxQueuedBytes: "1Mi" },
  onExceeded: "Close",
  /** A backend can be made to wait for a slow client; a hub serves others meanwhile. */
  onSlowClient: { backends: "Pause", hub: "Close" },
  timeouts: { handshake: "10s", connect: "5s", idle: "1h", maxLifetime: "0s" },
  keepAlive: { interval: "25s", timeout: "8s" },
  loadBalancing: { type: "ConsistentHash", key: { type: "ConnectionID" }, maxLoad: 125 },
  apiKeySources: [{ header: "X-Api-Key" }],
  jwtSources: [{ header: "Authorization", prefix: "Bearer " }],
  messages: { onInvalid: "Close", mode: "Enforce" },
  onChange: "Keep",
  drain: { timeout: "60s", maxDisconnectsPerSecond: 500 },
  allowedRoutes: { from: "Same" },
  redis: { type: "Standalone" },
  /** Of a fleet that the operator runs. */
  management: "Managed",
  replicas: 2,
  scaler: "HorizontalPodAutoscaler",
  service: { type: "LoadBalancer" },
  /** No limits: a gateway that is throttled holds up everybody, and one that is killed drops them. */
  podResources: { requests: { cpu: "100m", memory: "128Mi" } },
} as const;

/** The policy blocks that a gateway may give defaults for; a route's own block replaces the gateway's as a whole. */
export const POLICY_BLOCKS = [
  "requestHeaders",
  "authentication",
  "origins",
  "clientIPs",
  "limits",
  "timeouts",
  "keepAlive",
  "loadBalancing",
  "health",
  "messages",
  "onChange",
] as const satisfies readonly (keyof GatewayDefaults)[];

type Block = (typeof POLICY_BLOCKS)[number];
type Limits = NonNullable<WebSocketRouteSpec["limits"]>;
type Timeouts = NonNullable<WebSocketRouteSpec["timeouts"]>;
type KeepAlive = NonNullable<WebSocketRouteSpec["keepAlive"]>;
type LoadBalancing = NonNullable<WebSocketRouteSpec["loadBalancing"]>;
type HashKey = NonNullable<NonNullable<LoadBalancing["consistentHash"]>["key"]>;
type Filled<T, K extends keyof T> = Omit<T, K> & { [P in K]-?: NonNullable<T[P]> };

/** A route's policies with nothing left to default. Durations and sizes are still the texts of the manifest. */
export interface Policies extends Omit<Pick<WebSocketRouteSpec, Block>, FilledBlock> {
  readonly limits: Filled<Limits, "maxMessageSize" | "maxQueuedBytes" | "onSlowClient">;
  readonly timeouts: Filled<Timeouts, "handshake" | "connect" | "idle" | "maxLifetime">;
  readonly keepAlive: Filled<KeepAlive, "interval" | "timeout">;
  readonly loadBalancing: {
    readonly type: NonNullable<LoadBalancing["type"]>;
    readonly key: HashKey;
    readonly maxLoad: number;
  };
  readonly onChange: NonNullable<WebSocketRouteSpec["onChange"]>;
}
type FilledBlock = "limits" | "timeouts" | "keepAlive" | "loadBalancing" | "onChange";

/** The policies of a route under a gateway's `defaults` (undefined: that gateway gives none). */
export function resolvePolicies(route: WebSocketRouteSpec, gateway: GatewayDefaults | undefined): Policies {
  const block = <K extends Block>(name: K): WebSocketRouteSpec[K] =>
    (route[name] ?? gateway?.[name]) as WebSocketRouteSpec[K];
  const chosen = Object.fromEntries(POLICY_BLOCKS.map((name) => [name, block(name)])) as Pick<
    WebSocketRouteSpec,
    Block
  >;
  const hash = chosen.loadBalancing?.consistentHash;
  return {
    ...chosen,
    limits: {
      ...fill<Limits, "maxMessageSize" | "maxQueuedBytes">(DEFAULTS.limits, chosen.limits),
      onSlowClient: onSlowClient(route, chosen.limits),
    },
    timeouts: fill<Timeouts, keyof Timeouts>(DEFAULTS.timeouts, chosen.timeouts),
    keepAlive: fill<KeepAlive, keyof KeepAlive>(DEFAULTS.keepAlive, chosen.keepAlive),
    loadBalancing: {
      type: chosen.loadBalancing?.type ?? DEFAULTS.loadBalancing.type,
      key: hash?.key ?? DEFAULTS.loadBalancing.key,
      maxLoad: hash?.maxLoad ?? DEFAULTS.loadBalancing.maxLoad,
    },
    onChange: chosen.onChange ?? DEFAULTS.onChange,
  };
}

/** The gateway's settings that have defaults. */
export function resolveGateway(spec: WebSocketGatewaySpec): {
  readonly drain: { readonly timeout: string; readonly maxDisconnectsPerSecond: number };
  readonly allowedFrom: "Same" | "All" | "Selector";
  readonly redisType: "Standalone" | "Sentinel" | "Cluster";
} {
  return {
    drain: {
      timeout: spec.drain?.timeout ?? DEFAULTS.drain.timeout,
      maxDisconnectsPerSecond: spec.drain?.maxDisconnectsPerSecond ?? DEFAULTS.drain.maxDisconnectsPerSecond,
    },
    allowedFrom: spec.allowedRoutes?.namespaces?.from ?? DEFAULTS.allowedRoutes.from,
    redisType: spec.redis?.type ?? DEFAULTS.redis.type,
  };
}

/** A gateway's default may not fit the kind of route (there is no backend to pause behind a hub): then ours does. */
function onSlowClient(route: WebSocketRouteSpec, limits: Limits | undefined): NonNullable<Limits["onSlowClient"]> {
  const fallback = route.backendRefs === undefined ? DEFAULTS.onSlowClient.hub : DEFAULTS.onSlowClient.backends;
  const wanted = limits?.onSlowClient ?? fallback;
  const fits =
    (wanted !== "DropOldest" || route.hub !== undefined) && (wanted !== "Pause" || route.backendRefs !== undefined);
  return fits ? wanted : fallback;
}

/** The block with its gaps filled; a key that is present but undefined is a gap too. */
function fill<T extends object, K extends keyof T>(
  defaults: { readonly [P in K]: NonNullable<T[P]> },
  given: T | undefined,
): Filled<T, K> {
  const set = Object.entries(given ?? {}).filter(([, field]) => field !== undefined);
  return { ...defaults, ...Object.fromEntries(set) } as Filled<T, K>;
}
