import { apiKeySource, hash, path, provider, type ValidRow } from "./case.ts";

export const VALID_ROUTES: readonly ValidRow[] = [
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
