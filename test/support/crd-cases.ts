/**
 * Examples for the rules of the API, used twice: `crds/rules.test.ts` gives them to the parser, and
 * `test/integration/crds.test.ts` to a real API server. Both must decide the same, with the same words.
 */
import { API_VERSION, type Kind } from "../../crds/kinds.ts";

type Spec = Record<string, unknown>;

export interface Case {
  /** The object's name, so that many can be told apart in one answer. */
  readonly name: string;
  readonly kind: Kind;
  readonly spec: Spec;
}

export interface InvalidCase extends Case {
  /** Where the problem is, as `kubectl` shows it. */
  readonly path: string;
  readonly message: string;
}

const ROUTE: Spec = { backendRefs: [{ name: "chat", port: 3000 }] };
const LISTENER = { name: "ws", port: 8080, protocol: "WS" };
const GATEWAY: Spec = { listeners: [LISTENER] };

/** The object that a case stands for. */
export function manifestOf({ name, kind, spec }: Case, namespace = "default"): object {
  return { apiVersion: API_VERSION, kind, metadata: { name, namespace }, spec };
}

/** A base with some fields replaced; `undefined` takes one away. */
function change(base: Spec, fields: Spec): Spec {
  const entries = Object.entries({ ...base, ...fields }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}

type Row = readonly [name: string, fields: Spec, path: string, message: string];

const DURATION = "must be a duration such as 500ms or 1h30m, from";
const NAME = "must be an object's name: lower-case letters and digits, with - and . between";
const LABEL = "must be lower-case letters and digits, with - between";
const TOKEN = "must be an HTTP token: letters, digits and !#$%&'*+-.^_`|~";
const HOSTNAME = "must be a DNS name in lower case such as chat.example.com or *.example.com, not an address";
const ORIGIN = "must be an origin in lower case such as https://example.com or https://*.example.com, without a path";
const CIDR = "must be a CIDR such as 10.0.0.0/8 or 2001:db8::/32; one address is 192.0.2.1/32";
const URL = "must be an http or https URL without user, password or fragment";
const HEADER = "must not be a header of the handshake itself or one that Holdfast sets (rewrite.hostname changes Host)";
const KEEP_ALIVE = "timeout (8s where omitted) must be shorter than interval (25s where omitted)";
const PLACE = "set exactly one of header, queryParam, cookie or protocol";
const HASH_NAME = "name is needed for Header, QueryParam, Cookie and Claim, and for nothing else";
const SHARED_KEYS = "HS algorithms need jwks.secretRef and cannot be mixed with others";
const SELECTOR = "values are needed for In and NotIn, and for nothing else";
const SEGMENTS = "must not contain . or .. segments: requests are normalised before they are matched";
const ENCODED = "must not contain an encoded slash, backslash or NUL: such requests are refused";
const CHARACTERS = "must consist of characters that a URL path may hold, others percent-encoded; no ? and no #";

const path = (type: string, value: string): Spec => ({ matches: [{ path: { type, value } }] });
const provider = (fields: Spec): Spec => ({
  authentication: { jwt: { providers: [{ name: "main", issuer: "https://id.example.com", ...fields }] } },
});
const claims = (fields: Spec): Spec => ({
  authentication: { jwt: { providers: [{ name: "main", issuer: "https://id.example.com" }], ...fields } },
});
const apiKeySource = (source: Spec): Spec => ({
  authentication: { apiKeys: { secretRef: { name: "keys" }, sources: [source] } },
});
const hash = (key: Spec): Spec => ({ loadBalancing: { type: "ConsistentHash", consistentHash: { key } } });

const INVALID_ROUTES: readonly Row[] = [
  ["nowhere", { backendRefs: undefined }, "spec", "a route needs backendRefs or hub"],
  [
    "drop-oldest-without-hub",
    { limits: { onSlowClient: "DropOldest" } },
    "spec",
    "limits.onSlowClient DropOldest needs hub: frames between a client and its backend cannot be left out",
  ],
  [
    "pause-without-backend",
    { backendRefs: undefined, hub: {}, limits: { onSlowClient: "Pause" } },
    "spec",
    "limits.onSlowClient Pause needs backendRefs: there is nothing else to pause",
  ],
  [
    "prefix-rewrite-of-exact-path",
    { ...path("Exact", "/ws"), rewrite: { path: { type: "ReplacePrefixMatch", value: "/" } } },
    "spec",
    "rewrite.path ReplacePrefixMatch needs every match to be of path type PathPrefix",
  ],
  [
    "rewrite-without-backend",
    { backendRefs: undefined, hub: {}, rewrite: { hostname: "chat.internal" } },
    "spec",
    "rewrite needs backendRefs: nothing else sees the path and the host",
  ],
  ["parent-twice", { parentRefs: [{ name: "a" }, { name: "a" }] }, "spec.parentRefs", "must name each parent once"],
  [
    "backend-twice",
    {
      backendRefs: [
        { name: "a", port: 1, weight: 1 },
        { name: "a", port: 1, weight: 2 },
      ],
    },
    "spec.backendRefs",
    "must name each backend once; give it a weight instead",
  ],
  ["hostname-is-address", { hostnames: ["192.0.2.1"] }, "spec.hostnames[0]", HOSTNAME],
  ["hostname-upper-case", { hostnames: ["Chat.example.com"] }, "spec.hostnames[0]", HOSTNAME],
  ["hostname-inner-wildcard", { hostnames: ["a.*.example.com"] }, "spec.hostnames[0]", HOSTNAME],
  ["hostname-with-port", { hostnames: ["chat.example.com:8080"] }, "spec.hostnames[0]", HOSTNAME],
  [
    "rewrite-to-wildcard",
    { rewrite: { hostname: "*.example.com" } },
    "spec.rewrite.hostname",
    "must be one exact hostname",
  ],
  ["path-relative", path("PathPrefix", "ws"), "spec.matches[0].path.value", "must start with /"],
  [
    "path-double-slash",
    path("Exact", "/a//b"),
    "spec.matches[0].path.value",
    "must not contain //: requests are normalised before they are matched",
  ],
  ["path-dot-segment", path("Exact", "/a/./b"), "spec.matches[0].path.value", SEGMENTS],
  ["path-ends-in-dots", path("PathPrefix", "/a/.."), "spec.matches[0].path.value", SEGMENTS],
  ["path-with-query", path("Exact", "/a?b=c"), "spec.matches[0].path.value", CHARACTERS],
  ["path-with-bad-escape", path("Exact", "/a%2"), "spec.matches[0].path.value", CHARACTERS],
  ["path-encoded-slash", path("Exact", "/a%2Fb"), "spec.matches[0].path.value", ENCODED],
  [
    "rewrite-path-relative",
    { rewrite: { path: { type: "ReplaceFullPath", value: "ws" } } },
    "spec.rewrite.path.value",
    "must start with /",
  ],
  ["sets-host", { requestHeaders: { set: [{ name: "Host", value: "x" }] } }, "spec.requestHeaders.set[0].name", HEADER],
  [
    "removes-handshake-header",
    { requestHeaders: { remove: ["sec-websocket-KEY"] } },
    "spec.requestHeaders.remove[0]",
    HEADER,
  ],
  [
    "forges-own-header",
    { requestHeaders: { add: [{ name: "Holdfast-Connection-Id", value: "x" }] } },
    "spec.requestHeaders.add[0].name",
    HEADER,
  ],
  ["no-authentication", { authentication: {} }, "spec.authentication", "set at least one of jwt, external or apiKeys"],
  [
    "keys-from-two-places",
    provider({ jwks: { uri: "https://id.example.com/jwks", inline: "{}" } }),
    "spec.authentication.jwt.providers[0].jwks",
    "set exactly one of uri, secretRef, configMapRef or inline",
  ],
  [
    "keys-from-nowhere",
    provider({ jwks: {} }),
    "spec.authentication.jwt.providers[0].jwks",
    "set exactly one of uri, secretRef, configMapRef or inline",
  ],
  [
    "shared-key-from-public-place",
    provider({ algorithms: ["HS256"], jwks: { uri: "https://id.example.com/jwks" } }),
    "spec.authentication.jwt.providers[0]",
    SHARED_KEYS,
  ],
  [
    "shared-key-mixed",
    provider({ algorithms: ["RS256", "HS256"], jwks: { secretRef: { name: "s", key: "k" } } }),
    "spec.authentication.jwt.providers[0]",
    SHARED_KEYS,
  ],
  [
    "discovery-from-no-url",
    provider({ issuer: "internal" }),
    "spec.authentication.jwt.providers[0]",
    "without jwks, the issuer must be a URL that the keys can be discovered from",
  ],
  [
    "bad-keys-url",
    provider({ jwks: { uri: "ftp://id.example.com/jwks" } }),
    "spec.authentication.jwt.providers[0].jwks.uri",
    URL,
  ],
  [
    "skew-too-large",
    provider({ clockSkew: "11m" }),
    "spec.authentication.jwt.providers[0].clockSkew",
    `${DURATION} 1s to 10m, or 0s for none`,
  ],
  [
    "claim-with-empty-part",
    claims({ requiredClaims: [{ name: "realm..roles", values: ["chat"] }] }),
    "spec.authentication.jwt.requiredClaims[0].name",
    "must be a claim's name, or names with dots between for nested ones",
  ],
  [
    "source-of-two-places",
    apiKeySource({ header: "X-Api-Key", cookie: "key" }),
    "spec.authentication.apiKeys.sources[0]",
    PLACE,
  ],
  ["source-of-no-place", apiKeySource({}), "spec.authentication.apiKeys.sources[0]", PLACE],
  [
    "prefix-without-header",
    apiKeySource({ cookie: "key", prefix: "Bearer " }),
    "spec.authentication.apiKeys.sources[0]",
    "prefix belongs to header only",
  ],
  [
    "header-to-backend",
    apiKeySource({ header: "X-Api-Key", toBackend: "Keep" }),
    "spec.authentication.apiKeys.sources[0]",
    "toBackend belongs to queryParam only",
  ],
  [
    "authoriser-with-password",
    { authentication: { external: { url: "http://u:p@authz/" } } },
    "spec.authentication.external.url",
    URL,
  ],
  [
    "authoriser-too-slow",
    { authentication: { external: { url: "http://authz/", timeout: "2m" } } },
    "spec.authentication.external.timeout",
    `${DURATION} 100ms to 1m`,
  ],
  ["origin-with-path", { origins: ["https://example.com/chat"] }, "spec.origins[0]", ORIGIN],
  ["origin-null", { origins: ["null"] }, "spec.origins[0]", ORIGIN],
  [
    "origin-with-default-port",
    { origins: ["https://example.com:443"] },
    "spec.origins[0]",
    "must leave out the scheme's own port, as browsers do",
  ],
  ["cidr-without-prefix", { clientIPs: { allow: ["192.0.2.1"] } }, "spec.clientIPs.allow[0]", CIDR],
  ["cidr-prefix-too-long", { clientIPs: { deny: ["192.0.2.0/33"] } }, "spec.clientIPs.deny[0]", CIDR],
  ["cidr-leading-zero", { clientIPs: { deny: ["192.0.02.0/24"] } }, "spec.clientIPs.deny[0]", CIDR],
  ["cidr-ipv4-in-hex", { clientIPs: { deny: ["0:0::FFFF:c000:200/120"] } }, "spec.clientIPs.deny[0]", CIDR],
  ["cidr-ipv4-in-ipv6", { clientIPs: { deny: ["::ffff:192.0.2.0/120"] } }, "spec.clientIPs.deny[0]", CIDR],
  [
    "message-size-zero",
    { limits: { maxMessageSize: "0" } },
    "spec.limits.maxMessageSize",
    "must be from 1 to 1Gi bytes",
  ],
  [
    "message-size-negative",
    { limits: { maxMessageSize: -1 } },
    "spec.limits.maxMessageSize",
    "must be from 1 to 1Gi bytes",
  ],
  [
    "message-size-huge",
    { limits: { maxMessageSize: "2Gi" } },
    "spec.limits.maxMessageSize",
    "must be from 1 to 1Gi bytes",
  ],
  [
    "queue-too-small",
    { limits: { maxQueuedBytes: 100 } },
    "spec.limits.maxQueuedBytes",
    "must be from 4Ki to 1Gi bytes",
  ],
  [
    "byte-rate-zero",
    { limits: { bytes: { perConnection: { rate: 0 } } } },
    "spec.limits.bytes.perConnection.rate",
    "must be from 1 to 1Gi bytes",
  ],
  [
    "byte-burst-too-large",
    { limits: { bytes: { perUser: { rate: 1, burst: "2Gi" } } } },
    "spec.limits.bytes.perUser.burst",
    "must be from 1 to 1Gi bytes",
  ],
  [
    "message-fleet-without-user",
    { limits: { messages: { perConnection: { rate: 1 }, scope: "Fleet" } } },
    "spec.limits.messages",
    "scope Fleet needs perUser: one connection is on one pod",
  ],
  [
    "byte-fleet-without-user",
    { limits: { bytes: { perConnection: { rate: 1 }, scope: "Fleet" } } },
    "spec.limits.bytes",
    "scope Fleet needs perUser: one connection is on one pod",
  ],
  [
    "rate-interval-too-short",
    { limits: { messages: { perConnection: { rate: 1, interval: "10ms" } } } },
    "spec.limits.messages.perConnection.interval",
    `${DURATION} 100ms to 1h`,
  ],
  ["handshake-zero", { timeouts: { handshake: "0s" } }, "spec.timeouts.handshake", `${DURATION} 100ms to 10m`],
  ["connect-too-long", { timeouts: { connect: "1h" } }, "spec.timeouts.connect", `${DURATION} 10ms to 10m`],
  [
    "idle-too-short",
    { timeouts: { idle: "500ms" } },
    "spec.timeouts.idle",
    `${DURATION} 1s to 720h, or 0s to turn it off`,
  ],
  [
    "lifetime-too-long",
    { timeouts: { maxLifetime: "8760h1m" } },
    "spec.timeouts.maxLifetime",
    `${DURATION} 1s to 8760h, or 0s to turn it off`,
  ],
  ["keep-alive-timeout-equal", { keepAlive: { interval: "10s", timeout: "10s" } }, "spec.keepAlive", KEEP_ALIVE],
  ["keep-alive-below-default", { keepAlive: { interval: "5s" } }, "spec.keepAlive", KEEP_ALIVE],
  [
    "keep-alive-too-rare",
    { keepAlive: { interval: "25h" } },
    "spec.keepAlive.interval",
    `${DURATION} 1s to 24h, or 0s to turn it off`,
  ],
  ["hash-of-unnamed-header", hash({ type: "Header" }), "spec.loadBalancing.consistentHash.key", HASH_NAME],
  ["hash-of-named-address", hash({ type: "ClientIP", name: "x" }), "spec.loadBalancing.consistentHash.key", HASH_NAME],
  [
    "hash-of-round-robin",
    { loadBalancing: { type: "RoundRobin", consistentHash: { maxLoad: 110 } } },
    "spec.loadBalancing",
    "consistentHash belongs to type ConsistentHash only",
  ],
  ["no-health", { health: {} }, "spec.health", "set at least one of passive or active"],
  [
    "probe-longer-than-interval",
    { health: { active: { path: "/", interval: "1s", timeout: "2s" } } },
    "spec.health.active",
    "timeout must not be longer than interval",
  ],
  [
    "ejected-too-shortly",
    { health: { passive: { consecutiveFailures: 3, ejectFor: "1ms" } } },
    "spec.health.passive.ejectFor",
    `${DURATION} 1s to 1h`,
  ],
  [
    "two-schemas",
    { messages: { schema: { inline: "{}", configMapRef: { name: "a", key: "b" } } } },
    "spec.messages.schema",
    "set exactly one of configMapRef or inline",
  ],
  [
    "binary-past-a-schema",
    { messages: { accept: ["Text", "Binary"], schema: { inline: "{}" } } },
    "spec.messages",
    "schema, allow and transform.fromClient read text messages: accept must not name Binary beside them",
  ],
  [
    "reply-that-is-not-sent",
    { messages: { onInvalid: "Drop", reply: "error.message" } },
    "spec.messages",
    "reply is needed for onInvalid Reply, and for nothing else",
  ],
  [
    "transforms-nothing",
    { messages: { transform: {} } },
    "spec.messages.transform",
    "set at least one of fromClient or toClient",
  ],
  [
    "hub-name-with-slash",
    { hub: { name: "a/b" } },
    "spec.hub.name",
    "must start with a letter or digit and hold letters, digits, -, _ and . only",
  ],
  ["group-with-newline", { hub: { groups: ["a\nb"] } }, "spec.hub.groups[0]", "must not contain control characters"],
  ["backend-name-upper-case", { backendRefs: [{ name: "Chat", port: 1 }] }, "spec.backendRefs[0].name", NAME],
  [
    "parent-namespace-with-dot",
    { parentRefs: [{ name: "a", namespace: "b.c" }] },
    "spec.parentRefs[0].namespace",
    LABEL,
  ],
  ["protocol-with-space", { protocols: ["chat v1"] }, "spec.protocols[0]", TOKEN],
  [
    "header-with-newline",
    { requestHeaders: { set: [{ name: "a", value: "b\r\nc: d" }] } },
    "spec.requestHeaders.set[0].value",
    "must be a header's value, without control characters",
  ],
  [
    "key-with-slash",
    { messages: { schema: { configMapRef: { name: "a", key: "../b" } } } },
    "spec.messages.schema.configMapRef.key",
    "must be a key of the object's data: letters, digits, -, _ and .",
  ],
  [
    "probe-path-relative",
    { health: { active: { path: "healthz" } } },
    "spec.health.active.path",
    "must be a path that starts with /, without #",
  ],
  [
    "duration-without-unit",
    { timeouts: { idle: "30" } },
    "spec.timeouts.idle",
    `${DURATION} 1s to 720h, or 0s to turn it off`,
  ],
  [
    "duration-negative",
    { timeouts: { idle: "-1s" } },
    "spec.timeouts.idle",
    `${DURATION} 1s to 720h, or 0s to turn it off`,
  ],
  [
    "keep-alive-malformed",
    { keepAlive: { interval: "often" } },
    "spec.keepAlive.interval",
    `${DURATION} 1s to 24h, or 0s to turn it off`,
  ],
];

const INVALID_GATEWAYS: readonly Row[] = [
  [
    "secure-without-tls",
    { listeners: [{ ...LISTENER, protocol: "WSS" }] },
    "spec.listeners[0]",
    "tls is needed for protocol WSS, and for nothing else",
  ],
  [
    "plain-with-tls",
    { listeners: [{ ...LISTENER, tls: { certificateRefs: [{ name: "c" }] } }] },
    "spec.listeners[0]",
    "tls is needed for protocol WSS, and for nothing else",
  ],
  [
    "port-twice",
    { listeners: [LISTENER, { ...LISTENER, name: "other" }] },
    "spec.listeners",
    "must have different ports",
  ],
  [
    "selector-missing",
    { allowedRoutes: { namespaces: { from: "Selector" } } },
    "spec.allowedRoutes.namespaces",
    "selector is needed for from: Selector, and for nothing else",
  ],
  [
    "selector-unused",
    { allowedRoutes: { namespaces: { from: "All", selector: { matchLabels: { a: "b" } } } } },
    "spec.allowedRoutes.namespaces",
    "selector is needed for from: Selector, and for nothing else",
  ],
  [
    "requirement-without-values",
    {
      allowedRoutes: {
        namespaces: { from: "Selector", selector: { matchExpressions: [{ key: "a", operator: "In" }] } },
      },
    },
    "spec.allowedRoutes.namespaces.selector.matchExpressions[0]",
    SELECTOR,
  ],
  ["proxy-not-a-cidr", { trustedProxies: ["10.0.0.0"] }, "spec.trustedProxies[0]", CIDR],
  ["redis-from-nowhere", { redis: {} }, "spec.redis", "set exactly one of url or secretRef"],
  [
    "redis-password-in-the-open",
    { redis: { url: "redis://:secret@redis:6379" } },
    "spec.redis.url",
    "must be a redis:// or rediss:// URL; one with a password belongs in a Secret: use secretRef",
  ],
  [
    "autoscaling-upside-down",
    { autoscaling: { min: 3, max: 2, connectionsPerPod: 1000 } },
    "spec.autoscaling",
    "min must not be larger than max",
  ],
  [
    "scaled-twice",
    { replicas: 2, autoscaling: { min: 1, max: 2, connectionsPerPod: 1000 } },
    "spec",
    "set replicas or autoscaling, not both",
  ],
  [
    "external-with-replicas",
    { management: "External", replicas: 2 },
    "spec",
    "replicas, autoscaling, service, podTemplate have no meaning for management: External",
  ],
  [
    "traffic-policy-without-outside",
    { service: { type: "ClusterIP", externalTrafficPolicy: "Local" } },
    "spec.service",
    "externalTrafficPolicy has no meaning for type ClusterIP: remove it, or choose NodePort or LoadBalancer",
  ],
  [
    "load-balancer-class-without-load-balancer",
    { service: { type: "NodePort", loadBalancerClass: "example.com/lb" } },
    "spec.service",
    "loadBalancerClass and loadBalancerSourceRanges are for type LoadBalancer",
  ],
  ["drain-zero", { drain: { timeout: "0s" } }, "spec.drain.timeout", `${DURATION} 1s to 24h`],
  ["default-that-is-not-valid", { defaults: { keepAlive: { interval: "5s" } } }, "spec.defaults.keepAlive", KEEP_ALIVE],
  ["name.with.dots", {}, "", "metadata.name must be at most 50 characters, without dots"],
  [
    "name-that-is-much-longer-than-a-service-could-ever-have",
    {},
    "",
    "metadata.name must be at most 50 characters, without dots",
  ],
];

/** What a type says: the parser and the API server agree that it is wrong, each in words of its own. */
const MISTYPED: readonly (readonly [name: string, fields: Spec, path: string])[] = [
  ["size-with-unknown-unit", { limits: { maxMessageSize: "64KB" } }, "spec.limits.maxMessageSize"],
  ["duration-without-end", { timeouts: { idle: "99999999999999999h" } }, "spec.timeouts.idle"],
  ["port-zero", { backendRefs: [{ name: "a", port: 0 }] }, "spec.backendRefs[0].port"],
  ["port-is-text", { backendRefs: [{ name: "a", port: "http" }] }, "spec.backendRefs[0].port"],
  ["weight-negative", { backendRefs: [{ name: "a", port: 1, weight: -1 }] }, "spec.backendRefs[0].weight"],
  ["no-backends", { backendRefs: [] }, "spec.backendRefs"],
  ["unknown-enum", { onChange: "Restart" }, "spec.onChange"],
  ["handshake-rate-zero", { limits: { handshakes: { total: { rate: 0 } } } }, "spec.limits.handshakes.total.rate"],
  ["limit-without-rate", { limits: { handshakes: { perClientIP: {} } } }, "spec.limits.handshakes.perClientIP.rate"],
  ["unknown-scope", { limits: { connections: { total: 1, scope: "World" } } }, "spec.limits.connections.scope"],
  ["algorithm-none", provider({ algorithms: ["none"] }), "spec.authentication.jwt.providers[0].algorithms[0]"],
  ["hostname-twice", { hostnames: ["a.example", "a.example"] }, "spec.hostnames[1]"],
  [
    "match-header-twice",
    {
      matches: [
        {
          headers: [
            { name: "a", value: "b" },
            { name: "a", value: "c" },
          ],
        },
      ],
    },
    "spec.matches[0].headers[1]",
  ],
  ["too-many-matches", { matches: Array.from({ length: 65 }, () => ({})) }, "spec.matches"],
];

const toCase =
  (kind: Kind, base: Spec) =>
  ([name, fields, at, message]: Row): InvalidCase => ({ name, kind, spec: change(base, fields), path: at, message });

/** Broken in one way each, with the words of the rule. */
export const INVALID: readonly InvalidCase[] = [
  ...INVALID_ROUTES.map(toCase("WebSocketRoute", ROUTE)),
  ...INVALID_GATEWAYS.map(toCase("WebSocketGateway", GATEWAY)),
];

/** Broken in a way that a type or a pattern states. */
export const INVALID_BY_TYPE: readonly (Case & { readonly path: string })[] = MISTYPED.map(([name, fields, at]) => ({
  name,
  kind: "WebSocketRoute",
  spec: change(ROUTE, fields),
  path: at,
}));

const VALID_ROUTES: readonly (readonly [name: string, fields: Spec])[] = [
  [
    "hub-alone",
    { backendRefs: undefined, hub: { groups: ["lobby", "Räume/1"] }, limits: { onSlowClient: "DropOldest" } },
  ],
  ["hub-beside-backend", { hub: { name: "chat_v1.0" }, limits: { onSlowClient: "Pause" } }],
  [
    "messages-with-reply",
    { messages: { accept: ["Text"], allow: ["true"], onInvalid: "Reply", reply: "error.message" } },
  ],
  ["binary-messages", { messages: { accept: ["Binary"], transform: { toClient: "text" } } }],
  ["prefix-rewrite", { ...path("PathPrefix", "/ws"), rewrite: { path: { type: "ReplacePrefixMatch", value: "/" } } }],
  ["prefix-rewrite-of-default", { rewrite: { path: { type: "ReplacePrefixMatch", value: "/ws" }, hostname: "a.b" } }],
  ["full-rewrite-of-exact", { ...path("Exact", "/ws"), rewrite: { path: { type: "ReplaceFullPath", value: "/" } } }],
  ["odd-but-fine-path", path("Exact", "/.well-known/...a/~b%20c/d.e;f=g")],
  ["pattern-is-not-a-path", path("RegularExpression", "/a//(b|c)?[.]{2}/..")],
  [
    "same-backend-elsewhere",
    {
      backendRefs: [
        { name: "a", port: 1 },
        { name: "a", port: 2 },
        { name: "a", namespace: "b", port: 1, weight: 0 },
      ],
    },
  ],
  [
    "same-parent-other-listener",
    { parentRefs: [{ name: "a" }, { name: "a", sectionName: "x" }, { name: "a", port: 1 }] },
  ],
  ["hostnames", { hostnames: ["localhost", "*.example.com", "1.2.3.4.example", "xn--bcher-kva.example"] }],
  [
    "origins",
    {
      origins: [
        "https://example.com",
        "https://*.example.com",
        "http://localhost:3000",
        "http://example.com:443",
        "https://[::1]:8443",
        "chrome-extension://abcdefgh",
      ],
    },
  ],
  [
    "cidrs",
    {
      clientIPs: {
        allow: ["0.0.0.0/0", "::/0", "2001:DB8::1/128", "192.0.2.1/32", "::1.2.3.4/128", "0:ffff::/32"],
        deny: [],
      },
    },
  ],
  ["bounds", { timeouts: { handshake: "100ms", connect: "10m", idle: "0s", maxLifetime: "8760h" } }],
  ["sums-and-fractions", { timeouts: { idle: "1h30m1.5s", connect: "0.5s" }, keepAlive: { interval: "0m" } }],
  ["keep-alive-above-default", { keepAlive: { interval: "9s" } }],
  ["keep-alive-off", { keepAlive: { interval: "0s", timeout: "1h" } }],
  ["sizes", { limits: { maxMessageSize: 1, maxQueuedBytes: "1024Mi", bytes: { perConnection: { rate: "1.5M" } } } }],
  [
    "shared-key",
    provider({ algorithms: ["HS256", "HS512"], jwks: { secretRef: { name: "s", key: "k" } }, clockSkew: "0s" }),
  ],
  ["keys-by-discovery", provider({ algorithms: ["EdDSA"] })],
  ["bearer-by-protocol", apiKeySource({ protocol: "bearer." })],
  ["key-by-header", apiKeySource({ header: "Authorization", prefix: "Key " })],
  ["key-by-query-to-backend", apiKeySource({ queryParam: "key", toBackend: "Keep" })],
  ["hash-of-header", hash({ type: "Header", name: "X-Room" })],
  ["hash-by-default", { loadBalancing: { consistentHash: { maxLoad: 100 } } }],
  [
    "ordinary-headers",
    { requestHeaders: { set: [{ name: "X-Tab", value: "a\tb" }], remove: ["Sec-Fetch-Mode", "X-Forward"] } },
  ],
  ["probe-of-whole-interval", { health: { active: { path: "/healthz?full=1", interval: "2s" } } }],
];

const VALID_GATEWAYS: readonly (readonly [name: string, fields: Spec])[] = [
  [
    "secure",
    { listeners: [LISTENER, { name: "wss", port: 8443, protocol: "WSS", tls: { certificateRefs: [{ name: "c" }] } }] },
  ],
  ["selected", { allowedRoutes: { namespaces: { from: "Selector", selector: { matchLabels: { team: "a" } } } } }],
  [
    "selected-by-expression",
    {
      allowedRoutes: {
        namespaces: {
          from: "Selector",
          selector: {
            matchExpressions: [
              { key: "team", operator: "NotIn", values: ["a"] },
              { key: "b", operator: "Exists" },
            ],
          },
        },
      },
    },
  ],
  ["redis-in-the-open", { redis: { url: "redis://redis.cache:6379/0", type: "Standalone" } }],
  ["redis-in-a-secret", { redis: { secretRef: { name: "redis" } } }],
  ["autoscaled", { autoscaling: { min: 2, max: 2, connectionsPerPod: 10000 } }],
  [
    "amounts",
    { podTemplate: { resources: { requests: { cpu: 0, memory: "1.5Gi" }, limits: { cpu: "100m", memory: "1e9" } } } },
  ],
  ["external", { management: "External", drain: { timeout: "10s" } }],
  ["service-of-the-default-type", { service: { externalTrafficPolicy: "Local", loadBalancerClass: "example.com/lb" } }],
  ["service-on-every-node", { service: { type: "NodePort", externalTrafficPolicy: "Local" } }],
  ["name-of-exactly-fifty-characters-which-are-allowed", {}],
];

/** Close to a rule, and right. */
export const VALID: readonly Case[] = [
  ...VALID_ROUTES.map(([name, fields]): Case => ({ name, kind: "WebSocketRoute", spec: change(ROUTE, fields) })),
  ...VALID_GATEWAYS.map(([name, fields]): Case => ({ name, kind: "WebSocketGateway", spec: change(GATEWAY, fields) })),
];
