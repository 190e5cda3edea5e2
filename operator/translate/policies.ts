/** The policies of a route, merged with its gateway's defaults, as the numbers that a gateway works with. */
import { DEFAULTS, type Policies, resolvePolicies } from "../../crds/defaults.ts";
import { parseDuration } from "../../crds/primitives.ts";
import type { GatewayDefaults } from "../../crds/websocketgateway.ts";
import type { WebSocketRouteSpec } from "../../crds/websocketroute.ts";
import type { CredentialSource, HashKey, Route } from "../../gateway/snapshot.ts";
import { compileLimits } from "./limits.ts";

/** The fields of a served route that come from its policies; `apiKeySources` becomes `apiKeys` when its Secret is resolved. */
export interface CompiledPolicies {
  readonly fields: Pick<
    Route,
    "requestHeaders" | "origins" | "clientIPs" | "limits" | "timeouts" | "keepAlive" | "loadBalancing"
  >;
  readonly apiKeySources: CredentialSource[] | undefined;
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
  const { apiKeys } = authentication ?? {};
  const sources = apiKeys === undefined ? undefined : (apiKeys.sources ?? DEFAULTS.apiKeySources);
  return { fields, apiKeySources: sources?.map(credentialSource) };
}

function headerChanges({ set, add, remove }: NonNullable<Policies["requestHeaders"]>): Route["requestHeaders"] {
  return { set: [...(set ?? [])], add: [...(add ?? [])], remove: [...(remove ?? [])] };
}

/** `Claim` is not implemented; a route that has it is not accepted and gets no further than here. */
function hashKey({ type, name }: NonNullable<Policies["loadBalancing"]["key"]>): HashKey {
  if (type === "Claim") return { type: "ConnectionID" };
  return { type, ...(name === undefined ? {} : { name }) };
}

interface SpecSource {
  readonly header?: string | undefined;
  readonly queryParam?: string | undefined;
  readonly cookie?: string | undefined;
  readonly protocol?: string | undefined;
  readonly prefix?: string | undefined;
}

/** A subprotocol's prefix is all there is of it: `bearer.` finds the credential in `bearer.<credential>`. */
function credentialSource({ header, queryParam, cookie, protocol, prefix = "" }: SpecSource): CredentialSource {
  if (header !== undefined) return { in: "header", name: header, prefix };
  if (queryParam !== undefined) return { in: "query", name: queryParam, prefix: "" };
  if (cookie !== undefined) return { in: "cookie", name: cookie, prefix: "" };
  return { in: "protocol", name: "", prefix: protocol ?? "" };
}
