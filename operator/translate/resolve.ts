/** Step: what a route refers to, at each of its gateways: Services with their endpoints, Secrets with their values. */
import type { WebSocketRouteSpec } from "../../crds/websocketroute.ts";
import type { TokenKeys } from "../../gateway/snapshot.ts";
import type { Cluster } from "../cluster.ts";
import type { Secret } from "../objects.ts";
import { type Authentication, resolveTokenKeys } from "./authentication.ts";
import { backendName, type Resolved } from "./backends.ts";
import type { Objection } from "./condition.ts";
import type { Context, ResolvedBackends, RouteDraft, TargetDraft } from "./draft.ts";
import { notPermitted, type Referrer } from "./grants.ts";
import { oneLine, SECRET_KEYS, type SecretValues, valuesOf, withoutSecret } from "./secrets.ts";

export interface ResolvedApiKeys {
  readonly secretValues: SecretValues;
  readonly objections: readonly Objection[];
}

export interface ResolvedKeys extends ResolvedApiKeys {
  /** Which of the values are API keys. */
  readonly apiKeys: readonly string[];
  /** By the provider's name. */
  readonly tokenKeys: ReadonlyMap<string, TokenKeys>;
}

const NO_API_KEYS: ResolvedApiKeys = { secretValues: new Map(), objections: [] };
/** Of a route that asks for no key. */
export const NO_KEYS: ResolvedKeys = { ...NO_API_KEYS, apiKeys: [], tokenKeys: new Map() };

export function resolveReferences(draft: RouteDraft, context: Context): void {
  const { spec } = draft;
  if (spec === undefined) return;
  draft.backends = resolveBackends(draft, spec, context);
  for (const target of draft.targets) {
    const block = authenticationOf({ draft, spec, target });
    if (block !== undefined) target.keys = resolveKeys(block, target, context.cluster);
  }
}

/** The same object as before while the backends are the same. */
export function resolveBackends(
  { namespace, memory }: RouteDraft,
  spec: WebSocketRouteSpec,
  context: Context,
): ResolvedBackends {
  if (context.backends.unchanged && memory.backends.last !== undefined) return memory.backends.last;
  const names = memory.refs.get(NOTHING, () => (spec.backendRefs ?? []).map((ref) => backendName(ref, namespace)));
  const resolved = names.map((name) => context.backends.resolve(name, namespace));
  return memory.backends.get(resolved.map(identityOf), () => {
    const backends: ResolvedBackends["backends"][number][] = [];
    const objections: Objection[] = [];
    for (const [index, found] of resolved.entries()) {
      if (found.ok) backends.push({ backend: found.backend, weight: spec.backendRefs?.[index]?.weight ?? 1 });
      else objections.push(found.objection);
    }
    return { backends, objections };
  });
}

/** A spec never changes, and the memory of a route is that of its spec. */
const NOTHING: readonly unknown[] = [];

/** What tells two answers apart. */
function identityOf(resolved: Resolved): unknown {
  return resolved.ok ? resolved.backend : resolved.objection.message;
}

/** The block that counts for a route at one gateway, and the object in which it stands. */
interface AuthenticationBlock {
  readonly authentication: Authentication;
  readonly from: Referrer;
}

interface Place {
  readonly draft: RouteDraft;
  readonly spec: WebSocketRouteSpec;
  readonly target: TargetDraft;
}

/** In a gateway's defaults a reference is the gateway's own, and so is the namespace that is not written. */
function authenticationOf({ draft, spec, target: { gateway } }: Place): AuthenticationBlock | undefined {
  const { authentication } = spec;
  if (authentication !== undefined)
    return { authentication, from: { kind: "WebSocketRoute", namespace: draft.namespace } };
  const byDefault = gateway.accepted.spec.defaults?.authentication;
  if (byDefault === undefined) return undefined;
  return { authentication: byDefault, from: { kind: "WebSocketGateway", namespace: gateway.namespace } };
}

function resolveKeys(
  { authentication, from }: AuthenticationBlock,
  target: TargetDraft,
  cluster: Cluster,
): ResolvedKeys {
  const { apiKeys, jwt } = authentication;
  const ofApi = apiKeys === undefined ? NO_API_KEYS : resolveApiKeys({ ...apiKeys.secretRef, from }, target, cluster);
  const ofTokens = (jwt?.providers ?? []).map((provider) => {
    const { name } = provider;
    return { name, ...resolveTokenKeys(provider, from, cluster) };
  });
  const madeOf = ofTokens.map(({ name, keys, secretValue, objection }) =>
    JSON.stringify([name, keys, secretValue, objection]),
  );
  return target.memory.keys.get([ofApi, ...madeOf], () => ({
    secretValues: new Map([
      ...ofApi.secretValues,
      ...ofTokens.flatMap(({ secretValue }) => (secretValue ? [secretValue] : [])),
    ]),
    objections: [...ofApi.objections, ...ofTokens.flatMap(({ objection }) => objection ?? [])],
    apiKeys: [...ofApi.secretValues.keys()],
    tokenKeys: new Map(ofTokens.map(({ name, keys }) => [name, keys])),
  }));
}

interface SecretReference {
  readonly from: Referrer;
  readonly namespace?: string | undefined;
  readonly name: string;
}

function resolveApiKeys(
  { from, namespace = from.namespace, name }: SecretReference,
  target: TargetDraft,
  cluster: Cluster,
): ResolvedApiKeys {
  const objection = notPermitted(cluster.referenceGrants, from, { kind: "Secret", namespace, name });
  const secret = objection === undefined ? cluster.secrets.get(`${namespace}/${name}`) : undefined;
  const lack = objection ?? (secret === undefined ? withoutSecret(cluster, `${namespace}/${name}`) : undefined);
  return target.memory.apiKeys.get([secret, lack?.message, from.kind], () => {
    if (lack !== undefined || secret === undefined)
      return { ...NO_API_KEYS, objections: lack === undefined ? [] : [lack] };
    return copyKeys(secret, namespace, name);
  });
}

function copyKeys(secret: Secret, namespace: string, name: string): ResolvedApiKeys {
  const values = [...valuesOf(secret)].filter(([, value]) => oneLine(value) !== "");
  if (values.length === 0) {
    const objection: Objection = { reason: "SecretNotFound", message: `Secret ${namespace}/${name} holds no key` };
    return { ...NO_API_KEYS, objections: [objection] };
  }
  const copies = values.map(([key, value]) => [SECRET_KEYS.apiKey(namespace, name, key), oneLine(value)] as const);
  return { secretValues: new Map(copies), objections: [] };
}
