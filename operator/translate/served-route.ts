/** Step: the route as a gateway serves it. */
import type { WebSocketRouteSpec } from "../../crds/websocketroute.ts";
import type { Route } from "../../gateway/snapshot.ts";
import type { CompiledAuthentication } from "./authentication.ts";
import { fails, joined } from "./condition.ts";
import { objectionsOf, type RouteDraft, type TargetDraft } from "./draft.ts";
import { matchesOf } from "./matches.ts";
import { type CompiledPolicies, compilePolicies } from "./policies.ts";
import type { ResolvedKeys } from "./resolve.ts";

/** Characters of one route in a snapshot. Parts are cut at this size, and a route cannot be cut. */
const ROUTE_TEXT_LIMIT = 512 * 1024;

export function serveRoute(draft: RouteDraft): void {
  const { spec } = draft;
  if (spec === undefined || draft.rejected !== undefined) return;
  for (const target of draft.targets) {
    target.route = undefined;
    target.withheld = undefined;
    if (target.rejected !== undefined || target.conflict !== undefined) continue;
    const { defaults } = target.gateway.accepted.spec;
    const policies = target.memory.policies.get([defaults], () => compilePolicies(spec, defaults));
    const { route, size } = target.memory.route.get(
      [policies, target.attached, draft.backends, target.keys, target.messages],
      () => {
        const made = makeRoute({ draft, spec, target, policies });
        return { route: made, size: JSON.stringify(made).length };
      },
    );
    if (size <= ROUTE_TEXT_LIMIT) target.route = route;
    else {
      const message = `the route takes ${size} characters in the configuration of ${target.gateway.key}, and ${ROUTE_TEXT_LIMIT} fit: split its hostnames and matches over several routes`;
      target.withheld = fails("Programmed", { reason: "ConfigTooLarge", message });
    }
  }
}

interface Serving {
  readonly draft: RouteDraft;
  readonly spec: WebSocketRouteSpec;
  readonly target: TargetDraft;
  readonly policies: CompiledPolicies;
}

function makeRoute({ draft, spec, target, policies: { fields, authentication } }: Serving): Route {
  const { rewrite, protocols, hub } = spec;
  const { backends } = draft.backends;
  const secretKeys = [...target.keys.apiKeys];
  const { apiKeySources, external } = authentication;
  const jwt = jwtOf(authentication.jwt, target.keys);
  return {
    namespace: draft.namespace,
    name: draft.name,
    generation: draft.entry.metadata.generation ?? 1,
    order: draft.created,
    listeners: [...target.attached.listeners],
    hostnames: [...target.attached.hostnames],
    matches: [...matchesOf(draft, spec).matches],
    backends: backends.map(({ backend, weight }) => ({ id: backend.id, weight })),
    ...(rewrite === undefined ? {} : { rewrite: rewriteOf(rewrite) }),
    ...(protocols === undefined ? {} : { protocols: [...protocols] }),
    ...(apiKeySources === undefined ? {} : { apiKeys: { secretKeys, sources: apiKeySources } }),
    ...(jwt === undefined ? {} : { jwt }),
    ...(external === undefined ? {} : { external }),
    ...fields,
    ...(target.messages.rules === undefined ? {} : { messages: target.messages.rules }),
    ...(hub === undefined ? {} : { hub: { name: hub.name ?? draft.name, groups: [...(hub.groups ?? [])] } }),
    ...unavailable(draft, target, {
      nowhere: hub === undefined && backends.length === 0,
      unread: target.messages.unresolved !== undefined,
      keyless:
        (apiKeySources !== undefined && secretKeys.length === 0) ||
        (jwt?.providers.every(({ keys }) => keys.type === "Missing") ?? false),
    }),
  };
}

/** A provider whose keys are missing stays: its tokens are told so, and those of the others go on. */
function jwtOf(compiled: CompiledAuthentication["jwt"], { tokenKeys }: ResolvedKeys): Route["jwt"] {
  if (compiled === undefined) return undefined;
  const providers = compiled.providers.map((provider) => ({
    ...provider,
    keys: tokenKeys.get(provider.name) ?? ({ type: "Missing" } as const),
  }));
  return { ...compiled, providers };
}

function rewriteOf({ path, hostname }: NonNullable<WebSocketRouteSpec["rewrite"]>): NonNullable<Route["rewrite"]> {
  return { ...(path === undefined ? {} : { path: { ...path } }), ...(hostname === undefined ? {} : { hostname }) };
}

interface Lack {
  readonly nowhere: boolean;
  readonly keyless: boolean;
  /** The schema of its messages is not there. */
  readonly unread: boolean;
}

/** Backends that resolve serve without those that do not; keys and schemas that are missing let nobody in. */
function unavailable(
  draft: RouteDraft,
  target: TargetDraft,
  { nowhere, keyless, unread }: Lack,
): Pick<Route, "unavailable"> {
  const objection = joined([...draft.backends.objections, ...objectionsOf(target)]);
  if (objection === undefined || !(nowhere || keyless || unread)) return {};
  return { unavailable: { reason: "RouteNotResolved", message: objection.message } };
}
