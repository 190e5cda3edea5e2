/** What a case of the API's rules is, and what several tables of them say. */
import { API_VERSION, type Kind } from "../../../crds/kinds.ts";

export type Spec = Record<string, unknown>;

export interface Case {
  /** The object's name, so that many can be told apart in one answer. */
  readonly name: string;
  readonly kind: Kind;
  readonly spec: Spec;
}

export interface InvalidCase extends Case {
  /** Where the problem is, as `kubectl` shows it. */
  readonly path: string;
  readonly message: string;
}

export const ROUTE: Spec = { backendRefs: [{ name: "chat", port: 3000 }] };
export const LISTENER = { name: "ws", port: 8080, protocol: "WS" };
export const GATEWAY: Spec = { listeners: [LISTENER] };

/** The object that a case stands for. */
export function manifestOf({ name, kind, spec }: Case, namespace = "default"): object {
  return { apiVersion: API_VERSION, kind, metadata: { name, namespace }, spec };
}

/** A base with some fields replaced; `undefined` takes one away. */
export function change(base: Spec, fields: Spec): Spec {
  const entries = Object.entries({ ...base, ...fields }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}

export type Row = readonly [name: string, fields: Spec, path: string, message: string];
export type ValidRow = readonly [name: string, fields: Spec];

export const DURATION = "must be a duration such as 500ms or 1h30m, from";
export const CIDR = "must be a CIDR such as 10.0.0.0/8 or 2001:db8::/32; one address is 192.0.2.1/32";
export const KEEP_ALIVE = "timeout (8s where omitted) must be shorter than interval (25s where omitted)";

export const path = (type: string, value: string): Spec => ({ matches: [{ path: { type, value } }] });
export const provider = (fields: Spec): Spec => ({
  authentication: { jwt: { providers: [{ name: "main", issuer: "https://id.example.com", ...fields }] } },
});
export const apiKeySource = (source: Spec): Spec => ({
  authentication: { apiKeys: { secretRef: { name: "keys" }, sources: [source] } },
});
export const hash = (key: Spec): Spec => ({ loadBalancing: { type: "ConsistentHash", consistentHash: { key } } });
