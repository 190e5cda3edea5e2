/** Step: what a route refers to, at each of its gateways: Services with their endpoints, Secrets with their values. */
import type { WebSocketRouteSpec } from "../../crds/websocketroute.ts";
import type { Cluster } from "../cluster.ts";
import type { Secret } from "../objects.ts";
import { backendName, type Resolved } from "./backends.ts";
import type { Objection } from "./condition.ts";
import type { Context, ResolvedBackends, RouteDraft, TargetDraft } from "./draft.ts";
import { notPermitted, type Referrer } from "./grants.ts";
import { oneLine, SECRET_KEYS, type SecretValues, valuesOf, withoutSecret } from "./secrets.ts";

export interface ResolvedKeys {
  readonly secretValues: SecretValues;
  readonly objections: readonly Objection[];
}

/** Of a route that asks for no key. */
export const NO_KEYS: ResolvedKeys = { secretValues: new Map(), objections: [] };

export function resolveReferences(draft: RouteDraft, context: Context): void {
  const { spec } = draft;
  if (spec === undefined) return;
  draft.backends = resolveBackends(draft, spec, context);
  for (const target of draft.targets) {
    const ref = apiKeySecret({ draft, spec, target });
    if (ref !== undefined) target.keys = resolveApiKeys(ref, target, context.cluster);
  }
}

function resolveBackends(
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

interface SecretReference {
  readonly from: Referrer;
  readonly namespace: string;
  readonly name: string;
}

interface ApiKeyPlace {
  readonly draft: RouteDraft;
  readonly spec: WebSocketRouteSpec;
  readonly target: TargetDraft;
}

/** In a gateway's defaults the reference is the gateway's own, and so is the namespace that is not written. */
function apiKeySecret({ draft, spec, target: { gateway } }: ApiKeyPlace): SecretReference | undefined {
  const authentication = spec.authentication ?? gateway.accepted.spec.defaults?.authentication;
  const secretRef = authentication?.apiKeys?.secretRef;
  if (secretRef === undefined) return undefined;
  const from: Referrer =
    spec.authentication === undefined
      ? { kind: "WebSocketGateway", namespace: gateway.namespace }
      : { kind: "WebSocketRoute", namespace: draft.namespace };
  return { from, namespace: secretRef.namespace ?? from.namespace, name: secretRef.name };
}

function resolveApiKeys(
  { from, namespace, name }: SecretReference,
  target: TargetDraft,
  cluster: Cluster,
): ResolvedKeys {
  const objection = notPermitted(cluster.referenceGrants, from, { kind: "Secret", namespace, name });
  const secret = objection === undefined ? cluster.secrets.get(`${namespace}/${name}`) : undefined;
  const lack = objection ?? (secret === undefined ? withoutSecret(cluster, `${namespace}/${name}`) : undefined);
  return target.memory.keys.get([secret, lack?.message, from.kind], () => {
    if (lack !== undefined || secret === undefined) return { ...NO_KEYS, objections: lack === undefined ? [] : [lack] };
    return copyKeys(secret, namespace, name);
  });
}

function copyKeys(secret: Secret, namespace: string, name: string): ResolvedKeys {
  const values = [...valuesOf(secret)].filter(([, value]) => oneLine(value) !== "");
  if (values.length === 0) {
    const objection: Objection = { reason: "SecretNotFound", message: `Secret ${namespace}/${name} holds no key` };
    return { ...NO_KEYS, objections: [objection] };
  }
  const copies = values.map(([key, value]) => [SECRET_KEYS.apiKey(namespace, name, key), oneLine(value)] as const);
  return { secretValues: new Map(copies), objections: [] };
}
