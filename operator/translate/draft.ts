/** What the steps of a translation work on: one draft for each object, filled in step by step. */
import type { WebSocketGatewaySpec } from "../../crds/websocketgateway.ts";
import type { WebSocketRouteSpec } from "../../crds/websocketroute.ts";
import type { BackendEndpoints, GatewaySettings, Listener, Route } from "../../gateway/snapshot.ts";
import type { Cluster, GatewayEntry, RouteEntry } from "../cluster.ts";
import type { BackendResolver } from "./backends.ts";
import type { ConditionValue, Objection } from "./condition.ts";
import type { RouteMemory, TargetMemory } from "./memory.ts";
import type { CompiledMessages } from "./messages.ts";
import type { ParentReference, RouteOutcome } from "./plan.ts";
import type { ResolvedKeys } from "./resolve.ts";
import type { SecretValues } from "./secrets.ts";

export interface ListenerDraft {
  readonly settings: Listener;
  /** Why a certificate cannot be served. */
  readonly unresolved: Objection | undefined;
}

export interface GatewayDraft {
  readonly key: string;
  readonly namespace: string;
  readonly entry: GatewayEntry;
  /** Undefined when the gateway is not accepted, and `rejected` says why. */
  readonly accepted:
    | {
        readonly spec: WebSocketGatewaySpec;
        readonly settings: GatewaySettings;
        readonly listeners: readonly ListenerDraft[];
        /** Why something that the gateway itself needs is not there. */
        readonly unresolved: readonly Objection[];
        readonly secretValues: SecretValues;
      }
    | undefined;
  readonly rejected: Objection | undefined;
}

/** A gateway that may be attached to. */
export type AcceptedGateway = GatewayDraft & { readonly accepted: NonNullable<GatewayDraft["accepted"]> };

/** One entry of `parentRefs`. */
export interface ParentDraft {
  readonly parentRef: ParentReference;
  readonly gateway: string;
  readonly rejected: Objection | undefined;
}

/** Where a route is attached: depends on the route, the gateways' specs and the namespaces' labels, and on nothing else. */
export interface Attachment {
  /** Nothing takes the route. */
  readonly rejected: Objection | undefined;
  readonly parents: readonly ParentDraft[];
  readonly targets: readonly AttachedTarget[];
}

/** A route at one gateway, whichever of its parentRefs led there. */
export interface AttachedTarget {
  readonly gateway: string;
  /** Names of the listeners, in the gateway's order. */
  readonly listeners: readonly string[];
  /** Empty for any. */
  readonly hostnames: readonly string[];
}

export interface ResolvedBackends {
  readonly backends: readonly { readonly backend: BackendEndpoints; readonly weight: number }[];
  readonly objections: readonly Objection[];
}

export interface TargetDraft {
  readonly attached: AttachedTarget;
  readonly gateway: AcceptedGateway;
  readonly memory: TargetMemory;
  rejected: Objection | undefined;
  /** An older route serves the same; said when nothing else is wrong. */
  conflict: Objection | undefined;
  keys: ResolvedKeys;
  messages: CompiledMessages;
  route: Route | undefined;
  withheld: ConditionValue | undefined;
}

export interface RouteDraft {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** Seconds since the epoch; 0 where it is not known. */
  readonly created: number;
  /** Replaced when only metadata or status are others. */
  entry: RouteEntry;
  /** Undefined when the object is broken. */
  readonly spec: WebSocketRouteSpec | undefined;
  readonly memory: RouteMemory;
  rejected: Objection | undefined;
  attachment: Attachment;
  backends: ResolvedBackends;
  targets: readonly TargetDraft[];
  /** What is to be said of it; undefined until that is asked for, and when something has changed. */
  outcome: RouteOutcome | undefined;
}

/** What every step may read. */
export interface Context {
  readonly cluster: Cluster;
  readonly gateways: ReadonlyMap<string, GatewayDraft>;
  readonly backends: BackendResolver;
  /** Another array whenever a route may be attached otherwise than before. */
  readonly surroundings: readonly unknown[];
}

/** What a route's references lack at one gateway, backends apart. */
export function objectionsOf({ keys, messages }: TargetDraft): Objection[] {
  return [...keys.objections, ...(messages.unresolved === undefined ? [] : [messages.unresolved])];
}
