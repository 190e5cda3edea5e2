/**
 * Leader election on a Lease, as Kubernetes' own controllers do it: who holds the Lease writes. Of two operators the one that does
 * not hold it keeps its caches warm, and takes over once the Lease has not been renewed for as long as it lives.
 *
 * No clock is compared with another machine's: a Lease is alive for its duration after *we* saw it change. The leader stops by its
 * own clock, at the renew deadline after it *sent* the last renewal that was answered, hence before anybody else may begin. The
 * clock is looked at before every write, so a process that was paused writes nothing after it wakes.
 */
import type { KubeClient } from "../kube/client.ts";
import { type Clock, sleep } from "../kube/clock.ts";
import { isConflict, isNotFound } from "../kube/error.ts";
import { FencedOff, type WriteFence, type WriteTerm } from "../kube/fence.ts";
import { microTime } from "../kube/lease.ts";
import type { Lease, OwnerReference } from "../kube/objects.ts";
import { RESOURCES } from "../kube/resources.ts";

export interface LeaderTiming {
  /** Others wait this long after the last renewal that they saw, in milliseconds. */
  readonly leaseMs: number;
  /** The leader stops writing this long after its last successful renewal. Shorter than `leaseMs`. */
  readonly renewDeadlineMs: number;
  /** Between two tries. */
  readonly retryMs: number;
}

/** What client-go's controllers use. */
export const LEADER_TIMING: LeaderTiming = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 };

export interface LeaderIdentity {
  readonly namespace: string;
  /** Of the Lease. */
  readonly name: string;
  /** This process among all that want to lead; a restarted container may keep its pod's name. */
  readonly identity: string;
  /** What the Lease goes with when these operators are uninstalled. */
  readonly owner?: OwnerReference | undefined;
}

export interface LeaderOptions {
  readonly client: Pick<KubeClient, "get" | "create" | "replace">;
  readonly lease: LeaderIdentity;
  readonly timing: LeaderTiming;
  readonly clock: Clock;
  /** Milliseconds that never go back, and go on while the process is paused. */
  readonly monotonic: () => number;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly onChange: (state: "leading" | "standby") => void;
  /** The holder that somebody else's Lease names, each time that it is another one. */
  readonly onHolder: (identity: string) => void;
  readonly onError: (error: unknown) => void;
}

/** A moment by both clocks: one stands still while a machine sleeps, the other may be set. */
interface Instant {
  readonly monotonic: number;
  readonly wall: number;
}

interface Observed {
  readonly lease: Lease;
  /** When what it says was first seen; monotonic. */
  readonly at: number;
}

interface Term extends WriteTerm {
  readonly end: () => void;
}

/** Retries of one process drift apart by up to this share. */
const JITTER = 0.2;

/** @throws RangeError when a leader could go on writing while another one begins, or could not renew in time. */
export function checkTiming({ leaseMs, renewDeadlineMs, retryMs }: LeaderTiming): void {
  if (retryMs <= 0) throw new RangeError("the time between two tries must be longer than 0");
  if (renewDeadlineMs >= leaseMs) throw new RangeError("the renew deadline must be shorter than the lease");
  if (retryMs * (1 + JITTER) >= renewDeadlineMs)
    throw new RangeError(`the renew deadline must be longer than ${1 + JITTER} times the time between two tries`);
}

export class Leader implements WriteFence {
  readonly #options: LeaderOptions;
  #observed: Observed | undefined;
  /** What was observed is not what the Lease is now. */
  #isStale = false;
  /** When the last successful renewal was sent. */
  #renewed: Instant | undefined;
  #term: Term | undefined;
  #cancelDeadline: () => void = () => {};

  constructor(options: LeaderOptions) {
    checkTiming(options.timing);
    this.#options = options;
  }

  /** Whether this process may write at this very moment. */
  get leads(): boolean {
    return this.#term !== undefined && this.#withinDeadline();
  }

  term(): WriteTerm {
    if (this.#term === undefined) throw new FencedOff();
    this.#term.check();
    return this.#term;
  }

  /** Runs until the signal aborts; never rejects. What was held then is still held: see `release`. */
  async run(): Promise<void> {
    const { clock, signal } = this.#options;
    while (!signal.aborted) {
      await this.#try();
      await sleep(clock, this.#pause(), signal);
    }
  }

  /** Ends the term and lets another one take over at once. To be called when nothing is written any more; never rejects. */
  async release(): Promise<void> {
    const { client, lease, onError } = this.#options;
    const held = this.leads ? this.#observed?.lease : undefined;
    this.#endTerm();
    if (held === undefined) return;
    const spec = { ...held.spec, holderIdentity: "", leaseDurationSeconds: 1, renewTime: this.#time() };
    const released: Lease = { ...held, spec };
    await client.replace(targetOf(lease), released).catch(onError);
  }

  async #try(): Promise<void> {
    const { clock, timing, signal, onError } = this.#options;
    // A request that hangs must leave time for another one before the deadline.
    const bounded = new AbortController();
    const abort = () => bounded.abort();
    signal.addEventListener("abort", abort, { once: true });
    const cancel = clock.after(timing.renewDeadlineMs / 2, abort);
    try {
      await this.#acquireOrRenew(bounded.signal);
    } catch (error) {
      // Somebody else has written or deleted the Lease, which may mean much or nothing: the next try reads it first.
      if (isConflict(error) || isNotFound(error)) this.#isStale = true;
      else if (!signal.aborted)
        onError(bounded.signal.aborted ? new Error("the API server did not answer in time") : error);
    } finally {
      cancel();
      signal.removeEventListener("abort", abort);
    }
    if (!this.leads) this.#endTerm();
  }

  async #acquireOrRenew(signal: AbortSignal): Promise<void> {
    const { client, lease } = this.#options;
    const known = this.leads && !this.#isStale ? this.#observed?.lease : await this.#read(signal);
    if (known !== undefined && !this.#isFree(known)) {
      this.#endTerm();
      return;
    }
    const sent = this.#instant();
    const wanted = this.#wanted(known);
    const written =
      known === undefined
        ? await client.create<Lease>({ ...targetOf(lease), name: undefined }, wanted, { signal })
        : await client.replace<Lease>(targetOf(lease), wanted, { signal });
    this.#observe(written);
    this.#renewed = sent;
    if (!this.#withinDeadline()) return;
    this.#armDeadline();
    if (this.#term === undefined) this.#beginTerm();
  }

  async #read(signal: AbortSignal): Promise<Lease | undefined> {
    const lease = await this.#options.client.get<Lease>(targetOf(this.#options.lease), { signal }).catch((error) => {
      if (!isNotFound(error)) throw error;
    });
    this.#isStale = false;
    if (lease !== undefined) this.#observe(lease);
    return lease ?? undefined;
  }

  #observe(lease: Lease): void {
    const { lease: ours, onHolder } = this.#options;
    const before = this.#observed;
    const says = JSON.stringify(lease.spec);
    const at =
      before !== undefined && JSON.stringify(before.lease.spec) === says ? before.at : this.#instant().monotonic;
    this.#observed = { lease, at };
    const holder = lease.spec?.holderIdentity ?? "";
    if (holder !== "" && holder !== ours.identity && holder !== before?.lease.spec?.holderIdentity) onHolder(holder);
  }

  #isFree({ spec }: Lease): boolean {
    const holder = spec?.holderIdentity ?? "";
    return holder === "" || holder === this.#options.lease.identity || this.#remaining() <= 0;
  }

  /** Milliseconds until somebody else's Lease has run out. */
  #remaining(): number {
    const { timing, monotonic } = this.#options;
    if (this.#observed === undefined) return 0;
    const seconds = this.#observed.lease.spec?.leaseDurationSeconds;
    const lives = seconds === undefined ? timing.leaseMs : seconds * 1000;
    return this.#observed.at + lives - monotonic();
  }

  #wanted(known: Lease | undefined): Lease {
    const { lease, timing } = this.#options;
    const now = this.#time();
    const isOurs = known?.spec?.holderIdentity === lease.identity;
    const transitions = known?.spec?.leaseTransitions ?? 0;
    const { namespace, name, owner } = lease;
    const metadata = { namespace, name, ...known?.metadata, ...(owner && { ownerReferences: [owner] }) };
    return {
      apiVersion: RESOURCES.leases.apiVersion,
      kind: RESOURCES.leases.kind,
      metadata,
      spec: {
        holderIdentity: lease.identity,
        leaseDurationSeconds: Math.max(1, Math.ceil(timing.leaseMs / 1000)),
        acquireTime: (isOurs ? known?.spec?.acquireTime : undefined) ?? now,
        renewTime: now,
        leaseTransitions: known === undefined || isOurs ? transitions : transitions + 1,
      },
    };
  }

  #beginTerm(): void {
    const over = new AbortController();
    this.#term = {
      signal: over.signal,
      end: () => over.abort(),
      check: () => {
        if (over.signal.aborted || !this.#withinDeadline()) throw new FencedOff();
      },
    };
    this.#options.onChange("leading");
  }

  #endTerm(): void {
    this.#cancelDeadline();
    if (this.#term === undefined) return;
    this.#term.end();
    this.#term = undefined;
    this.#options.onChange("standby");
  }

  #armDeadline(): void {
    const { clock, timing } = this.#options;
    this.#cancelDeadline();
    this.#cancelDeadline = clock.after(Math.max(0, timing.renewDeadlineMs - this.#sinceRenewal()), () => {
      // Timers are a little less exact than clocks.
      if (this.#withinDeadline()) this.#armDeadline();
      else this.#endTerm();
    });
  }

  #withinDeadline(): boolean {
    return this.#sinceRenewal() < this.#options.timing.renewDeadlineMs;
  }

  /** The longer of what the two clocks say: stopping early costs a moment, stopping late two writers. */
  #sinceRenewal(): number {
    if (this.#renewed === undefined) return Number.POSITIVE_INFINITY;
    const { monotonic, wall } = this.#instant();
    return Math.max(monotonic - this.#renewed.monotonic, wall - this.#renewed.wall);
  }

  /** A standby looks right when the Lease has run out, too. */
  #pause(): number {
    const { timing, random } = this.#options;
    const retry = timing.retryMs * (1 + JITTER * random());
    if (this.#isStale) return retry / 10;
    if (this.leads || this.#observed === undefined) return retry;
    const remaining = this.#remaining();
    return remaining <= 0 ? retry : Math.min(retry, remaining + 0.1 * timing.retryMs * random());
  }

  #instant(): Instant {
    return { monotonic: this.#options.monotonic(), wall: this.#options.clock.now() };
  }

  #time(): string {
    return microTime(this.#options.clock.now());
  }
}

function targetOf({ namespace, name }: LeaderIdentity) {
  return { resource: RESOURCES.leases, namespace, name };
}
