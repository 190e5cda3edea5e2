/** Step: what a route demands of its messages, at each of its gateways: the schema fetched, everything compiled once to refuse what cannot be served. */
import { DEFAULTS, resolvePolicies } from "../../crds/defaults.ts";
import { parseQuantity } from "../../crds/primitives.ts";
import type { GatewayDefaults } from "../../crds/websocketgateway.ts";
import type { WebSocketRouteSpec } from "../../crds/websocketroute.ts";
import type { MessagePolicy } from "../../gateway/snapshot.ts";
import { compileMessagePolicy } from "../../policy/messages.ts";
import type { Cluster } from "../cluster.ts";
import type { Objection } from "./condition.ts";
import type { Context, RouteDraft, TargetDraft } from "./draft.ts";

export type Messages = NonNullable<WebSocketRouteSpec["messages"]>;

export interface CompiledMessages {
  readonly rules: MessagePolicy | undefined;
  /** Why the route cannot be accepted. */
  readonly rejected: Objection | undefined;
  /** Why the schema cannot be had. */
  readonly unresolved: Objection | undefined;
}

/** Of a route whose messages are not read. */
export const NO_MESSAGES: CompiledMessages = { rules: undefined, rejected: undefined, unresolved: undefined };

/** Bytes of a message that is read: what takes longer than that to decode would hold up everybody else. */
const MAX_READ = 1024 * 1024;

export function checkMessages(draft: RouteDraft, { cluster }: Context): void {
  const { spec } = draft;
  if (spec === undefined) return;
  for (const target of draft.targets) {
    const block = blockOf(draft, spec, target);
    if (block === undefined) continue;
    const { defaults } = target.gateway.accepted.spec;
    const schema = schemaOf(block, cluster);
    target.messages = target.memory.messages.get([block.messages, defaults, ...Object.values(schema)], () =>
      compile({ spec, defaults, block, schema }),
    );
    target.rejected ??= target.messages.rejected;
  }
}

/** The block that counts for a route at one gateway, where it stands, and the namespace of what it refers to. */
interface Block {
  readonly messages: Messages;
  readonly path: string;
  readonly namespace: string;
}

function blockOf(draft: RouteDraft, spec: WebSocketRouteSpec, { gateway }: TargetDraft): Block | undefined {
  const { messages } = spec;
  if (messages !== undefined) return { messages, path: "spec.messages", namespace: draft.namespace };
  const byDefault = gateway.accepted.spec.defaults?.messages;
  if (byDefault === undefined) return undefined;
  const path = `spec.defaults.messages of WebSocketGateway ${gateway.key}`;
  return { messages: byDefault, path, namespace: gateway.namespace };
}

interface SchemaText {
  readonly text: string | undefined;
  /** What is not there. */
  readonly missing: string | undefined;
}

function schemaOf({ messages, namespace }: Block, cluster: Pick<Cluster, "configMaps">): SchemaText {
  const { inline, configMapRef } = messages.schema ?? {};
  if (configMapRef === undefined) return { text: inline, missing: undefined };
  const key = `${namespace}/${configMapRef.name}`;
  const configMap = cluster.configMaps.get(key);
  if (configMap === undefined) return { text: undefined, missing: `ConfigMap ${key} does not exist` };
  const text = configMap.data?.[configMapRef.key];
  return { text, missing: text === undefined ? `ConfigMap ${key} has no key ${configMapRef.key}` : undefined };
}

interface Compiling {
  readonly spec: WebSocketRouteSpec;
  readonly defaults: GatewayDefaults | undefined;
  readonly block: Block;
  readonly schema: SchemaText;
}

function compile({ spec, defaults, block, schema }: Compiling): CompiledMessages {
  const rules = rulesOf(block.messages, schema.text);
  const objections = [...unfit(spec, defaults, block), ...problemsOf(rules, block)];
  const message = objections.join("; ");
  return {
    rules,
    rejected: objections.length === 0 ? undefined : { reason: "Invalid", message },
    unresolved: schema.missing === undefined ? undefined : { reason: "ConfigMapNotFound", message: schema.missing },
  };
}

function rulesOf(
  { accept, allow = [], transform = {}, onInvalid, reply, mode }: Messages,
  schema?: string,
): MessagePolicy {
  const { fromClient, toClient } = transform;
  const readsText = schema !== undefined || allow.length > 0 || fromClient !== undefined;
  return {
    accept: [...(accept ?? (readsText ? (["Text"] as const) : (["Text", "Binary"] as const)))],
    ...(schema === undefined ? {} : { schema }),
    allow: [...allow],
    transform: {
      ...(fromClient === undefined ? {} : { fromClient }),
      ...(toClient === undefined ? {} : { toClient }),
    },
    onInvalid: onInvalid ?? DEFAULTS.messages.onInvalid,
    ...(reply === undefined ? {} : { reply }),
    mode: mode ?? DEFAULTS.messages.mode,
  };
}

/** Why the block does not suit the route. */
function unfit(spec: WebSocketRouteSpec, defaults: GatewayDefaults | undefined, { path }: Block): string[] {
  const { maxMessageSize } = resolvePolicies(spec, defaults).limits;
  return [
    ...(spec.hub === undefined
      ? []
      : [`${path}: this release reads messages between clients and backends only, not those of a hub`]),
    ...(parseQuantity(maxMessageSize) <= MAX_READ
      ? []
      : [`${path}: messages that are read have at most 1Mi, and limits.maxMessageSize is ${maxMessageSize}`]),
  ];
}

function problemsOf(rules: MessagePolicy, { messages, path }: Block): string[] {
  const compiled = compileMessagePolicy(rules);
  if (!("problems" in compiled)) return [];
  const { configMapRef } = messages.schema ?? {};
  const at = (field: string): string => {
    if (field !== "schema") return `${path}.${field}`;
    return configMapRef === undefined
      ? `${path}.schema.inline`
      : `${path}.schema: key ${configMapRef.key} of ConfigMap ${configMapRef.name}`;
  };
  return compiled.problems.map(({ field, message }) => `${at(field)}: ${message}`);
}
