/** The policy that a route has in the end at one gateway: every value, and where it comes from. Pure. */
import { DEFAULTS, POLICY_BLOCKS, type Policies, resolvePolicies } from "../crds/defaults.ts";
import type { GatewayDefaults } from "../crds/websocketgateway.ts";
import type { WebSocketRouteSpec } from "../crds/websocketroute.ts";

/** The route's own block, the gateway's `defaults`, or Holdfast itself. */
export type Origin = "route" | "gateway" | "default";

export interface EffectiveValue {
  /** As in the route's spec: `limits.maxMessageSize`. */
  readonly field: string;
  /** As in a manifest; lists and objects in lists stay whole. */
  readonly value: unknown;
  readonly from: Origin;
}

/** In the order of the blocks; `defaults` is undefined where the gateway gives none. */
export function effectivePolicy(
  route: WebSocketRouteSpec,
  defaults: GatewayDefaults | undefined,
): readonly EffectiveValue[] {
  const policies = asInManifest(resolvePolicies(route, defaults));
  return POLICY_BLOCKS.flatMap((block) => {
    const [owner, written] = route[block] === undefined ? ["gateway", defaults?.[block]] : ["route", route[block]];
    return leaves(policies[block], block).map(({ path, value }): EffectiveValue => {
      const own = JSON.stringify(at(written, path.slice(1))) === JSON.stringify(value);
      return { field: path.join("."), value, from: own ? (owner as Origin) : "default" };
    });
  });
}

/** The policies in the shape of the spec, with the defaults of optional parts where those parts are used. */
function asInManifest(policies: Policies): Readonly<Record<string, unknown>> {
  const { limits, loadBalancing, authentication, messages } = policies;
  const { type, key, maxLoad } = loadBalancing;
  const rate = <T extends object>(rates: T | undefined) =>
    rates === undefined ? undefined : { ...rates, onExceeded: at(rates, ["onExceeded"]) ?? DEFAULTS.onExceeded };
  return {
    ...policies,
    limits: { ...limits, messages: rate(limits.messages), bytes: rate(limits.bytes) },
    loadBalancing: { type, ...(type === "ConsistentHash" ? { consistentHash: { key, maxLoad } } : {}) },
    ...(authentication === undefined ? {} : { authentication: withSources(authentication) }),
    ...(messages === undefined ? {} : { messages: { ...DEFAULTS.messages, ...messages } }),
  };
}

function withSources({ jwt, external, apiKeys }: NonNullable<Policies["authentication"]>): object {
  return {
    ...(jwt === undefined ? {} : { jwt: { ...jwt, sources: jwt.sources ?? DEFAULTS.jwtSources } }),
    ...(external === undefined ? {} : { external }),
    ...(apiKeys === undefined ? {} : { apiKeys: { ...apiKeys, sources: apiKeys.sources ?? DEFAULTS.apiKeySources } }),
  };
}

interface Leaf {
  readonly path: readonly string[];
  readonly value: unknown;
}

function leaves(value: unknown, ...path: string[]): Leaf[] {
  if (value === undefined) return [];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [{ path, value }];
  return Object.entries(value).flatMap(([key, field]) => leaves(field, ...path, key));
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((object, key) => (Object(object) as Record<string, unknown>)[key], value);
}
