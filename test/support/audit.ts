// The API server's audit log: who wrote what, in the words and the order of the one who keeps it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface AuditedWrite {
  readonly user: string;
  readonly verb: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
  /** HTTP status; 0 for a request that was cut. */
  readonly code: number;
  /** When the API server received it, ms since the epoch. */
  readonly at: number;
}

export interface AuditLog {
  /** For `startControlPlane({apiServerArgs})`. */
  readonly apiServerArgs: readonly string[];
  /** All writes so far, in the order of their arrival. */
  writes(): AuditedWrite[];
  remove(): void;
}

const POLICY = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [{ level: "Metadata", verbs: ["create", "update", "patch", "delete", "deletecollection"] }, { level: "None" }],
};

export function createAuditLog(): AuditLog {
  const dir = mkdtempSync(join(tmpdir(), "holdfast-audit-"));
  const [policy, log] = [join(dir, "policy.yaml"), join(dir, "audit.log")];
  writeFileSync(policy, JSON.stringify(POLICY));
  writeFileSync(log, "");
  return {
    apiServerArgs: [`--audit-policy-file=${policy}`, `--audit-log-path=${log}`],
    writes: () => {
      const lines = readFileSync(log, "utf8").split("\n").slice(0, -1);
      return lines.map((line) => readEvent(JSON.parse(line))).sort((a, b) => a.at - b.at);
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

interface AuditEvent {
  readonly user: { readonly username: string };
  readonly verb: string;
  readonly objectRef?: Readonly<Record<"resource" | "namespace" | "name" | "subresource", string | undefined>>;
  readonly responseStatus?: { readonly code?: number };
  readonly requestReceivedTimestamp: string;
}

function readEvent({ user, verb, objectRef, responseStatus, requestReceivedTimestamp }: AuditEvent): AuditedWrite {
  const { resource = "", namespace = "", name = "", subresource = "" } = objectRef ?? {};
  const at = Date.parse(requestReceivedTimestamp);
  return { user: user.username, verb, resource, namespace, name, subresource, code: responseStatus?.code ?? 0, at };
}
