/** What the live objects of a fleet say about it. Pure. */
import { isIP } from "node:net";
import type { WebSocketGatewayStatus } from "../../crds/websocketgateway.ts";
import { RESOURCES, type Resource } from "../../kube/resources.ts";
import { type KubernetesObject, namespacedName } from "../objects.ts";
import type { Objection } from "../translate/condition.ts";
import { type Deployment, type FleetPod, type FrontService, gatewayOf, kindAndName } from "./objects.ts";

export type Address = NonNullable<WebSocketGatewayStatus["addresses"]>[number];

export interface FleetFacts {
  /** How many pods there should be. */
  readonly desired: number;
  /** Names of the pods that there are. */
  readonly pods: ReadonlySet<string>;
  /** Those of them that Services lead nobody to. */
  readonly unready: ReadonlySet<string>;
  /** What keeps pods from running, for people. */
  readonly trouble: string | undefined;
  /** How far a replacement of the pods has come, for people; undefined when there is none under way. */
  readonly rollout: string | undefined;
  /** Where clients reach the gateway. */
  readonly addresses: readonly Address[];
}

/** What a status says of a fleet. */
export interface FleetView {
  /** Undefined before it has a Deployment. */
  readonly facts: FleetFacts | undefined;
  /** Why it cannot be as it should. */
  readonly objection: Objection | undefined;
}

export interface LiveFleets {
  readonly objects: ReadonlyMap<string, KubernetesObject>;
  readonly pods: ReadonlyMap<string, FleetPod>;
}

/** By `namespace/name` of the gateway: those that have a Deployment. */
export function fleetFacts(live: LiveFleets): ReadonlyMap<string, FleetFacts> {
  const pods = podsByGateway(live);
  const facts = new Map<string, FleetFacts>();
  for (const object of live.objects.values()) {
    if (object.kind !== RESOURCES.deployments.kind) continue;
    const gateway = gatewayOf(object);
    facts.set(gateway, factsOf(object as Deployment, pods.get(gateway) ?? [], live));
  }
  return facts;
}

function podsByGateway({ pods }: LiveFleets): ReadonlyMap<string, readonly FleetPod[]> {
  const found = new Map<string, FleetPod[]>();
  for (const pod of pods.values()) {
    const list = found.get(gatewayOf(pod));
    if (list === undefined) found.set(gatewayOf(pod), [pod]);
    else list.push(pod);
  }
  return found;
}

function factsOf(deployment: Deployment, pods: readonly FleetPod[], live: LiveFleets): FleetFacts {
  const service = live.objects.get(keyLike(deployment, RESOURCES.services));
  return {
    desired: deployment.spec?.replicas ?? 1,
    pods: new Set(pods.map(({ metadata }) => metadata.name)),
    unready: new Set(pods.filter(({ isUnready }) => isUnready).map(({ metadata }) => metadata.name)),
    trouble: troubleOf(deployment, pods),
    rollout: rolloutOf(deployment),
    addresses: service === undefined ? [] : addressesOf(service as FrontService),
  };
}

/** The Service has the Deployment's name. */
function keyLike({ metadata }: KubernetesObject, { kind }: Resource): string {
  return kindAndName({ kind, metadata });
}

/** The first pod's complaint, since they usually have the same; else why there are no pods at all. */
function troubleOf({ status }: Deployment, pods: readonly FleetPod[]): string | undefined {
  const first = [...pods].filter(({ trouble }) => trouble !== undefined).sort(byName)[0];
  if (first !== undefined) return `${first.metadata.name}: ${first.trouble}`;
  const failed = status?.conditions?.find(({ type, status }) => type === "ReplicaFailure" && status === "True");
  return failed?.message ?? failed?.reason;
}

function byName(a: KubernetesObject, b: KubernetesObject): number {
  return namespacedName(a) < namespacedName(b) ? -1 : 1;
}

function rolloutOf({ metadata, spec, status }: Deployment): string | undefined {
  const wanted = spec?.replicas ?? 1;
  const updated = status?.updatedReplicas ?? 0;
  // Until its controller has looked at the newest template, the status is about an older one.
  if (status?.observedGeneration !== metadata.generation || updated >= wanted) return undefined;
  const stuck = status?.conditions?.find(({ type, status }) => type === "Progressing" && status === "False");
  const progress = `${updated}/${wanted} pods are of the newest template`;
  return stuck === undefined ? progress : `${progress}; ${stuck.message ?? stuck.reason ?? "stuck"}`;
}

/** Of a load balancer what it gave; it has no address before it gives one, and so it has none here. */
function addressesOf({ spec, status }: FrontService): Address[] {
  const ingress = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname);
  const inside = (spec?.clusterIPs ?? []).filter((address) => address !== "None");
  const values = spec?.type === "LoadBalancer" ? ingress : inside;
  return values
    .filter((value) => value !== undefined)
    .slice(0, 16)
    .map((value) => ({ type: isIP(value) === 0 ? "Hostname" : "IPAddress", value }));
}
