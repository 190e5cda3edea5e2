/** Step: what a route refers to, at each of its gateways: Services with their endpoints, Secrets with their values. */
import type { WebSocketRouteSpec } from "../../crds/websocketroute.ts";
import type { Cluster } from "../cluster.ts";
import type { Objection } from "./condition.ts";
import type { Context, RouteDraft, TargetDraft } from "./draft.ts";
import { notPermitted, type Referrer } from "./grants.ts";
import { NO_SECRETS, oneLine, SECRET_KEYS, type SecretValues, valuesOf } from "./secrets.ts";

export function resolveReferences(draft: RouteDraft, context: Context): void {
  const { spec, namespace } = draft;
  if (spec === undefined) return;
  const { backends, objections } = resolveBackends(spec, namespace, context);
  draft.unresolved = objections;
  for (const target of draft.targets) {
    const keys = resolveApiKeys(apiKeySecret({ draft, spec, target }), context.cluster);
    target.backends = backends;
    target.secretValues = keys.secretValues;
    target.unresolved = [...objections, ...keys.objections];
  }
}

interface ResolvedBackends {
  readonly backends: TargetDraft["backends"];
  readonly objections: readonly Objection[];
}

function resolveBackends(spec: WebSocketRouteSpec, namespace: string, context: Context): ResolvedBackends {
  const backends: { backend: TargetDraft["backends"][number]["backend"]; weight: number }[] = [];
  const objections: Objection[] = [];
  for (const ref of spec.backendRefs ?? []) {
    const resolved = context.backends.resolve(ref, namespace);
    if (resolved.ok) backends.push({ backend: resolved.backend, weight: ref.weight });
    else objections.push(resolved.objection);
  }
  return { backends, objections };
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
function apiKeySecret({ draft, spec, target }: ApiKeyPlace): SecretReference | undefined {
  const { gateway } = target;
  const from: Referrer =
    spec.authentication === undefined
      ? { kind: "WebSocketGateway", namespace: gateway.namespace }
      : { kind: "WebSocketRoute", namespace: draft.namespace };
  const authentication = spec.authentication ?? gateway.accepted.spec.defaults?.authentication;
  const secretRef = authentication?.apiKeys?.secretRef;
  return secretRef && { from, namespace: secretRef.namespace ?? from.namespace, name: secretRef.name };
}

interface ResolvedKeys {
  readonly secretValues: SecretValues;
  readonly objections: readonly Objection[];
}

function resolveApiKeys(ref: SecretReference | undefined, cluster: Cluster): ResolvedKeys {
  if (ref === undefined) return { secretValues: NO_SECRETS, objections: [] };
  const { from, namespace, name } = ref;
  const objection = notPermitted(cluster.referenceGrants, from, { kind: "Secret", namespace, name });
  if (objection !== undefined) return { secretValues: NO_SECRETS, objections: [objection] };
  const secret = cluster.secrets.get(`${namespace}/${name}`);
  const values = [...(secret === undefined ? NO_SECRETS : valuesOf(secret))].filter(
    ([, value]) => oneLine(value) !== "",
  );
  if (values.length === 0) {
    const what = secret === undefined ? "does not exist" : "holds no key";
    return {
      secretValues: NO_SECRETS,
      objections: [{ reason: "SecretNotFound", message: `Secret ${namespace}/${name} ${what}` }],
    };
  }
  const copies = values.map(([key, value]) => [SECRET_KEYS.apiKey(namespace, name, key), oneLine(value)] as const);
  return { secretValues: new Map(copies), objections: [] };
}
