/** The authentication block of a route or of its gateway's defaults: compiled, and its issuers' keys looked up. */
import { DEFAULTS, type Policies } from "../../crds/defaults.ts";
import { parseDuration } from "../../crds/primitives.ts";
import type { CredentialSource, JwtPolicy, Route, TokenKeys } from "../../gateway/snapshot.ts";
import type { Cluster } from "../cluster.ts";
import type { Objection } from "./condition.ts";
import { notPermitted, type Referrer } from "./grants.ts";
import { oneLine, SECRET_KEYS, valuesOf, withoutSecret } from "./secrets.ts";
import { checkPublicKeys, checkSharedKeys } from "./token-keys.ts";

export type Authentication = NonNullable<Policies["authentication"]>;
type Provider = NonNullable<Authentication["jwt"]>["providers"][number];

/** All but the keys, which depend on other objects: `jwt` lacks `keys` in each provider. */
export interface CompiledAuthentication {
  readonly apiKeySources: CredentialSource[] | undefined;
  readonly jwt: (Omit<JwtPolicy, "providers"> & { readonly providers: readonly KeylessProvider[] }) | undefined;
  readonly external: Route["external"];
}

type KeylessProvider = Omit<JwtPolicy["providers"][number], "keys">;

export function compileAuthentication(authentication: Policies["authentication"]): CompiledAuthentication {
  const { apiKeys, jwt, external } = authentication ?? {};
  const apiKeySources = apiKeys === undefined ? undefined : (apiKeys.sources ?? DEFAULTS.apiKeySources);
  return {
    apiKeySources: apiKeySources?.map(credentialSource),
    jwt: jwt === undefined ? undefined : compileJwt(jwt),
    external: external === undefined ? undefined : compileExternal(external),
  };
}

function compileJwt(jwt: NonNullable<Authentication["jwt"]>): CompiledAuthentication["jwt"] {
  return {
    providers: jwt.providers.map(({ name, issuer, audiences = [], algorithms, clockSkew }) => ({
      name,
      issuer,
      audiences: [...audiences],
      algorithms: [...algorithms],
      clockSkew: parseDuration(clockSkew),
    })),
    sources: (jwt.sources ?? DEFAULTS.jwtSources).map(credentialSource),
    requiredClaims: (jwt.requiredClaims ?? []).map(({ name, values }) => ({ name, values: [...values] })),
    forwardClaims: (jwt.forwardClaims ?? []).map(({ claim, header }) => ({ claim, header })),
    onExpiry: jwt.onExpiry,
    optional: jwt.optional,
    mode: jwt.mode,
  };
}

function compileExternal(external: NonNullable<Authentication["external"]>): Route["external"] {
  const { url, timeout, forwardHeaders = [], responseHeaders = [], failOpen } = external;
  return {
    url,
    timeout: parseDuration(timeout),
    forwardHeaders: [...forwardHeaders],
    responseHeaders: [...responseHeaders],
    failOpen,
  };
}

interface SpecSource {
  readonly header?: string | undefined;
  readonly queryParam?: string | undefined;
  readonly cookie?: string | undefined;
  readonly protocol?: string | undefined;
  readonly prefix?: string | undefined;
  readonly toBackend?: "Strip" | "Keep" | undefined;
}

/** A subprotocol's prefix is all there is of it: `bearer.` finds the credential in `bearer.<credential>`. */
function credentialSource(source: SpecSource): CredentialSource {
  const { header, queryParam, cookie, protocol, prefix = "", toBackend } = source;
  if (header !== undefined) return { in: "header", name: header, prefix };
  if (queryParam !== undefined) {
    return { in: "query", name: queryParam, prefix: "", ...(toBackend === "Keep" ? { toBackend } : {}) };
  }
  if (cookie !== undefined) return { in: "cookie", name: cookie, prefix: "" };
  return { in: "protocol", name: "", prefix: protocol ?? "" };
}

/** A Secret or ConfigMap that a provider's keys stand in. */
export interface KeyReference {
  readonly kind: "Secret" | "ConfigMap";
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
}

export function keyReference({ jwks }: Provider, namespace: string): KeyReference | undefined {
  if (jwks?.secretRef !== undefined) return { kind: "Secret", namespace, ...jwks.secretRef } as KeyReference;
  if (jwks?.configMapRef !== undefined) return { kind: "ConfigMap", namespace, ...jwks.configMapRef };
  return undefined;
}

/** Where a provider's keys are, what has to be copied for that, and why they cannot be had. */
export interface ResolvedTokenKeys {
  readonly keys: TokenKeys;
  readonly secretValue: readonly [key: string, value: string] | undefined;
  readonly objection: Objection | undefined;
}

/** @param from - the object in which the block stands, for namespaces that are not written and for grants */
export function resolveTokenKeys(provider: Provider, from: Referrer, cluster: Cluster): ResolvedTokenKeys {
  const { jwks } = provider;
  const reference = keyReference(provider, from.namespace);
  if (reference?.kind === "Secret") return keysOfSecret(provider, reference, { from, cluster });
  if (reference?.kind === "ConfigMap") return keysOfConfigMap(provider, reference, cluster);
  if (jwks?.uri !== undefined) return found({ type: "Uri", uri: jwks.uri });
  return jwks?.inline === undefined
    ? found({ type: "Discovery" })
    : publicSet(jwks.inline, `provider ${provider.name}`);
}

const found = (keys: TokenKeys): ResolvedTokenKeys => ({ keys, secretValue: undefined, objection: undefined });

const missing = (objection: Objection): ResolvedTokenKeys => ({
  keys: { type: "Missing" },
  secretValue: undefined,
  objection,
});

/** A public set goes into the snapshot as it is. */
function publicSet(text: string, where: string): ResolvedTokenKeys {
  const problem = checkPublicKeys(text);
  if (problem !== undefined) return missing({ reason: "InvalidKeys", message: `the keys of ${where}: ${problem}` });
  return found({ type: "Inline", jwks: text });
}

function keysOfConfigMap(
  provider: Provider,
  { namespace, name, key }: KeyReference,
  cluster: Cluster,
): ResolvedTokenKeys {
  const text = cluster.configMaps.get(`${namespace}/${name}`)?.data?.[key];
  if (text !== undefined) return publicSet(text, `provider ${provider.name} in ConfigMap ${namespace}/${name}`);
  const what = cluster.configMaps.has(`${namespace}/${name}`) ? `holds no ${key}` : "does not exist";
  return missing({ reason: "ConfigMapNotFound", message: `ConfigMap ${namespace}/${name} ${what}` });
}

function keysOfSecret(
  { algorithms }: Provider,
  { namespace, name, key }: KeyReference,
  { from, cluster }: { readonly from: Referrer; readonly cluster: Cluster },
): ResolvedTokenKeys {
  const path = `${namespace}/${name}`;
  const refused = notPermitted(cluster.referenceGrants, from, { kind: "Secret", namespace, name });
  if (refused !== undefined) return missing(refused);
  const secret = cluster.secrets.get(path);
  if (secret === undefined) return missing(withoutSecret(cluster, path));
  const value = oneLine(valuesOf(secret).get(key) ?? "");
  if (value === "") return missing({ reason: "SecretNotFound", message: `Secret ${path} holds no ${key}` });
  const shared = algorithms.some((algorithm) => algorithm.startsWith("HS"));
  const problem = shared ? checkSharedKeys(value, algorithms) : checkPublicKeys(value);
  if (problem !== undefined) return missing({ reason: "InvalidKeys", message: `${key} of Secret ${path}: ${problem}` });
  const secretKey = SECRET_KEYS.tokenKeys(namespace, name, key);
  return { keys: { type: "Secret", secretKey }, secretValue: [secretKey, value], objection: undefined };
}
