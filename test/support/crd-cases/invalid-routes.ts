import { apiKeySource, CIDR, DURATION, hash, KEEP_ALIVE, path, provider, type Row, type Spec } from "./case.ts";

const NAME = "must be an object's name: lower-case letters and digits, with - and . between";
const LABEL = "must be lower-case letters and digits, with - between";
const TOKEN = "must be an HTTP token: letters, digits and !#$%&'*+-.^_`|~";
const HOSTNAME = "must be a DNS name in lower case such as chat.example.com or *.example.com, not an address";
const ORIGIN = "must be an origin in lower case such as https://example.com or https://*.example.com, without a path";
const URL = "must be an http or https URL without user, password or fragment";
const HEADER = "must not be a header of the handshake itself or one that Holdfast sets (rewrite.hostname changes Host)";
const PLACE = "set exactly one of header, queryParam, cookie or protocol";
const HASH_NAME = "name is needed for Header, QueryParam, Cookie and Claim, and for nothing else";
const SHARED_KEYS = "HS algorithms need jwks.secretRef and cannot be mixed with others";
const SEGMENTS = "must not contain . or .. segments: requests are normalised before they are matched";
const ENCODED = "must not contain an encoded slash, backslash or NUL: such requests are refused";
const CHARACTERS = "must consist of characters that a URL path may hold, others percent-encoded; no ? and no #";

const claims = (fields: Spec): Spec => ({
  authentication: { jwt: { providers: [{ name: "main", issuer: "https://id.example.com" }], ...fields } },
});

/** Each broken in one way, with the words of the rule. */
export const INVALID_ROUTES: readonly Row[] = [
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
