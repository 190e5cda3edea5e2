/**
 * The contract between operator and gateway: everything one gateway needs to serve, resolved and immutable.
 *
 * Nothing here is a default or a reference that the gateway would have to resolve: durations are milliseconds, sizes are
 * bytes, hostnames are lower case, backends are named by `endpoints` keys, and secret material is named by its key in the
 * gateway's one Secret. An absent optional field means "no such policy".
 */
import { createHash, createHmac } from "node:crypto";
import { z } from "zod";

const name = z.string().min(1).max(253);
const milliseconds = z.int().min(0);
const bytes = z.int().min(0);
const header = z.strictObject({ name: z.string().min(1), value: z.string() });

/** A value in a match: exact, or an RE2 pattern that has to match the whole value. */
const valueMatch = z.strictObject({
  name: z.string().min(1),
  type: z.enum(["Exact", "RegularExpression"]),
  value: z.string(),
});

export const RouteMatch = z.strictObject({
  path: z.strictObject({ type: z.enum(["Exact", "PathPrefix", "RegularExpression"]), value: z.string().min(1) }),
  headers: z.array(valueMatch),
  queryParams: z.array(valueMatch),
});
export type RouteMatch = z.infer<typeof RouteMatch>;

/** What the load balancer hashes. `name` is the header, query parameter, cookie or claim; absent for the other types. */
export const HashKey = z.strictObject({
  type: z.enum(["ConnectionID", "ClientIP", "Header", "QueryParam", "Cookie", "Claim"]),
  name: z.string().optional(),
});
export type HashKey = z.infer<typeof HashKey>;

/** At most `burst` at once, and `rate` in each `interval` in the long run; what is counted is messages, bytes or handshakes. */
export const Rate = z.strictObject({ rate: z.int().min(1), interval: z.int().min(1), burst: z.int().min(1) });

/** `Fleet`: shared by all pods of the gateway. Absent: each pod by itself. */
const scope = z.literal("Fleet").optional();
/** `Report`: counted and logged, not enforced. Absent: enforced. */
const mode = z.literal("Report").optional();

/** Rates of what clients send. `scope` is about `perUser` only: one connection is on one pod. */
const TrafficRates = z.strictObject({
  perConnection: Rate.optional(),
  perUser: Rate.optional(),
  onExceeded: z.enum(["Close", "Drop", "Throttle", "Report"]),
  scope,
});

const Limits = z.strictObject({
  connections: z.strictObject({
    total: z.int().optional(),
    perClientIP: z.int().optional(),
    perUser: z.int().optional(),
    scope,
    mode,
  }),
  handshakes: z.strictObject({ total: Rate.optional(), perClientIP: Rate.optional(), scope, mode }).optional(),
  messages: TrafficRates.optional(),
  bytes: TrafficRates.optional(),
  maxMessageSize: bytes,
  maxQueuedBytes: bytes,
  onSlowClient: z.enum(["Close", "DropOldest", "Pause"]),
});

/** One place in the handshake where a credential may stand. */
export const CredentialSource = z.strictObject({
  in: z.enum(["header", "query", "cookie", "protocol"]),
  name: z.string(),
  prefix: z.string(),
  /** Of a query parameter that the backend gets as well; it does not otherwise. */
  toBackend: z.literal("Keep").optional(),
});
export type CredentialSource = z.infer<typeof CredentialSource>;

/** Where an issuer's keys are. `Secret` names a key of the gateway's Secret; `Missing` is a reference that leads nowhere. */
export const TokenKeys = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("Uri"), uri: z.string() }),
  z.strictObject({ type: z.literal("Discovery") }),
  z.strictObject({ type: z.literal("Secret"), secretKey: z.string() }),
  z.strictObject({ type: z.literal("Inline"), jwks: z.string() }),
  z.strictObject({ type: z.literal("Missing") }),
]);
export type TokenKeys = z.infer<typeof TokenKeys>;

export const TokenProvider = z.strictObject({
  name: z.string(),
  issuer: z.string().min(1),
  /** Empty for any. */
  audiences: z.array(z.string()),
  /** JWS algorithm names; nothing else is accepted, whatever the token says. */
  algorithms: z.array(z.string()).min(1),
  keys: TokenKeys,
  clockSkew: milliseconds,
});
export type TokenProvider = z.infer<typeof TokenProvider>;

export const JwtPolicy = z.strictObject({
  providers: z.array(TokenProvider).min(1),
  sources: z.array(CredentialSource).min(1),
  /** `name` is a path: names with dots between. */
  requiredClaims: z.array(z.strictObject({ name: z.string(), values: z.array(z.string()).min(1) })),
  forwardClaims: z.array(z.strictObject({ claim: z.string(), header: z.string() })),
  onExpiry: z.enum(["Close", "Ignore"]),
  optional: z.boolean(),
  /** `Report` counts and logs what would be refused, and lets it in. */
  mode: z.enum(["Enforce", "Report"]),
});
export type JwtPolicy = z.infer<typeof JwtPolicy>;

export const ExternalPolicy = z.strictObject({
  url: z.string(),
  timeout: milliseconds,
  forwardHeaders: z.array(z.string()),
  responseHeaders: z.array(z.string()),
  failOpen: z.boolean(),
});
export type ExternalPolicy = z.infer<typeof ExternalPolicy>;

/** What messages have to be; on a route that has it they are read, not only passed. Expressions are CEL (see `policy/`). */
export const MessagePolicy = z.strictObject({
  accept: z.array(z.enum(["Text", "Binary"])).min(1),
  /** JSON Schema 2020-12, as JSON text. */
  schema: z.string().optional(),
  allow: z.array(z.string()),
  transform: z.strictObject({ fromClient: z.string().optional(), toClient: z.string().optional() }),
  onInvalid: z.enum(["Close", "Drop", "Report", "Reply"]),
  /** What the client is sent with `Reply`. */
  reply: z.string().optional(),
  mode: z.enum(["Enforce", "Report"]),
});
export type MessagePolicy = z.infer<typeof MessagePolicy>;

export const Route = z.strictObject({
  namespace: name,
  name,
  generation: z.int().min(0),
  /**
   * Among equals the lower one wins, then the smaller namespace/name: when the route was created, in seconds since the epoch (0 where
   * that is not known). Not a rank, because a rank would change other routes' parts when one comes or goes.
   */
  order: z.int().min(0),
  /** Listener names of this gateway that the route is attached to. */
  listeners: z.array(name).min(1),
  /** Exact names or `*.suffix`; empty for any host. Already intersected with the listeners' own hostnames. */
  hostnames: z.array(z.string()),
  matches: z.array(RouteMatch).min(1),
  /** `id` names an entry of `Snapshot.endpoints`. Weights are relative; 0 takes no new connection. */
  backends: z.array(z.strictObject({ id: z.string(), weight: z.int().min(0) })),
  rewrite: z
    .strictObject({
      path: z.strictObject({ type: z.enum(["ReplacePrefixMatch", "ReplaceFullPath"]), value: z.string() }).optional(),
      hostname: z.string().optional(),
    })
    .optional(),
  requestHeaders: z
    .strictObject({ set: z.array(header), add: z.array(header), remove: z.array(z.string()) })
    .optional(),
  /** Allowed Sec-WebSocket-Protocol values, in the route's order of preference. */
  protocols: z.array(z.string()).optional(),
  /** `secretKeys` are keys of the gateway's Secret; each value is one API key. */
  apiKeys: z.strictObject({ secretKeys: z.array(z.string()), sources: z.array(CredentialSource).min(1) }).optional(),
  jwt: JwtPolicy.optional(),
  external: ExternalPolicy.optional(),
  /** Exact origins or `scheme://*.suffix`. */
  origins: z.array(z.string()).optional(),
  clientIPs: z.strictObject({ allow: z.array(z.string()), deny: z.array(z.string()) }).optional(),
  limits: Limits,
  messages: MessagePolicy.optional(),
  timeouts: z.strictObject({
    handshake: milliseconds,
    connect: milliseconds,
    /** 0 turns the timeout off, here and for `maxLifetime`. */
    idle: milliseconds,
    maxLifetime: milliseconds,
  }),
  /** `interval` 0 turns keep-alive off. */
  keepAlive: z.strictObject({ interval: milliseconds, timeout: milliseconds }),
  loadBalancing: z.strictObject({
    type: z.enum(["ConsistentHash", "LeastConnections", "RoundRobin", "Random"]),
    key: HashKey,
    /** Percent of the mean load that an endpoint may carry before its keys overflow to the next one; 0 for unbounded. */
    maxLoad: z.int().min(0),
  }),
  hub: z.strictObject({ name: z.string().min(1), groups: z.array(z.string()) }).optional(),
  /** Set when the route is attached but cannot be served: it answers this and never someone else's backend. */
  unavailable: z.strictObject({ reason: z.enum(["RouteNotResolved", "NoEndpoints"]), message: z.string() }).optional(),
});
export type Route = z.infer<typeof Route>;

export const Endpoint = z.strictObject({ address: z.string(), port: z.int().min(1).max(65535) });
export type Endpoint = z.infer<typeof Endpoint>;

/** Ready endpoints of one backend, sorted by address and port. An empty list is a Service without ready endpoints. */
export const BackendEndpoints = z.strictObject({ id: z.string(), endpoints: z.array(Endpoint) });
export type BackendEndpoints = z.infer<typeof BackendEndpoints>;

export const Listener = z.strictObject({
  name,
  port: z.int().min(0).max(65535),
  protocol: z.enum(["WS", "WSS"]),
  hostname: z.string().optional(),
  /** Keys of the gateway's Secret that hold PEM chains and PEM private keys; the first is the default without SNI. */
  certificates: z.array(z.strictObject({ cert: z.string(), key: z.string(), hostnames: z.array(z.string()) })),
});
export type Listener = z.infer<typeof Listener>;

export const GatewaySettings = z.strictObject({
  namespace: name,
  name,
  generation: z.int().min(0),
  listeners: z.array(Listener).min(1),
  /** CIDRs whose X-Forwarded-For is believed. */
  trustedProxies: z.array(z.string()),
  redis: z
    .strictObject({ url: z.string().optional(), secretKey: z.string().optional(), type: z.enum(["Standalone"]) })
    .optional(),
  drain: z.strictObject({ timeout: milliseconds, maxDisconnectsPerSecond: z.int().min(1) }),
});
export type GatewaySettings = z.infer<typeof GatewaySettings>;

/** The keys of the gateway's Secret, by name. Values never leave this object; it prints as names only. */
export interface SecretMaterial {
  get(key: string): string | undefined;
}

/**
 * What `translate` makes and a gateway serves. `revision` is the hash of everything but itself and `sequence`;
 * `sequence` grows by one with each new revision of this gateway, also across restarts of the operator.
 */
export interface Snapshot {
  readonly revision: string;
  readonly sequence: number;
  readonly settings: GatewaySettings;
  readonly routes: readonly Route[];
  readonly endpoints: ReadonlyMap<string, readonly Endpoint[]>;
}

export const ROUTES_PART = z.strictObject({ routes: z.array(Route) });
export const ENDPOINTS_PART = z.strictObject({ backends: z.array(BackendEndpoints) });

/** One part: `object` is the ConfigMap's name, which carries the hash, so a part's content never changes. */
export const PartReference = z.strictObject({
  kind: z.enum(["routes", "endpoints"]),
  object: name,
  /** sha256 of the uncompressed JSON text, in hex. */
  hash: z.string().length(64),
});
export type PartReference = z.infer<typeof PartReference>;

export const SnapshotIndex = z.strictObject({
  format: z.literal(1),
  revision: z.string(),
  sequence: z.int().min(1),
  settings: GatewaySettings,
  /** Changes when the gateway's Secret does; an HMAC under a key that is in the Secret, so that it reveals nothing. */
  secretRevision: z.string(),
  parts: z.array(PartReference),
});
export type SnapshotIndex = z.infer<typeof SnapshotIndex>;

/** Names and keys of the Kubernetes objects that carry a snapshot. */
export const SNAPSHOT_OBJECTS = {
  gatewayLabel: "holdfast.dev/gateway",
  roleLabel: "holdfast.dev/role",
  roles: { index: "index", part: "part", secret: "secret", pod: "pod" },
  indexKey: "index.json",
  partKey: "part.json",
  partGzipKey: "part.json.gz",
  indexName: (gateway: string): string => `holdfast-${gateway}`,
  secretName: (gateway: string): string => `holdfast-${gateway}`,
  connectionIdKey: "connection-id.key",
  apiTokenKey: "api-token",
  acknowledgement: {
    revision: "holdfast.dev/revision",
    sequence: "holdfast.dev/sequence",
    connections: "holdfast.dev/connections",
    refused: "holdfast.dev/refused",
    ready: "holdfast.dev/ready",
    /** How many connections are left; empty while the process does not drain. */
    draining: "holdfast.dev/draining",
  },
} as const;

/** sha256 in hex of a part's uncompressed JSON text: `PartReference.hash`. */
export function partHash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/**
 * `SnapshotIndex.secretRevision` of the Secret's decoded values: an HMAC keyed with the connection-ID key, which is random and
 * never leaves the Secret, so that the index tells when the Secret changed and nothing about what is in it.
 */
export function secretRevision(values: ReadonlyMap<string, string>): string {
  const mac = createHmac("sha256", values.get(SNAPSHOT_OBJECTS.connectionIdKey) ?? "");
  for (const key of [...values.keys()].sort()) {
    const value = values.get(key) ?? "";
    mac.update(`${key.length}:${value.length}:${key}${value}`);
  }
  return mac.digest("hex").slice(0, 16);
}
