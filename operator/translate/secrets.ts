/** Secret material that routes and gateways refer to, decoded, and the keys under which a gateway finds its copy. */
import type { Cluster } from "../cluster.ts";
import type { Secret } from "../objects.ts";
import type { Objection } from "./condition.ts";

/** The keys of a gateway's Secret: dots keep namespace, name and key apart, since neither of the first two is read back. */
export const SECRET_KEYS = {
  apiKey: (namespace: string, name: string, key: string): string => `apikey.${namespace}.${name}.${key}`,
  certificate: (namespace: string, name: string): string => `tls.${namespace}.${name}.crt`,
  privateKey: (namespace: string, name: string): string => `tls.${namespace}.${name}.key`,
  tokenKeys: (namespace: string, name: string, key: string): string => `jwks.${namespace}.${name}.${key}`,
  redisUrl: "redis-url",
} as const;

/** What is copied for one referrer, by key of the gateway's Secret. */
export type SecretValues = ReadonlyMap<string, string>;

export const NO_SECRETS: SecretValues = new Map();

const decoded = new WeakMap<Secret, SecretValues>();

/** The Secret's values as text by their own keys, sorted; `stringData` (files have it) wins, as in the API server. */
export function valuesOf(secret: Secret): SecretValues {
  let values = decoded.get(secret);
  if (values === undefined) {
    const all = new Map(
      Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]),
    );
    for (const [key, value] of Object.entries(secret.stringData ?? {})) all.set(key, value);
    values = new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
    decoded.set(secret, values);
  }
  return values;
}

/** Why there is no such Secret (`namespace/name`) to be had. */
export function withoutSecret({ forbidden }: Pick<Cluster, "forbidden">, key: string): Objection {
  if (!forbidden.has(`secrets ${key}`)) return { reason: "SecretNotFound", message: `Secret ${key} does not exist` };
  const [namespace] = key.split("/");
  const message = `Secret ${key} may not be read: the operator needs get, list and watch of secrets in namespace ${namespace} (rbac.secretNamespaces of the Helm chart)`;
  return { reason: "SecretForbidden", message };
}

/** One line of text as people make it: `echo secret | base64` leaves a line feed that is not meant. */
export function oneLine(value: string): string {
  return value.replace(/\r?\n$/, "");
}
