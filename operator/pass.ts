/**
 * One pass of the operator, without an effect: what the cluster holds now, in; the objects to write and the statuses to say, out.
 * Whoever calls it writes `gateways` (secret, parts, then index), then the statuses, and keeps `memory` for the next pass.
 */
import type { WebSocketGatewayStatus } from "../crds/websocketgateway.ts";
import type { WebSocketRouteStatus } from "../crds/websocketroute.ts";
import type { Cluster, GatewayEntry, RouteEntry } from "./cluster.ts";
import type { RenderedSnapshot } from "./render/snapshot-objects.ts";
import type { GatewayPlan, TranslateOptions } from "./translate/plan.ts";

/** The first sequence that carried a route as it is now. `fingerprint` changes with its generation and with what it resolves to. */
export interface Since {
  readonly fingerprint: string;
  readonly sequence: number;
}

/** What a pass remembers for the next: by `gateway key + " " + route key`. Empty after a restart: the current sequence counts then. */
export interface PassMemory {
  readonly since: ReadonlyMap<string, Since>;
}

export const EMPTY_MEMORY: PassMemory = { since: new Map() };

export interface PassInput {
  /** `indexes` and `secrets` must hold the newest that is known, what the caller itself has just written included. */
  readonly cluster: Cluster;
  readonly memory: PassMemory;
  readonly options: TranslateOptions;
  /**
   * Gateways (by key) whose objects the last pass could not write because somebody else's are in the way, with words for people:
   * `Programmed=False/ObjectNotOwned`, for their routes too.
   */
  readonly notOwned?: ReadonlyMap<string, string>;
  /** ms since the epoch. */
  readonly now: number;
  readonly random: (bytes: number) => Buffer;
}

/** A condition that flipped, in the words of a Kubernetes Event. */
export interface Flip {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

/** A status that differs from the one the object carries. */
export interface StatusChange<E, S> {
  readonly key: string;
  readonly entry: E;
  readonly status: S;
  readonly flips: readonly Flip[];
}

export interface PassResult {
  readonly gateways: readonly { readonly plan: GatewayPlan; readonly rendered: RenderedSnapshot }[];
  /** Only what has to be written. */
  readonly routeStatuses: readonly StatusChange<RouteEntry, WebSocketRouteStatus>[];
  readonly gatewayStatuses: readonly StatusChange<GatewayEntry, WebSocketGatewayStatus>[];
  readonly memory: PassMemory;
  /** When a status will change without any event (a Lease ends, a count is refreshed), ms since the epoch. */
  readonly wakeAt: number | undefined;
}

export function pass(input: PassInput): PassResult {
  return { gateways: [], routeStatuses: [], gatewayStatuses: [], memory: input.memory, wakeAt: undefined };
}
