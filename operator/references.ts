/** Which Secrets, ConfigMaps and Services anything refers to: the operator reads these by name and no others. */
import type { WebSocketRouteSpec } from "../crds/websocketroute.ts";
import { SNAPSHOT_OBJECTS } from "../gateway/snapshot.ts";
import { type Cluster, contentsOf, specsOf } from "./cluster.ts";
import { sameItems } from "./same-items.ts";
import { type Authentication, keyReference } from "./translate/authentication.ts";
import { notPermitted, type Referrer, type Target } from "./translate/grants.ts";

/** Sorted `namespace/name`s. A reference that no grant allows is not among them, so that nothing is read from there. */
export interface ReferencedNames {
  /** The gateways' own Secrets among them. */
  readonly secrets: readonly string[];
  readonly configMaps: readonly string[];
  readonly services: readonly string[];
}

/** A reference as it is written: the namespace may be left out. */
interface Reference {
  readonly name: string;
  readonly namespace?: string | undefined;
}

/** The same answer as before, and the same object, for as long as nothing that it is made of is another. */
export class References {
  #madeOf: readonly unknown[] = [];
  #names: ReferencedNames | undefined;

  of(cluster: Cluster): ReferencedNames {
    const { gateways, routes, referenceGrants } = cluster;
    const grants = referenceGrants === "notInstalled" ? [referenceGrants] : contentsOf([referenceGrants]);
    const madeOf = [...specsOf(gateways), ...specsOf(routes), ...grants];
    if (this.#names === undefined || !sameItems(this.#madeOf, madeOf)) this.#names = referencedNames(cluster);
    this.#madeOf = madeOf;
    return this.#names;
  }
}

export function referencedNames(cluster: Cluster): ReferencedNames {
  const names = { Secret: new Set<string>(), Service: new Set<string>() };
  const configMaps = new Set<string>();
  const refer = (from: Referrer, kind: Target["kind"], { name, namespace = from.namespace }: Reference): void => {
    if (notPermitted(cluster.referenceGrants, from, { kind, namespace, name }) === undefined)
      names[kind].add(`${namespace}/${name}`);
  };
  const referToKeys = (from: Referrer, authentication: Authentication | undefined): void => {
    if (authentication?.apiKeys !== undefined) refer(from, "Secret", authentication.apiKeys.secretRef);
    for (const provider of authentication?.jwt?.providers ?? []) {
      const reference = keyReference(provider, from.namespace);
      if (reference?.kind === "Secret") refer(from, "Secret", reference);
      else if (reference !== undefined) configMaps.add(`${reference.namespace}/${reference.name}`);
    }
  };
  const referToSchema = (namespace: string, messages: WebSocketRouteSpec["messages"]): void => {
    const reference = messages?.schema?.configMapRef;
    if (reference !== undefined) configMaps.add(`${namespace}/${reference.name}`);
  };
  for (const { metadata, parsed } of cluster.gateways.values()) {
    const from: Referrer = { kind: "WebSocketGateway", namespace: metadata.namespace ?? "default" };
    refer(from, "Secret", { name: SNAPSHOT_OBJECTS.secretName(metadata.name) });
    if (!parsed.ok) continue;
    const { listeners, redis, defaults } = parsed.value.spec;
    for (const { tls } of listeners) for (const ref of tls?.certificateRefs ?? []) refer(from, "Secret", ref);
    if (redis?.secretRef !== undefined) refer(from, "Secret", redis.secretRef);
    referToKeys(from, defaults?.authentication);
    referToSchema(from.namespace, defaults?.messages);
  }
  for (const { metadata, parsed } of cluster.routes.values()) {
    if (!parsed.ok) continue;
    const from: Referrer = { kind: "WebSocketRoute", namespace: metadata.namespace ?? "default" };
    const { backendRefs = [], authentication, messages } = parsed.value.spec;
    for (const ref of backendRefs) refer(from, "Service", ref);
    referToKeys(from, authentication);
    referToSchema(from.namespace, messages);
  }
  return { secrets: [...names.Secret].sort(), configMaps: [...configMaps].sort(), services: [...names.Service].sort() };
}
