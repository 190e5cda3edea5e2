/** What a translation gives: for each gateway what it shall serve, and for each object what is to be said about it. */
import type { BackendEndpoints, GatewaySettings, Route } from "../../gateway/snapshot.ts";
import type { GatewayEntry, RouteEntry } from "../cluster.ts";
import type { ConditionValue } from "./condition.ts";

/** All that one gateway needs, before it is cut into objects. */
export interface GatewayPlan {
  /** `namespace/name` of the WebSocketGateway. */
  readonly key: string;
  readonly entry: GatewayEntry;
  readonly settings: GatewaySettings;
  /** Sorted by `namespace/name`; an unchanged route is the same object as in the last translation, and so is an unchanged list. */
  readonly routes: readonly Route[];
  /** Sorted by id; the same holds for identity. */
  readonly endpoints: readonly BackendEndpoints[];
  /** Decoded copies of the referenced secret material, by key of the gateway's Secret. */
  readonly secretValues: ReadonlyMap<string, string>;
}

/** Which parent a route named, in the words of its `parentRefs`. */
export interface ParentReference {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly sectionName?: string | undefined;
  readonly port?: number | undefined;
}

/** What is to be said about a route and one of its parents. */
export interface ParentOutcome {
  readonly parentRef: ParentReference;
  /** `namespace/name` of the gateway, whether or not it exists. */
  readonly gateway: string;
  readonly accepted: ConditionValue;
  readonly resolvedRefs: ConditionValue;
  /** The route as it stands in that gateway's plan; undefined when it is not in there. */
  readonly route: Route | undefined;
  /** Why the route is accepted and yet not in the plan (it is too large). */
  readonly withheld: ConditionValue | undefined;
}

export interface RouteOutcome {
  readonly key: string;
  readonly entry: RouteEntry;
  /** Said of the route itself where there is no parent to say it of: it is broken, or nothing takes it. */
  readonly orphaned: ConditionValue | undefined;
  readonly parents: readonly ParentOutcome[];
  /** Addresses for people, such as `wss://chat.example.com/ws/chat`. */
  readonly urls: readonly string[];
  /** Where the route leads, in short. */
  readonly backends: string;
}

export interface ListenerOutcome {
  readonly name: string;
  readonly attachedRoutes: number;
  readonly conditions: readonly ConditionValue[];
}

export interface GatewayOutcome {
  readonly key: string;
  readonly entry: GatewayEntry;
  readonly accepted: ConditionValue;
  readonly resolvedRefs: ConditionValue;
  readonly attachedRoutes: number;
  readonly listeners: readonly ListenerOutcome[];
}

export interface Translation {
  /** Sorted by key. A gateway that is not accepted has no plan: what it served stays as it is. */
  readonly plans: readonly GatewayPlan[];
  readonly gateways: readonly GatewayOutcome[];
  readonly routes: readonly RouteOutcome[];
}

export interface TranslateOptions {
  /** Whether a Service of type ExternalName may be a backend: it can point anywhere, so only where the operator's owner says so. */
  readonly externalNames: "Allow" | "Refuse";
  /**
   * What a gateway's fields about its pods come to: the operator runs them; or somebody else does, and they would be an empty
   * promise; or this one process is all there is, and they are for another place. `Refuse` where omitted.
   */
  readonly fleet?: "Run" | "Refuse" | "Ignore";
}
