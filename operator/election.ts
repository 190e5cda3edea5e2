/** Whether this operator writes: always when it is alone by decree, else while it holds the Lease. Composes `Leader` with its surroundings. */
import { performance } from "node:perf_hooks";
import type { Logger } from "pino";
import type { KubeClient } from "../kube/client.ts";
import type { Clock } from "../kube/clock.ts";
import type { OwnerReference } from "../kube/objects.ts";
import { LEADER_TIMING, Leader, type LeaderIdentity, type LeaderTiming } from "./leader.ts";

export interface LeaderElection {
  /** Where the Lease is. */
  readonly namespace: string;
  /** This process among all operators; `leader.ts` says what may be equal. */
  readonly identity: string;
  /** What the Lease goes with when these operators are uninstalled. */
  readonly owner?: OwnerReference | undefined;
  readonly timing?: LeaderTiming | undefined;
}

export interface ElectionOptions {
  readonly client: KubeClient;
  /** Undefined: this operator is the only one, and leads. */
  readonly leaderElection: LeaderElection | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Pick<Logger, "info" | "warn">;
  /** Aborting it ends the taking part; what is held is held until `resign`. */
  readonly signal: AbortSignal;
  readonly onChange: (state: "leading" | "standby") => void;
}

export interface Election {
  /** Writes only while this operator leads. */
  readonly client: KubeClient;
  leads(): boolean;
  /** After the signal: lets another operator take over at once. To be called when nothing is written any more. */
  resign(): Promise<void>;
}

/** One name for all operators of a cluster: there is one writer, whatever namespaces it serves. */
export const LEADER_LEASE = "holdfast-operator";

/** @throws RangeError when the timing cannot work. */
export function takePart(options: ElectionOptions): Election {
  const { client, leaderElection, clock, random, log, signal, onChange } = options;
  if (leaderElection === undefined) return { client, leads: () => true, resign: async () => {} };
  const { namespace, identity, owner, timing = LEADER_TIMING } = leaderElection;
  const lease: LeaderIdentity = { namespace, name: LEADER_LEASE, identity, owner };
  const leader = new Leader({
    client,
    lease,
    timing,
    clock,
    monotonic: () => performance.now(),
    random,
    signal,
    onChange: (state) => {
      if (state === "leading") log.info({ identity }, "leading: this operator writes from now on");
      else log.warn({ identity }, "not leading any more: nothing is written");
      onChange(state);
    },
    onHolder: (holder) => log.info({ identity, holder }, "standing by: another operator leads"),
    onError: (error) => log.warn({ err: error }, `Lease ${namespace}/${LEADER_LEASE} cannot be had or renewed`),
  });
  const ended = leader.run();
  return {
    client: client.fenced(leader),
    leads: () => leader.leads,
    async resign() {
      await ended;
      await leader.release();
    },
  };
}
