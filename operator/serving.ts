/** What the gateway processes have said: whether they serve something that came with a sequence, and which of them are away. Pure. */
import { SNAPSHOT_OBJECTS } from "../gateway/snapshot.ts";
import { type Acknowledgement, type Cluster, readAcknowledgement } from "./cluster.ts";
import type { FleetFacts } from "./fleet/facts.ts";
import { type ConditionValue, fails, holds, type Objection } from "./translate/condition.ts";

/** All that is known of one gateway's processes at one moment. */
export interface Serving {
  /** The sequence that they shall come to. */
  readonly sequence: number;
  /** Why nothing newer than what they have will come. */
  readonly blocked: Objection | undefined;
  /** Unexpired and ready, by their own word and by Kubernetes', sorted by name. */
  readonly ready: readonly Acknowledgement[];
  /** Not ready: starting, silent, or not there at all; what people are told of them. */
  readonly unavailable: readonly string[];
  /** Sending their clients away, sorted by name. Nobody misses them: whoever ends a pod has decided how many there shall be. */
  readonly draining: readonly Acknowledgement[];
  /** How many there are or should be. */
  readonly known: number;
  /** How many there should be; undefined where nobody knows. */
  readonly desired: number | undefined;
  /** How far a replacement of the pods has come, for people. */
  readonly rollout: string | undefined;
  /** When the next of the Leases ends unless it is renewed, ms since the epoch. */
  readonly nextExpiry: number | undefined;
  /** Equal for two moments when nothing else is to be said of what came with `since`. */
  readonly words: (since: number | undefined) => string;
}

/** Without what is worked out from the rest. */
type Known = Omit<Serving, "words">;

/** The processes of every gateway that has any, by `namespace/name`. */
export function readPods(cluster: Cluster): ReadonlyMap<string, readonly Acknowledgement[]> {
  const pods = new Map<string, Acknowledgement[]>();
  for (const entry of cluster.leases.values()) {
    const said = readAcknowledgement(entry);
    if (said === undefined) continue;
    const { namespace, labels } = entry.lease.metadata;
    const key = `${namespace}/${labels?.[SNAPSHOT_OBJECTS.gatewayLabel]}`;
    const list = pods.get(key);
    if (list === undefined) pods.set(key, [said]);
    else list.push(said);
  }
  for (const list of pods.values()) list.sort((a, b) => (a.pod < b.pod ? -1 : 1));
  return pods;
}

export interface ServingInput {
  readonly pods: readonly Acknowledgement[];
  readonly sequence: number;
  readonly blocked: Objection | undefined;
  /** What is known of the fleet; undefined where the operator does not run it. */
  readonly fleet?: FleetFacts | undefined;
  /** ms since the epoch. */
  readonly now: number;
}

export function readServing({ pods: said, sequence, blocked, fleet, now }: ServingInput): Serving {
  // A pod is ready a moment before Kubernetes has noticed, and until then no client gets there.
  const pods = said.map((pod) => (fleet?.unready.has(pod.pod) ? { ...pod, ready: false } : pod));
  const reporting = pods.filter(({ expiresAt }) => expiresAt > now);
  const serving = reporting.filter(({ ready, draining }) => ready && !draining);
  const isEnough = fleet !== undefined && serving.length >= fleet.desired;
  const there = pods.filter(({ pod, ready, draining, expiresAt }) => {
    if (draining) return false;
    // A pod that its Deployment has replaced is missed by nobody, and one that comes in addition is not waited for.
    return expiresAt > now ? ready || !isEnough : fleet === undefined || fleet.pods.has(pod);
  });
  const unavailable = there.flatMap(({ pod, ready, expiresAt }) => {
    if (expiresAt <= now) return [`${pod} has stopped reporting`];
    return ready ? [] : [`${pod} is not ready yet`];
  });
  const known = {
    sequence,
    blocked,
    ready: serving,
    unavailable: [...unavailable, ...missingPods(fleet, there.length)],
    draining: reporting.filter(({ draining }) => draining),
    known: Math.max(there.length, fleet?.desired ?? 0),
    desired: fleet?.desired,
    rollout: fleet?.rollout,
    nextExpiry: reporting.length === 0 ? undefined : Math.min(...reporting.map(({ expiresAt }) => expiresAt)),
  };
  return { ...known, words: wordsOf(known) };
}

/** Said once for all routes that came with the same sequence. */
function wordsOf(serving: Known): Serving["words"] {
  const words = new Map<number | undefined, string>();
  return (since) => {
    const said = words.get(since) ?? JSON.stringify([programmed(serving, since, 0), serving.unavailable]);
    words.set(since, said);
    return said;
  };
}

function missingPods(fleet: FleetFacts | undefined, there: number): string[] {
  if (fleet === undefined || there >= fleet.desired) return [];
  const because = fleet.trouble === undefined ? "" : ` (${fleet.trouble})`;
  return [`${fleet.desired - there} of ${fleet.desired} pods have not started to report${because}`];
}

export interface Programmed {
  readonly condition: ConditionValue;
  /** Processes that serve it, and all that are known. */
  readonly serving: number;
  readonly known: number;
}

/**
 * Whether every ready process has said that it serves what first came with `since`.
 *
 * @param since - undefined when no snapshot has carried it yet
 */
export function programmed(pods: Known, since: number | undefined, generation: number): Programmed {
  const serves = ({ sequence }: Acknowledgement): boolean =>
    since !== undefined && sequence >= since && sequence <= pods.sequence;
  const late = pods.ready.filter((pod) => !serves(pod));
  const serving = pods.ready.length - late.length;
  const pending = objectionOf({ pods, late, since, generation });
  // What will not come is said before that it has not come yet; what was there before is served on.
  const objection = pending === undefined ? undefined : (pods.blocked ?? pending);
  if (objection !== undefined) return { condition: fails("Programmed", objection), serving, known: pods.known };
  if (pods.unavailable.length > 0) {
    const message = `${serving}/${serving} ready gateway pods serve generation ${generation}`;
    return { condition: holds("Programmed", message), serving, known: pods.known };
  }
  // A rollout has more of them for a while, which is no reason to write the status of every route.
  const count = Math.min(serving, pods.desired ?? serving);
  const message = `${count}/${count} gateway pods serve generation ${generation}`;
  return { condition: holds("Programmed", message), serving: count, known: count };
}

interface Lateness {
  readonly pods: Known;
  readonly late: readonly Acknowledgement[];
  readonly since: number | undefined;
  readonly generation: number;
}

function objectionOf({ pods, late, since, generation }: Lateness): Objection | undefined {
  const { ready, sequence } = pods;
  if (ready.length === 0) {
    const others = [...pods.unavailable, ...pods.draining.map(({ pod }) => `${pod} drains`)];
    const known = others.length === 0 ? "" : ` (${others.join("; ")})`;
    return { reason: "NoPods", message: `no gateway pod is ready${known}` };
  }
  if (late.length === 0) return undefined;
  const serving = `${ready.length - late.length}/${ready.length} gateway pods serve generation ${generation}`;
  const refusing = late.find(({ refused }) => refused !== undefined);
  if (refusing !== undefined) {
    const message = `${serving}; ${refusing.pod} refused the configuration: ${refusing.refused}`;
    return { reason: "SnapshotRefused", message };
  }
  const waiting = late.map((pod) => `${pod.pod} (${standing(pod, since, sequence)})`).join(", ");
  return { reason: "Pending", message: `${serving}; waiting for ${waiting}` };
}

/** That pods drain and how far they have come; undefined while none does. */
export function drainage({ draining }: Pick<Serving, "draining">): [ConditionValue] | undefined {
  if (draining.length === 0) return undefined;
  const left = draining.map(({ pod, connections }) => `${pod} (${connections} connections left)`).join(", ");
  return [holds("Draining", `clients are sent to other pods by ${left}`)];
}

function standing(pod: Acknowledgement, since: number | undefined, newest: number): string {
  if (pod.sequence > newest) return `sequence ${pod.sequence}, which is not of this gateway; the newest is ${newest}`;
  return `sequence ${pod.sequence}, needs ${since ?? newest + 1}`;
}
