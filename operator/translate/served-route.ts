/** Step: the route as a gateway serves it. */
import type { WebSocketRouteSpec } from "../../crds/websocketroute.ts";
import type { Route } from "../../gateway/snapshot.ts";
import { textOf } from "../render/text.ts";
import { fails, joined } from "./condition.ts";
import type { RouteDraft, TargetDraft } from "./draft.ts";
import { compileMatches } from "./matches.ts";
import { compilePolicies } from "./policies.ts";

/** Characters of one route in a snapshot. Parts are cut at this size, and a route cannot be cut. */
const ROUTE_TEXT_LIMIT = 512 * 1024;

export function serveRoute(draft: RouteDraft): void {
  const { spec } = draft;
  if (spec === undefined || draft.rejected !== undefined) return;
  for (const target of draft.targets) {
    if (target.rejected !== undefined) continue;
    const route = unchanged({ draft, spec, target });
    const size = textOf(route).length;
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
}

interface Remembered {
  readonly inputs: readonly unknown[];
  readonly route: Route;
}

/** Routes by spec and gateway. A spec belongs to one generation of one object, so nothing else of the object is compared. */
const remembered = new WeakMap<WebSocketRouteSpec, Map<string, Remembered>>();

/** The same object as in the last translation while all that it is made of is the same. */
function unchanged(serving: Serving): Route {
  const { spec, target } = serving;
  const byGateway = remembered.get(spec) ?? new Map<string, Remembered>();
  remembered.set(spec, byGateway);
  const inputs = [
    compilePolicies(spec, target.gateway.accepted.spec.defaults),
    target.listeners.join(),
    target.hostnames.join(),
    target.backends.map(({ backend, weight }) => `${backend.id} ${weight}`).join(),
    [...target.secretValues.keys()].join(),
    target.unresolved.map(({ message }) => message).join(),
  ];
  const known = byGateway.get(target.gateway.key);
  if (known?.inputs.every((input, index) => input === inputs[index])) return known.route;
  const route = makeRoute(serving);
  byGateway.set(target.gateway.key, { inputs, route });
  return route;
}

function makeRoute({ draft, spec, target }: Serving): Route {
  const { metadata } = draft.entry;
  const { fields, apiKeySources } = compilePolicies(spec, target.gateway.accepted.spec.defaults);
  const { rewrite, protocols, hub } = spec;
  return {
    namespace: draft.namespace,
    name: draft.name,
    generation: metadata.generation ?? 1,
    order: createdAt(draft),
    listeners: [...target.listeners],
    hostnames: [...target.hostnames],
    matches: [...compileMatches(spec).matches],
    backends: target.backends.map(({ backend, weight }) => ({ id: backend.id, weight })),
    ...(rewrite === undefined ? {} : { rewrite: rewriteOf(rewrite) }),
    ...(protocols === undefined ? {} : { protocols: [...protocols] }),
    ...(apiKeySources === undefined
      ? {}
      : { apiKeys: { secretKeys: [...target.secretValues.keys()], sources: apiKeySources } }),
    ...fields,
    ...(hub === undefined ? {} : { hub: { name: hub.name ?? draft.name, groups: [...(hub.groups ?? [])] } }),
    ...unavailable(target, {
      nowhere: spec.hub === undefined && target.backends.length === 0,
      keyless: apiKeySources !== undefined && target.secretValues.size === 0,
    }),
  };
}

/** Seconds since the epoch, which is all that the API server tells; 0 where it is not known. */
export function createdAt({ entry }: Pick<RouteDraft, "entry">): number {
  const time = Date.parse(entry.metadata.creationTimestamp ?? "");
  return Number.isNaN(time) ? 0 : Math.max(0, Math.floor(time / 1000));
}

function rewriteOf({ path, hostname }: NonNullable<WebSocketRouteSpec["rewrite"]>): NonNullable<Route["rewrite"]> {
  return { ...(path === undefined ? {} : { path: { ...path } }), ...(hostname === undefined ? {} : { hostname }) };
}

interface Lack {
  readonly nowhere: boolean;
  readonly keyless: boolean;
}

/** Backends that resolve serve without those that do not; keys that are missing let nobody in. */
function unavailable({ unresolved }: TargetDraft, { nowhere, keyless }: Lack): Pick<Route, "unavailable"> {
  const objection = joined(unresolved);
  if (objection === undefined || !(nowhere || keyless)) return {};
  return { unavailable: { reason: "RouteNotResolved", message: objection.message } };
}
