/** What the steps of a translation work on: one draft for each object, filled in step by step. */
import type { WebSocketGatewaySpec } from "../../crds/websocketgateway.ts";
import type { WebSocketRouteSpec } from "../../crds/websocketroute.ts";
import type { BackendEndpoints, GatewaySettings, Listener, Route } from "../../gateway/snapshot.ts";
import type { Cluster, GatewayEntry, RouteEntry } from "../cluster.ts";
import type { BackendResolver } from "./backends.ts";
import type { ConditionValue, Objection } from "./condition.ts";
import type { ParentReference } from "./plan.ts";
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

/** A route at one gateway, whichever of its parentRefs led there. */
export interface TargetDraft {
  readonly gateway: AcceptedGateway;
  /** Names of the listeners, in the gateway's order. */
  readonly listeners: readonly string[];
  /** Empty for any. */
  readonly hostnames: readonly string[];
  rejected: Objection | undefined;
  unresolved: readonly Objection[];
  backends: readonly { readonly backend: BackendEndpoints; readonly weight: number }[];
  secretValues: SecretValues;
  route: Route | undefined;
  withheld: ConditionValue | undefined;
}

export interface RouteDraft {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly entry: RouteEntry;
  /** Undefined when the object is broken. */
  readonly spec: WebSocketRouteSpec | undefined;
  rejected: Objection | undefined;
  /** Backends that cannot be resolved, whichever the gateway. */
  unresolved: readonly Objection[];
  parents: readonly ParentDraft[];
  targets: readonly TargetDraft[];
}

/** What every step may read. */
export interface Context {
  readonly cluster: Cluster;
  readonly gateways: ReadonlyMap<string, GatewayDraft>;
  readonly backends: BackendResolver;
}
