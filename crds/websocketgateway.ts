/** WebSocketGateway: a fleet of gateway pods, its listeners, and defaults for its routes. */
import { z } from "zod";
import { DEFAULTS } from "./defaults.ts";
import { cidr, dataKey, duration, hostname, label, objectName, patterned, portNumber } from "./fields.ts";
import type { API_VERSION, KINDS } from "./kinds.ts";
import type { ObjectMeta } from "./object-meta.ts";
import { PodTemplate } from "./pod-template.ts";
import { policyFields } from "./policies.ts";
import { celCount, countSet, exactlyOneOf, mapList, type Rule, setList, withRules } from "./rules.ts";
import { LabelSelector } from "./selector.ts";
import { conditions, pods } from "./status.ts";

interface ListenerValue {
  readonly protocol: string;
  readonly tls?: object | undefined;
}
const tlsWhereSecure: Rule<ListenerValue> = {
  cel: "(self.protocol == 'WSS') == has(self.tls)",
  message: "tls is needed for protocol WSS, and for nothing else",
  holds: (listener) => (listener.protocol === "WSS") === (listener.tls !== undefined),
};

const CertificateRef = z.strictObject({
  name: objectName().describe("Name of the Secret (of type kubernetes.io/tls)."),
  namespace: label()
    .describe("Namespace of the Secret; another one than the gateway's needs a ReferenceGrant there.")
    .optional(),
});

const Listener = withRules(
  z.strictObject({
    name: label().describe("Name of the listener; routes attach to it by parentRefs.sectionName."),
    port: portNumber().describe("TCP port."),
    protocol: z.enum(["WS", "WSS"]).describe("WS is plain, WSS is over TLS."),
    hostname: hostname().describe("Host that is served here, exact or wildcard; any where omitted.").optional(),
    tls: z
      .strictObject({
        certificateRefs: z
          .array(CertificateRef)
          .min(1)
          .max(16)
          .describe("Certificates, chosen by server name; the first serves clients that send none that fits."),
      })
      .describe("TLS of a WSS listener.")
      .optional(),
  }),
  tlsWhereSecure,
).describe("A port where clients connect.");

const listeners = withRules(mapList(z.array(Listener).min(1).max(16), "name"), {
  cel: "self.all(a, self.exists_one(b, a.port == b.port))",
  message: "must have different ports",
  holds: (list) => new Set(list.map((listener) => listener.port)).size === list.length,
});

const RouteNamespaces = withRules(
  z.strictObject({
    from: z
      .enum(["Same", "All", "Selector"])
      .describe(`Same namespace as the gateway, All, or by Selector. ${DEFAULTS.allowedRoutes.from} where omitted.`)
      .optional(),
    selector: LabelSelector.describe("Labels of the namespaces, for from: Selector.").optional(),
  }),
  {
    cel: "(has(self.from) && self.from == 'Selector') == has(self.selector)",
    message: "selector is needed for from: Selector, and for nothing else",
    holds: (value) => (value.from === "Selector") === (value.selector !== undefined),
  },
).describe("Namespaces whose routes may attach.");

const Redis = withRules(
  z.strictObject({
    url: patterned({
      pattern: /^rediss?:\/\/[^\s@]+$/,
      max: 1024,
      message: "must be a redis:// or rediss:// URL; one with a password belongs in a Secret: use secretRef",
    })
      .describe("URL of the server, without a password.")
      .optional(),
    secretRef: z
      .strictObject({
        name: objectName().describe("Name of the Secret, in the gateway's namespace."),
        key: dataKey().default("url").describe("Key in its data whose value is the URL."),
      })
      .describe("A Secret that holds the URL.")
      .optional(),
    type: z
      .enum(["Standalone", "Sentinel", "Cluster"])
      .describe(`What answers at the URL. ${DEFAULTS.redis.type} where omitted.`)
      .optional(),
  }),
  exactlyOneOf("url", "secretRef"),
).describe("Redis (or Valkey), which carries hub messages between gateway pods. Omitted: each pod on its own.");

const Autoscaling = withRules(
  z.strictObject({
    min: z.int().min(1).max(1000).describe("Fewest pods."),
    max: z.int().min(1).max(1000).describe("Most pods."),
    connectionsPerPod: z.int().min(1).max(10_000_000).describe("Connections a pod, on average, that is aimed at."),
    scaler: z
      .enum(["HorizontalPodAutoscaler", "External"])
      .describe(
        `Who sets the number of pods: a HorizontalPodAutoscaler that the operator makes, or somebody else, such as KEDA, who scales the Deployment holdfast-<gateway>. ${DEFAULTS.scaler} where omitted.`,
      )
      .optional(),
  }),
  {
    cel: "self.min <= self.max",
    message: "min must not be larger than max",
    holds: (value) => value.min <= value.max,
  },
).describe("Let the number of pods follow the number of connections.");

const externalFields = z.strictObject({
  type: z
    .enum(["ClusterIP", "NodePort", "LoadBalancer"])
    .describe(`Type of the Service. ${DEFAULTS.service.type} where omitted.`)
    .optional(),
  annotations: z
    .record(z.string().max(317), z.string().max(4096))
    .describe("Annotations of the Service, for the cloud's load balancer.")
    .optional(),
  externalTrafficPolicy: z
    .enum(["Cluster", "Local"])
    .describe("Local keeps the client's address and takes no second hop.")
    .optional(),
  loadBalancerClass: z.string().min(1).max(317).describe("Which load balancer implementation.").optional(),
  loadBalancerSourceRanges: setList(z.array(cidr()).max(64)).describe("Addresses that may connect.").optional(),
});

type ServiceValue = z.output<typeof externalFields>;
const serviceRules: readonly Rule<ServiceValue>[] = [
  {
    cel: "!has(self.externalTrafficPolicy) || !has(self.type) || self.type != 'ClusterIP'",
    message: "externalTrafficPolicy has no meaning for type ClusterIP: remove it, or choose NodePort or LoadBalancer",
    holds: ({ type, externalTrafficPolicy }) => externalTrafficPolicy === undefined || type !== "ClusterIP",
  },
  {
    cel: "(!has(self.loadBalancerClass) && !has(self.loadBalancerSourceRanges)) || !has(self.type) || self.type == 'LoadBalancer'",
    message: "loadBalancerClass and loadBalancerSourceRanges are for type LoadBalancer",
    holds: ({ type = DEFAULTS.service.type, loadBalancerClass, loadBalancerSourceRanges }) =>
      type === "LoadBalancer" || (loadBalancerClass === undefined && loadBalancerSourceRanges === undefined),
  },
];
const Service = withRules(externalFields, ...serviceRules).describe("The Service in front of the pods.");

const Drain = z
  .strictObject({
    timeout: duration({ min: "1s", max: "24h" })
      .describe(`Within which a stopping pod closes its connections. ${DEFAULTS.drain.timeout} where omitted.`)
      .optional(),
    maxDisconnectsPerSecond: z
      .int()
      .min(1)
      .max(1_000_000)
      .describe(`Connections that it closes in a second. ${DEFAULTS.drain.maxDisconnectsPerSecond} where omitted.`)
      .optional(),
  })
  .describe("How a stopping pod lets its clients go.");

const Defaults = z
  .strictObject(policyFields)
  .describe("Policies of routes that do not have that block themselves; a route's own block replaces it as a whole.");
export type GatewayDefaults = z.output<typeof Defaults>;

const specFields = z.strictObject({
  listeners: listeners.describe("The ports where clients connect."),
  allowedRoutes: z
    .strictObject({ namespaces: RouteNamespaces.optional() })
    .describe("Routes that may attach to this gateway.")
    .optional(),
  trustedProxies: setList(z.array(cidr()).max(64))
    .describe("Proxies in front of the gateway whose X-Forwarded-For is believed; none where omitted.")
    .optional(),
  defaults: Defaults.optional(),
  management: z
    .enum(["Managed", "External"])
    .describe(
      `Managed: the operator runs the pods and what belongs to them. External: somebody else runs gateway processes, and the operator writes their configuration. ${DEFAULTS.management} where omitted, if the operator has an image to run.`,
    )
    .optional(),
  replicas: z
    .int()
    .min(0)
    .max(1000)
    .describe(`Number of pods. ${DEFAULTS.replicas} where omitted and without autoscaling.`)
    .optional(),
  autoscaling: Autoscaling.optional(),
  service: Service.optional(),
  redis: Redis.optional(),
  drain: Drain.optional(),
  podTemplate: PodTemplate.optional(),
});

const oneScale: Rule<z.output<typeof specFields>> = {
  cel: "!(has(self.replicas) && has(self.autoscaling))",
  message: "set replicas or autoscaling, not both",
  holds: (spec) => spec.replicas === undefined || spec.autoscaling === undefined,
};

/** What only says something about a fleet that the operator runs. */
export const FLEET_FIELDS = ["replicas", "autoscaling", "service", "podTemplate"] as const;

const externalIsBare: Rule<z.output<typeof specFields>> = {
  cel: `!has(self.management) || self.management != 'External' || ${celCount(FLEET_FIELDS)} == 0`,
  message: `${FLEET_FIELDS.join(", ")} have no meaning for management: External`,
  holds: (spec) => spec.management !== "External" || countSet(spec, FLEET_FIELDS) === 0,
};

export const WebSocketGatewaySpec = withRules(specFields, oneScale, externalIsBare).describe("What is wanted.");
/** The spec with the CRD's own defaults filled in. */
export type WebSocketGatewaySpec = z.output<typeof WebSocketGatewaySpec>;

const ListenerStatus = z
  .object({
    name: z.string().max(63).describe("Name of the listener."),
    attachedRoutes: z.int().min(0).describe("Routes that are served here."),
    conditions: conditions(8).describe("Accepted and ResolvedRefs of the listener.").optional(),
  })
  .describe("The state of one listener.");

const Address = z
  .object({
    type: z.enum(["IPAddress", "Hostname"]).describe("What the value is."),
    value: z.string().max(253).describe("The address."),
  })
  .describe("An address where clients reach the gateway.");

export const WebSocketGatewayStatus = z
  .object({
    conditions: conditions(16).describe("Accepted, ResolvedRefs, Programmed and Ready.").optional(),
    attachedRoutes: z.int().min(0).describe("Routes that this gateway serves.").optional(),
    listeners: mapList(z.array(ListenerStatus).max(16), "name").describe("The state of each listener.").optional(),
    addresses: z.array(Address).max(16).describe("Addresses of the gateway's Service.").optional(),
    revision: z.string().max(64).describe("Content hash of the configuration that the pods should serve.").optional(),
    pods: pods.optional(),
    connections: z.int().min(0).describe("Open connections, refreshed now and then.").optional(),
  })
  .describe("What is, as the operator and the gateways have found it.");
export type WebSocketGatewayStatus = z.output<typeof WebSocketGatewayStatus>;

/** Longest name: that of the Service is longer by `holdfast-` and must be a DNS label. */
export const MAX_GATEWAY_NAME = 50;

/** A gateway's name becomes part of labels and of the names of a Service and pods. */
export const gatewayNameRule: Rule<{ metadata: { name: string } }> = {
  cel: `self.metadata.name.size() <= ${MAX_GATEWAY_NAME} && !self.metadata.name.contains('.')`,
  message: `metadata.name must be at most ${MAX_GATEWAY_NAME} characters, without dots`,
  field: "metadata",
  holds: ({ metadata: { name } }) => name.length <= MAX_GATEWAY_NAME && !name.includes("."),
};

export interface WebSocketGateway {
  apiVersion: typeof API_VERSION;
  kind: typeof KINDS.WebSocketGateway.kind;
  metadata: ObjectMeta;
  spec: WebSocketGatewaySpec;
  status?: WebSocketGatewayStatus;
}
