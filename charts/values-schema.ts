/**
 * The JSON Schema of the chart's values. What goes into a WebSocketGateway as it is has the schema of that API, so that helm refuses
 * what the API server would. Descriptions are the comments of values.yaml. Pure.
 */
import type { JsonSchema } from "../crds/structural.ts";

type Schemas = Readonly<Record<string, JsonSchema>>;

const text: JsonSchema = { type: "string" };
const flag: JsonSchema = { type: "boolean" };
const names: JsonSchema = { type: "object", additionalProperties: { type: "string" } };
const anything: JsonSchema = { type: "object" };
const list = (items: JsonSchema): JsonSchema => ({ type: "array", items });
const whole = (minimum: number): JsonSchema => ({ type: "integer", minimum });
const fields = (properties: Schemas): JsonSchema => ({ type: "object", additionalProperties: false, properties });

/** A Kubernetes name that may become part of a DNS label. */
const label: JsonSchema = { type: "string", pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", maxLength: 63 };
const duration: JsonSchema = { type: "string", pattern: "^([0-9]+(ms|s|m|h))+$" };
const resources = fields({ requests: anything, limits: anything });
const monitor = fields({ enabled: flag, labels: names, interval: duration });
const objectReference = fields({ name: label });

/** @param gateway - the schemas of the fields of a WebSocketGateway's spec */
export function valuesSchema(gateway: Schemas): JsonSchema {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Values of the chart holdfast",
    ...fields({
      // What a parent chart shares with its subcharts.
      global: anything,
      nameOverride: text,
      fullnameOverride: text,
      commonLabels: names,
      image: fields({
        repository: { type: "string", minLength: 1 },
        tag: text,
        digest: { type: "string", pattern: "^(sha256:[0-9a-f]{64})?$" },
        pullPolicy: { enum: ["Always", "IfNotPresent", "Never"] },
      }),
      imagePullSecrets: list(objectReference),
      crds: fields({ enabled: flag, keep: flag }),
      operator: operator(),
      rbac: fields({
        create: flag,
        gatewayNamespaces: list(label),
        secretNamespaces: list(label),
        clusterWideSecrets: flag,
        aggregateToUserRoles: flag,
      }),
      gateway: gatewayValues(gateway),
      redis: redis(gateway),
      networkPolicy: fields({ enabled: flag }),
      monitoring: monitoring(),
      tests: fields({ enabled: flag }),
      extraObjects: list({ type: ["object", "string"] }),
    }),
  };
}

function operator(): JsonSchema {
  return fields({
    replicas: whole(1),
    logLevel: { enum: ["trace", "debug", "info", "warn", "error"] },
    allowExternalName: flag,
    extraArgs: list(text),
    extraEnv: list(anything),
    resources,
    podLabels: names,
    podAnnotations: names,
    priorityClassName: text,
    nodeSelector: names,
    tolerations: list(anything),
    affinity: anything,
    topologySpreadConstraints: list(anything),
    podDisruptionBudget: fields({ enabled: flag }),
    serviceAccount: fields({ create: flag, name: text, annotations: names }),
  });
}

function gatewayValues(spec: Schemas): JsonSchema {
  const of = (name: string): JsonSchema => spec[name] ?? {};
  const { min = {}, max = {}, connectionsPerPod = {} } = (of("autoscaling").properties ?? {}) as Schemas;
  return fields({
    enabled: flag,
    name: { ...label, maxLength: 50 },
    annotations: names,
    listeners: of("listeners"),
    allowedRoutes: of("allowedRoutes"),
    replicas: of("replicas"),
    autoscaling: fields({
      enabled: flag,
      min,
      max,
      connectionsPerPod,
      keda: fields({
        enabled: flag,
        prometheusAddress: { type: "string", pattern: "^https?://" },
        pollingInterval: whole(1),
        authenticationRef: anything,
      }),
    }),
    service: of("service"),
    drain: of("drain"),
    defaults: of("defaults"),
    trustedProxies: of("trustedProxies"),
    podTemplate: of("podTemplate"),
  });
}

function redis(spec: Schemas): JsonSchema {
  const { url = {}, secretRef = {} } = (spec.redis?.properties ?? {}) as Schemas;
  // Empty is how a value of a chart is left out.
  const { required: _required, ...reference } = secretRef;
  return fields({
    url: { anyOf: [{ const: "" }, url] },
    secretRef: reference,
    embedded: fields({ enabled: flag, image: { type: "string", minLength: 1 }, resources }),
  });
}

function monitoring(): JsonSchema {
  return fields({
    podMonitor: monitor,
    serviceMonitor: monitor,
    rules: fields({ enabled: flag, labels: names, disabled: list(text), alertLabels: names }),
    dashboard: fields({ enabled: flag, labels: names, annotations: names }),
  });
}
