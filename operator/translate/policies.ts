/** The policies of a route, merged with its gateway's defaults, as the numbers that a gateway works with. */
import { type Policies, resolvePolicies } from "../../crds/defaults.ts";
import { parseDuration } from "../../crds/primitives.ts";
import type { GatewayDefaults } from "../../crds/websocketgateway.ts";
import type { WebSocketRouteSpec } from "../../crds/websocketroute.ts";
import type { HashKey, Route } from "../../gateway/snapshot.ts";
import { type CompiledAuthentication, compileAuthentication } from "./authentication.ts";
import { compileLimits } from "./limits.ts";

/** The fields of a served route that come from its policies; `authentication` is without the keys that are in other objects. */
export interface CompiledPolicies {
  readonly fields: Pick<
    Route,
    "requestHeaders" | "origins" | "clientIPs" | "limits" | "timeouts" | "keepAlive" | "loadBalancing"
  >;
  readonly authentication: CompiledAuthentication;
}

export function compilePolicies(spec: WebSocketRouteSpec, defaults: GatewayDefaults | undefined): CompiledPolicies {
  return compile(resolvePolicies(spec, defaults));
}

function compile(policies: Policies): CompiledPolicies {
  const { requestHeaders, origins, clientIPs, timeouts, keepAlive, loadBalancing, authentication } = policies;
  const fields = {
    ...(requestHeaders === undefined ? {} : { requestHeaders: headerChanges(requestHeaders) }),
    ...(origins === undefined ? {} : { origins: [...origins] }),
    ...(clientIPs === undefined
      ? {}
      : { clientIPs: { allow: [...(clientIPs.allow ?? [])], deny: [...(clientIPs.deny ?? [])] } }),
    limits: compileLimits(policies.limits),
    timeouts: {
      handshake: parseDuration(timeouts.handshake),
      connect: parseDuration(timeouts.connect),
      idle: parseDuration(timeouts.idle),
      maxLifetime: parseDuration(timeouts.maxLifetime),
    },
    keepAlive: { interval: parseDuration(keepAlive.interval), timeout: parseDuration(keepAlive.timeout) },
    loadBalancing: {
      type: loadBalancing.type,
      key: hashKey(loadBalancing.key),
      maxLoad: loadBalancing.maxLoad,
    },
  };
  return { fields, authentication: compileAuthentication(authentication) };
}

function headerChanges({ set, add, remove }: NonNullable<Policies["requestHeaders"]>): Route["requestHeaders"] {
  return { set: [...(set ?? [])], add: [...(add ?? [])], remove: [...(remove ?? [])] };
}

function hashKey({ type, name }: NonNullable<Policies["loadBalancing"]["key"]>): HashKey {
  return { type, ...(name === undefined ? {} : { name }) };
}
