import { CIDR, DURATION, KEEP_ALIVE, LISTENER, type Row, type ValidRow } from "./case.ts";

const SELECTOR = "values are needed for In and NotIn, and for nothing else";

export const INVALID_GATEWAYS: readonly Row[] = [
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

export const VALID_GATEWAYS: readonly ValidRow[] = [
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
