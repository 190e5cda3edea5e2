// Sets of values that people have: the chart is rendered with each of them.
export const VALUE_SETS: Readonly<Record<string, object>> = {
  defaults: {},
  "no gateway": { gateway: { enabled: false } },
  "no definitions": { crds: { enabled: false } },
  "definitions that go with the release": { crds: { keep: false } },
  "one operator": { operator: { replicas: 1 } },
  "everything about the operator's pods": {
    operator: {
      replicas: 3,
      logLevel: "debug",
      allowExternalName: true,
      extraArgs: ["--leader-retry=1s"],
      extraEnv: [{ name: "NODE_OPTIONS", value: "--max-old-space-size=512" }],
      podLabels: { team: "platform", "app.kubernetes.io/name": "cannot-be-changed" },
      podAnnotations: { note: "yes" },
      priorityClassName: "system-cluster-critical",
      nodeSelector: { "kubernetes.io/os": "linux" },
      tolerations: [{ key: "infra", operator: "Exists", effect: "NoSchedule" }],
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: "infra", operator: "Exists" }] }],
          },
        },
      },
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "DoNotSchedule" },
      ],
      serviceAccount: { name: "own-name", annotations: { "example.com/role": "holdfast" } },
    },
  },
  "a private registry": {
    image: {
      repository: "registry.example.com/mirror/holdfast",
      digest: `sha256:${"a1".repeat(32)}`,
      pullPolicy: "Always",
    },
    imagePullSecrets: [{ name: "registry" }, { name: "other" }],
  },
  "names and labels": {
    nameOverride: "sockets",
    fullnameOverride: "edge",
    commonLabels: { "example.com/owner": "platform", "app.kubernetes.io/instance": "cannot-be-changed" },
  },
  "TLS behind a network load balancer": {
    gateway: {
      name: "edge",
      annotations: { note: "public" },
      listeners: [
        { name: "wss", port: 443, protocol: "WSS", tls: { certificateRefs: [{ name: "edge-tls" }] } },
        { name: "ws", port: 80, protocol: "WS", hostname: "*.example.com" },
      ],
      service: {
        type: "LoadBalancer",
        externalTrafficPolicy: "Local",
        annotations: { "service.beta.kubernetes.io/aws-load-balancer-type": "nlb" },
        loadBalancerSourceRanges: ["10.0.0.0/8"],
      },
      trustedProxies: ["10.0.0.0/8"],
      drain: { timeout: "5m", maxDisconnectsPerSecond: 100 },
      defaults: { keepAlive: { interval: "20s", timeout: "5s" }, limits: { connections: { perClientIP: 100 } } },
      allowedRoutes: { namespaces: { from: "Selector", selector: { matchLabels: { sockets: "yes" } } } },
      podTemplate: {
        labels: { team: "edge" },
        resources: { requests: { cpu: 1, memory: "1Gi" }, limits: { memory: "2Gi" } },
        nodeSelector: { pool: "edge" },
      },
    },
  },
  "a HorizontalPodAutoscaler": {
    gateway: { autoscaling: { enabled: true, min: 3, max: 30, connectionsPerPod: 20_000 } },
  },
  KEDA: {
    gateway: {
      autoscaling: {
        enabled: true,
        min: 2,
        max: 20,
        keda: {
          enabled: true,
          prometheusAddress: "https://prometheus.example.com",
          authenticationRef: { name: "prom" },
        },
      },
    },
  },
  "Redis by URL": { redis: { url: "redis://redis.data.svc:6379" } },
  "Redis by Secret": { redis: { secretRef: { name: "redis", key: "uri" } } },
  "Redis to try out": { redis: { embedded: { enabled: true } }, imagePullSecrets: [{ name: "registry" }] },
  "monitoring by pods": {
    monitoring: {
      podMonitor: { enabled: true, labels: { release: "prometheus" }, interval: "30s" },
      rules: { enabled: true, labels: { release: "prometheus" }, alertLabels: { team: "platform" } },
      dashboard: { enabled: true, annotations: { grafana_folder: "Platform" } },
    },
    rbac: { gatewayNamespaces: ["edge-a"] },
  },
  "monitoring by services": {
    monitoring: { serviceMonitor: { enabled: true }, rules: { enabled: true, disabled: ["HoldfastRoutesNotReady"] } },
  },
  "gateways and Secrets of other namespaces": {
    rbac: { gatewayNamespaces: ["edge-a", "edge-b", "holdfast"], secretNamespaces: ["apps", "edge-a"] },
  },
  "all Secrets": { rbac: { clusterWideSecrets: true, aggregateToUserRoles: false } },
  "permissions by somebody else": {
    rbac: { create: false },
    operator: { serviceAccount: { create: false, name: "given" } },
    networkPolicy: { enabled: false },
    tests: { enabled: false },
  },
  "objects of one's own": {
    extraObjects: [
      { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "mine", namespace: "{{ .Release.Namespace }}" } },
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ include "holdfast.fullname" . }}-text\n  namespace: {{ .Release.Namespace }}\n',
    ],
  },
};

/** Values that are wrong, and a word of the message that has to lead people to what is. */
export const WRONG_VALUES: readonly (readonly [what: string, values: object, path: RegExp, words: RegExp])[] = [
  ["a misspelt value", { gatway: {} }, /gatway/, /not allowed/],
  ["a misspelt value further down", { operator: { replica: 3 } }, /operator/, /replica\b.* not allowed/],
  [
    "a port that is a text",
    { gateway: { listeners: [{ name: "ws", port: "http", protocol: "WS" }] } },
    /listeners.0.port/,
    /integer/,
  ],
  [
    "an unknown protocol",
    { gateway: { listeners: [{ name: "ws", port: 80, protocol: "HTTP" }] } },
    /listeners.0.protocol/,
    /WS/,
  ],
  ["no operator at all", { operator: { replicas: 0 } }, /operator.replicas/, /1/],
  ["an unknown log level", { operator: { logLevel: "verbose" } }, /operator.logLevel/, /debug/],
  ["a Redis URL with a password", { redis: { url: "redis://:secret@redis:6379" } }, /redis.url/, /pattern|match/],
  [
    "a policy that does not exist",
    { gateway: { defaults: { limit: {} } } },
    /gateway.defaults/,
    /limit\b.* not allowed/,
  ],
  ["a wrong digest", { image: { digest: "latest" } }, /image.digest/, /pattern/],
  ["a namespace that is none", { rbac: { secretNamespaces: ["Apps"] } }, /rbac.secretNamespaces.0/, /pattern/],
  ["two ways to Redis", { redis: { url: "redis://a:1", embedded: { enabled: true } } }, /redis.url/, /set one of/],
  [
    "everything counted twice",
    { monitoring: { podMonitor: { enabled: true }, serviceMonitor: { enabled: true } } },
    /serviceMonitor/,
    /not both/,
  ],
];
