/**
 * The one table of what the API accepts and this release does not implement. A field in it makes its object not accepted, by name:
 * nothing is ever silently ignored. Implementing a field means to take its line out.
 */
import { FLEET_FIELDS, type GatewayDefaults, type WebSocketGatewaySpec } from "../../crds/websocketgateway.ts";
import type { WebSocketRouteSpec } from "../../crds/websocketroute.ts";
import type { Objection } from "./condition.ts";
import type { RouteDraft } from "./draft.ts";
import type { TranslateOptions } from "./plan.ts";

type PolicyBlocks = GatewayDefaults;

interface Unsupported<T> {
  readonly path: string;
  readonly used: (spec: T) => boolean;
}

const POLICIES: readonly Unsupported<PolicyBlocks>[] = [
  { path: "health", used: (spec) => spec.health !== undefined },
  { path: "onChange (Apply)", used: (spec) => spec.onChange === "Apply" },
  { path: "onChange (Close)", used: (spec) => spec.onChange === "Close" },
];

const ROUTE: readonly Unsupported<WebSocketRouteSpec>[] = [
  ...POLICIES,
  {
    path: "hub together with spec.backendRefs",
    used: (spec) => spec.hub !== undefined && spec.backendRefs !== undefined,
  },
];

const GATEWAY: readonly Unsupported<WebSocketGatewaySpec>[] = [
  ...POLICIES.map(({ path, used }) => ({
    path: `defaults.${path}`,
    used: ({ defaults }: WebSocketGatewaySpec) => defaults !== undefined && used(defaults),
  })),
  { path: "redis.type (Sentinel)", used: (spec) => spec.redis?.type === "Sentinel" },
  { path: "redis.type (Cluster)", used: (spec) => spec.redis?.type === "Cluster" },
];

/** Step: a route that uses a field which is not implemented. */
export function checkSupport(draft: RouteDraft): void {
  if (draft.spec !== undefined) draft.rejected ??= objection(ROUTE, draft.spec);
}

/** Names every field of the gateway that is not implemented, or that has nobody to act on it; undefined when all are good. */
export function unsupportedInGateway(
  spec: WebSocketGatewaySpec,
  fleet: TranslateOptions["fleet"] = "Refuse",
): Objection | undefined {
  return objection(GATEWAY, spec) ?? (fleet === "Refuse" ? withoutFleet(spec) : undefined);
}

function withoutFleet(spec: WebSocketGatewaySpec): Objection | undefined {
  const managed = spec.management === "Managed" ? ["spec.management: Managed"] : [];
  const used = FLEET_FIELDS.filter((field) => spec[field] !== undefined).map((field) => `spec.${field}`);
  const all = [...managed, ...used];
  if (all.length === 0) return undefined;
  const it = all.length === 1 ? "it" : "them";
  const message = `this operator runs no gateway pods, which ${all.join(", ")} would need: start it with --gateway-image, or remove ${it}`;
  return { reason: "UnsupportedValue", message };
}

function objection<T>(table: readonly Unsupported<T>[], spec: T): Objection | undefined {
  const used = table.filter((row) => row.used(spec)).map(({ path }) => `spec.${path}`);
  if (used.length === 0) return undefined;
  const message = `this release does not implement ${used.join(", ")}: remove ${used.length === 1 ? "it" : "them"}`;
  return { reason: "UnsupportedValue", message };
}
