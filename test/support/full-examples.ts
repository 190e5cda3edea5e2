/** One object of each kind with every field of the API set, defaults included. */
import { API_VERSION } from "../../crds/kinds.ts";

const policies = {
  requestHeaders: {
    set: [{ name: "X-Gateway", value: "holdfast" }],
    add: [{ name: "X-Via", value: "a" }],
    remove: ["X-Debug"],
  },
  authentication: {
    jwt: {
      providers: [
        {
          name: "main",
          issuer: "https://id.example.com/",
          audiences: ["chat"],
          algorithms: ["RS256", "ES256"],
          jwks: { uri: "https://id.example.com/jwks.json" },
          clockSkew: "30s",
        },
        {
          name: "by-secret",
          issuer: "internal",
          algorithms: ["HS256"],
          jwks: { secretRef: { name: "jwt", namespace: "keys", key: "shared" } },
          clockSkew: "0s",
        },
        {
          name: "by-config",
          issuer: "other",
          algorithms: ["EdDSA"],
          jwks: { configMapRef: { name: "jwks", key: "jwks.json" } },
          clockSkew: "1m",
        },
        { name: "inline", issuer: "fixed", algorithms: ["PS512"], jwks: { inline: '{"keys":[]}' }, clockSkew: "1m" },
      ],
      sources: [
        { header: "Authorization", prefix: "Bearer " },
        { queryParam: "jwt", toBackend: "Strip" },
        { cookie: "session" },
        { protocol: "bearer." },
      ],
      requiredClaims: [{ name: "scope", values: ["chat"] }],
      forwardClaims: [{ claim: "sub", header: "X-User-Id" }],
      onExpiry: "Close",
      optional: false,
      mode: "Enforce",
    },
    external: {
      url: "http://authz.apps/check",
      timeout: "2s",
      forwardHeaders: ["Cookie"],
      responseHeaders: ["X-User-Id"],
      failOpen: false,
    },
    apiKeys: { secretRef: { name: "chat-keys", namespace: "keys" }, sources: [{ header: "X-Api-Key" }] },
  },
  origins: ["https://example.com", "https://*.example.com"],
  clientIPs: { allow: ["10.0.0.0/8"], deny: ["10.1.0.0/16"] },
  limits: {
    connections: { total: 100000, perClientIP: 50, perUser: 5, scope: "Fleet", mode: "Enforce" },
    handshakes: {
      total: { rate: 1000, interval: "1s", burst: 2000 },
      perClientIP: { rate: 10, interval: "1s", burst: 20 },
      scope: "Pod",
      mode: "Report",
    },
    messages: {
      perConnection: { rate: 50, interval: "1s", burst: 100 },
      perUser: { rate: 100, interval: "1s", burst: 200 },
      onExceeded: "Close",
      scope: "Fleet",
      mode: "Enforce",
    },
    bytes: {
      perConnection: { rate: "1Mi", interval: "1s", burst: "4Mi" },
      perUser: { rate: "2Mi", interval: "1s", burst: 8388608 },
      onExceeded: "Throttle",
      scope: "Pod",
      mode: "Enforce",
    },
    maxMessageSize: "64Ki",
    maxQueuedBytes: 1048576,
    onSlowClient: "Close",
  },
  timeouts: { handshake: "10s", connect: "5s", idle: "1h", maxLifetime: "24h" },
  keepAlive: { interval: "25s", timeout: "8s" },
  loadBalancing: {
    type: "ConsistentHash",
    consistentHash: { key: { type: "Header", name: "X-Room" }, maxLoad: 125 },
  },
  health: {
    passive: { consecutiveFailures: 3, ejectFor: "30s" },
    active: { path: "/healthz", interval: "10s", timeout: "2s" },
  },
  messages: {
    accept: ["Text"],
    schema: { configMapRef: { name: "chat-schema", key: "message.json" } },
    allow: ['message.type != "admin" || "admin" in claims.roles'],
    transform: { fromClient: '{"user": claims.sub, "body": message}', toClient: "text" },
    onInvalid: "Reply",
    reply: '{"error": error.message, "at": error.path}',
    mode: "Enforce",
  },
  onChange: "Keep",
};

export function fullRoute(namespace: string) {
  return {
    apiVersion: API_VERSION,
    kind: "WebSocketRoute",
    metadata: { name: "full", namespace },
    spec: {
      parentRefs: [{ name: "public", namespace: "holdfast", sectionName: "wss", port: 8443 }],
      hostnames: ["chat.example.com", "*.chat.example.com"],
      matches: [
        {
          path: { type: "PathPrefix", value: "/ws/chat" },
          headers: [{ type: "Exact", name: "X-Tenant", value: "acme" }],
          queryParams: [{ type: "RegularExpression", name: "v", value: "[12]" }],
        },
      ],
      backendRefs: [
        { name: "chat", port: 3000, weight: 9 },
        { name: "chat-next", namespace: "next", port: 3000, weight: 1 },
      ],
      rewrite: { path: { type: "ReplacePrefixMatch", value: "/" }, hostname: "chat.internal" },
      protocols: ["chat.v2", "chat.v1"],
      ...policies,
      hub: { name: "chat", groups: ["lobby"] },
    },
  };
}

export function fullGateway(namespace: string) {
  const constraint = {
    maxSkew: 1,
    topologyKey: "kubernetes.io/hostname",
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: { app: "holdfast" } },
    minDomains: 2,
  };
  return {
    apiVersion: API_VERSION,
    kind: "WebSocketGateway",
    metadata: { name: "full", namespace },
    spec: {
      listeners: [
        { name: "ws", port: 8080, protocol: "WS", hostname: "*.example.com" },
        { name: "wss", port: 8443, protocol: "WSS", tls: { certificateRefs: [{ name: "cert", namespace: "certs" }] } },
      ],
      allowedRoutes: {
        namespaces: {
          from: "Selector",
          selector: {
            matchLabels: { team: "chat" },
            matchExpressions: [{ key: "stage", operator: "In", values: ["prod"] }],
          },
        },
      },
      trustedProxies: ["10.0.0.0/8", "fd00::/8"],
      defaults: policies,
      management: "Managed",
      autoscaling: { min: 2, max: 10, connectionsPerPod: 10000 },
      service: {
        type: "LoadBalancer",
        annotations: { "service.beta.kubernetes.io/aws-load-balancer-type": "nlb" },
        externalTrafficPolicy: "Local",
        loadBalancerClass: "example.com/lb",
        loadBalancerSourceRanges: ["0.0.0.0/0"],
      },
      redis: { secretRef: { name: "redis", key: "url" }, type: "Standalone" },
      drain: { timeout: "60s", maxDisconnectsPerSecond: 500 },
      podTemplate: {
        labels: { team: "platform" },
        annotations: { "example.com/note": "a" },
        resources: { requests: { cpu: "500m", memory: "256Mi" }, limits: { cpu: 2, memory: "512Mi" } },
        nodeSelector: { "kubernetes.io/os": "linux" },
        tolerations: [
          { key: "a", operator: "Equal", value: "b", effect: "NoSchedule" },
          { key: "c", operator: "Exists", effect: "NoExecute", tolerationSeconds: 60 },
        ],
        affinity: {
          podAntiAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 1, podAffinityTerm: { topologyKey: "kubernetes.io/hostname" } },
            ],
          },
        },
        topologySpreadConstraints: [constraint],
      },
    },
  };
}
