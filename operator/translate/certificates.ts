/** Certificates of a WSS listener: read and checked before a gateway sees them. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Listener } from "../../gateway/snapshot.ts";
import type { Cluster } from "../cluster.ts";
import type { Secret } from "../objects.ts";
import type { Objection } from "./condition.ts";
import { notPermitted } from "./grants.ts";
import { SECRET_KEYS, valuesOf, withoutSecret } from "./secrets.ts";

type Certificate = Listener["certificates"][number];

export interface CertificateReference {
  readonly name: string;
  readonly namespace?: string | undefined;
}

export interface ResolvedCertificates {
  readonly certificates: readonly Certificate[];
  readonly secretValues: ReadonlyMap<string, string>;
  readonly objections: readonly Objection[];
}

/** Those that can be served, and why the others cannot. */
export function resolveCertificates(
  cluster: Cluster,
  refs: readonly CertificateReference[],
  gatewayNamespace: string,
): ResolvedCertificates {
  const certificates: Certificate[] = [];
  const secretValues = new Map<string, string>();
  const objections: Objection[] = [];
  for (const { name, namespace = gatewayNamespace } of refs) {
    const from = { kind: "WebSocketGateway", namespace: gatewayNamespace } as const;
    const secret = cluster.secrets.get(`${namespace}/${name}`);
    const objection =
      notPermitted(cluster.referenceGrants, from, { kind: "Secret", namespace, name }) ??
      (secret === undefined ? withoutSecret(cluster, `${namespace}/${name}`) : undefined);
    const checked = objection === undefined && secret !== undefined ? check(secret) : undefined;
    if (checked === undefined || "message" in checked) {
      objections.push(
        objection ?? { reason: "InvalidCertificate", message: `Secret ${namespace}/${name}: ${checked?.message}` },
      );
      continue;
    }
    const [cert, key] = [SECRET_KEYS.certificate(namespace, name), SECRET_KEYS.privateKey(namespace, name)];
    certificates.push({ cert, key, hostnames: [...checked.hostnames] });
    secretValues.set(cert, checked.cert).set(key, checked.key);
  }
  return { certificates, secretValues, objections };
}

type Checked =
  | { readonly cert: string; readonly key: string; readonly hostnames: readonly string[] }
  | { readonly message: string };

const checks = new WeakMap<Secret, Checked>();

function check(secret: Secret): Checked {
  const known = checks.get(secret) ?? read(secret);
  checks.set(secret, known);
  return known;
}

function read(secret: Secret): Checked {
  const values = valuesOf(secret);
  const [cert, key] = [values.get("tls.crt"), values.get("tls.key")];
  if (!cert || !key) return { message: `has no ${cert ? "tls.key" : "tls.crt"}` };
  try {
    const leaf = new X509Certificate(cert);
    if (!leaf.checkPrivateKey(createPrivateKey(key)))
      return { message: "tls.key does not belong to the certificate in tls.crt" };
    return { cert, key, hostnames: dnsNames(leaf) };
  } catch {
    // The library's message may quote what it could not read, and that can be the key.
    return { message: "tls.crt and tls.key are not a PEM certificate and its private key" };
  }
}

/** DNS names of the certificate (RFC 5280 §4.2.1.6), in lower case. */
function dnsNames(leaf: X509Certificate): string[] {
  const names = (leaf.subjectAltName ?? "").split(", ").filter((name) => name.startsWith("DNS:"));
  return names.map((name) => name.slice("DNS:".length).toLowerCase()).sort();
}
