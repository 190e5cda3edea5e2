/** The CustomResourceDefinitions, from the schemas. */
import { z } from "zod";
import { API_VERSION, CATEGORY, GROUP, KINDS, type Kind, VERSION } from "./kinds.ts";
import { VALIDATIONS } from "./rules.ts";
import { type JsonSchema, toEditor, toStructural } from "./structural.ts";
import { gatewayNameRule, WebSocketGatewaySpec, WebSocketGatewayStatus } from "./websocketgateway.ts";
import { WebSocketRouteSpec, WebSocketRouteStatus } from "./websocketroute.ts";

interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly description: string;
  readonly jsonPath: string;
  /** 1 shows it with `-o wide` only. */
  readonly priority?: 1;
}

interface Definition {
  readonly kind: Kind;
  readonly description: string;
  readonly spec: z.ZodType;
  readonly status: z.ZodType;
  readonly columns: readonly PrinterColumn[];
  readonly rules: readonly { readonly rule: string; readonly message: string }[];
}

const ready: PrinterColumn = {
  name: "Ready",
  type: "string",
  description: "Whether clients can use it.",
  jsonPath: '.status.conditions[?(@.type=="Ready")].status',
};
const pods: PrinterColumn = {
  name: "Pods",
  type: "string",
  description: "Gateway pods that serve this generation, of those that are known.",
  jsonPath: ".status.pods",
};
const reason: PrinterColumn = {
  name: "Reason",
  type: "string",
  description: "Why it is ready or not.",
  jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
  priority: 1,
};
const age: PrinterColumn = {
  name: "Age",
  type: "date",
  description: "Since when it exists.",
  jsonPath: ".metadata.creationTimestamp",
};

export const DEFINITIONS: readonly Definition[] = [
  {
    kind: "WebSocketRoute",
    description: "One WebSocket endpoint: the hosts and paths it is at, its policies, and where it leads.",
    spec: WebSocketRouteSpec,
    status: WebSocketRouteStatus,
    columns: [
      { name: "Hostnames", type: "string", description: "Hosts that are served.", jsonPath: ".spec.hostnames" },
      ready,
      pods,
      reason,
      {
        name: "Backends",
        type: "string",
        description: "Where it leads.",
        jsonPath: ".status.backends",
        priority: 1,
      },
      age,
    ],
    rules: [],
  },
  {
    kind: "WebSocketGateway",
    description: "A fleet of gateway pods: its listeners, and defaults for the routes that it serves.",
    spec: WebSocketGatewaySpec,
    status: WebSocketGatewayStatus,
    columns: [
      ready,
      pods,
      { name: "Routes", type: "integer", description: "Routes that it serves.", jsonPath: ".status.attachedRoutes" },
      {
        name: "Connections",
        type: "integer",
        description: "Open connections.",
        jsonPath: ".status.connections",
        priority: 1,
      },
      reason,
      {
        name: "Revision",
        type: "string",
        description: "Content hash of the configuration.",
        jsonPath: ".status.revision",
        priority: 1,
      },
      age,
    ],
    rules: [{ rule: gatewayNameRule.cel, message: gatewayNameRule.message }],
  },
];

/** The JSON Schema of what is written, not of what is read: fields with a default are optional. */
function jsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: "input" }) as JsonSchema;
}

/** The structural schema of the whole object. */
export function objectSchema(definition: Definition): JsonSchema {
  return {
    description: definition.description,
    type: "object",
    required: ["spec"],
    properties: {
      apiVersion: { type: "string", description: `The version of this API: ${API_VERSION}.` },
      kind: { type: "string", description: `The kind of the object: ${definition.kind}.` },
      metadata: { type: "object" },
      spec: toStructural(jsonSchema(definition.spec)),
      status: toStructural(jsonSchema(definition.status)),
    },
    ...(definition.rules.length === 0 ? {} : { [VALIDATIONS]: definition.rules }),
  };
}

/** The CustomResourceDefinition as it is applied. */
export function customResourceDefinition(definition: Definition): object {
  const { kind, plural, singular, shortName } = KINDS[definition.kind];
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: "Namespaced",
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames: [shortName], categories: [CATEGORY] },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          additionalPrinterColumns: definition.columns,
          schema: { openAPIV3Schema: objectSchema(definition) },
          subresources: { status: {} },
        },
      ],
    },
  };
}

/** JSON Schema of a manifest, for editors. */
export function editorSchema(definition: Definition): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: definition.kind,
    description: definition.description,
    type: "object",
    required: ["apiVersion", "kind", "metadata", "spec"],
    properties: {
      apiVersion: { const: API_VERSION },
      kind: { const: definition.kind },
      metadata: {
        type: "object",
        required: ["name"],
        properties: { name: { type: "string" }, namespace: { type: "string" } },
      },
      spec: withoutDialect(toEditor(jsonSchema(definition.spec))),
      status: withoutDialect(toEditor(jsonSchema(definition.status))),
    },
  };
}

function withoutDialect({ $schema: _, ...schema }: JsonSchema): JsonSchema {
  return schema;
}
