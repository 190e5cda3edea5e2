/** The certificates of a TLS port, read from the gateway's secret material. */
import { createSecureContext, type SecureContext } from "node:tls";
import type { SecretMaterial } from "../snapshot.ts";
import type { PortGroup } from "./listeners.ts";

/** A listener that cannot be served. */
export interface PortFailure {
  readonly kind: "port" | "certificate" | "conflict";
  readonly listener: string;
  readonly message: string;
}

export interface Certificate {
  readonly hostnames: readonly string[];
  /** The material it was made from, to tell whether it changed. */
  readonly cert: string;
  readonly key: string;
  readonly context: SecureContext;
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Certificates of a port's listeners; those that did not change are taken over, those that cannot be read are named. */
export function readCertificates(
  group: PortGroup,
  secrets: SecretMaterial,
  before: readonly Certificate[],
): { certificates: Certificate[]; failures: PortFailure[] } {
  const certificates: Certificate[] = [];
  const failures: PortFailure[] = [];
  for (const listener of group.listeners) {
    for (const reference of listener.certificates) {
      const cert = secrets.get(reference.cert);
      const key = secrets.get(reference.key);
      if (cert === undefined || key === undefined) {
        failures.push({
          kind: "certificate",
          listener: listener.name,
          message: `the certificate ${reference.cert} is missing`,
        });
        continue;
      }
      try {
        const known = before.find((candidate) => candidate.cert === cert && candidate.key === key);
        const context = known?.context ?? createSecureContext({ cert, key, minVersion: "TLSv1.2" });
        certificates.push({ hostnames: reference.hostnames, cert, key, context });
      } catch (error) {
        const message = `the certificate ${reference.cert} cannot be used: ${errorMessage(error)}`;
        failures.push({ kind: "certificate", listener: listener.name, message });
      }
    }
  }
  return { certificates, failures };
}
