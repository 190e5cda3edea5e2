/**
 * The fleet's shared counts in Redis, as calls that answer soon or fail: whoever asks then goes on with what this pod
 * counts by itself. Knows nothing of limits.
 */
import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import { type LinkTimings, RedisLink } from "../bus/redis-link.ts";
import type { BucketShape } from "./bucket.ts";
import { FLEET_SCRIPT } from "./fleet-script.ts";

/** Redis did not answer, or there is none. What was asked for may have been done or not. */
export class FleetUnavailable extends Error {}

/** All in milliseconds, but `silentPings`. */
export interface FleetTimings {
  readonly link: LinkTimings;
  /** For one answer; a client waits for it. */
  readonly answer: number;
  /** After which a pod that is not heard of counts no more. */
  readonly expiry: number;
}

export const FLEET_TIMINGS: FleetTimings = {
  link: { pingInterval: 1_000, silentPings: 3, establish: 2_500, retry: { min: 100, max: 300 } },
  answer: 500,
  expiry: 10_000,
};

export interface FleetOptions {
  /** Name of this process among those that share the counts; another one for each start. */
  readonly pod: string;
  /** `namespace/name` of the gateway, whose pods share. */
  readonly gateway: () => string;
  readonly timings?: FleetTimings;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
  readonly onState?: (state: "up" | "down") => void;
  /** Told once for each outage, with why; never holds the URL. */
  readonly onProblem?: (problem: string) => void;
}

export interface FleetCount {
  readonly field: string;
  readonly limit: number | undefined;
}

export interface FleetBucket {
  /** Unique among the buckets of a route. */
  readonly name: string;
  readonly shape: BucketShape;
}

interface Scripted extends Redis {
  holdfastLimits(keys: number, ...args: (string | number)[]): Promise<number | string>;
}

/** Longest name of a client's making that stands in a key. */
const MAX_NAME = 128;

const bounded = (name: string): string =>
  name.length <= MAX_NAME ? name : `sha256:${createHash("sha256").update(name).digest("base64url")}`;

export class Fleet {
  readonly timings: FleetTimings;
  readonly #options: FleetOptions;
  #link: RedisLink | undefined;
  #up = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.timings = options.timings ?? FLEET_TIMINGS;
  }

  get up(): boolean {
    return this.#up;
  }

  /** Counts in this Redis from now on (redis:// or rediss:// URL, with credentials), or in none. */
  use(url: string | undefined): void {
    this.#link?.close();
    this.#link = undefined;
    this.#tell("down");
    if (url === undefined) return;
    const { random = Math.random, onProblem = () => {} } = this.#options;
    this.#link = new RedisLink({
      url,
      connectionName: "holdfast-limits",
      timings: this.timings.link,
      random,
      onConnected: async (client) => client.defineCommand("holdfastLimits", { lua: FLEET_SCRIPT }),
      onUp: () => this.#tell("up"),
      onDown: () => this.#tell("down"),
      onProblem: (problem) => onProblem(`Redis for limits: ${problem}`),
    });
  }

  close(): void {
    this.use(undefined);
  }

  /** Counts a connection; resolves with the place of the count that is at its limit, else -1. In mode Report it is counted anyway. */
  async acquire(route: string, counts: readonly FleetCount[], mode: "Enforce" | "Report"): Promise<number> {
    const args = counts.flatMap(({ field, limit }) => [bounded(field), limit ?? ""]);
    return Number(await this.#run("acquire", [this.#pods(route)], [this.#pod, this.timings.expiry, mode, ...args])) - 1;
  }

  async release(route: string, fields: readonly string[]): Promise<void> {
    await this.#run("release", [this.#pods(route)], [this.#pod, ...fields.map(bounded)]);
  }

  /** Says that this pod is alive; resolves with whether what it has counted is still there. */
  async beat(route: string): Promise<boolean> {
    return Number(await this.#run("beat", [this.#pods(route)], [this.#pod, this.timings.expiry])) === 1;
  }

  async clear(route: string): Promise<void> {
    await this.#run("clear", [this.#pods(route)], [this.#pod]);
  }

  async publish(route: string, counts: readonly (readonly [field: string, count: number])[]): Promise<void> {
    const args = counts.flatMap(([field, count]) => [bounded(field), count]);
    await this.#run("publish", [this.#pods(route)], [this.#pod, this.timings.expiry, ...args]);
  }

  /** Takes a token of each bucket or of none; resolves with the place of the first that is empty, else -1. */
  async take(route: string, buckets: readonly FleetBucket[]): Promise<number> {
    const keys = buckets.map(({ name }) => this.#bucket(route, name));
    const args = buckets.flatMap(({ shape: { gain, cost, full } }) => [gain, cost, full]);
    return Number(await this.#run("take", keys, args)) - 1;
  }

  /** Takes `units` of a bucket, also below zero; resolves with the level that is left. */
  async charge(route: string, { name, shape }: FleetBucket, units: number): Promise<number> {
    return Number(await this.#run("charge", [this.#bucket(route, name)], [shape.gain, shape.full, units]));
  }

  get #pod(): string {
    return this.#options.pod;
  }

  /** The braces keep all that one script touches on one node of a cluster. */
  #key(route: string): string {
    return `holdfast:limits:{${this.#options.gateway()}:${route}}`;
  }

  #pods(route: string): string {
    return `${this.#key(route)}:pods`;
  }

  #bucket(route: string, name: string): string {
    return `${this.#key(route)}:rate:${bounded(name)}`;
  }

  async #run(op: string, keys: readonly string[], args: readonly (string | number)[]): Promise<number | string> {
    const client = this.#link?.client as Scripted | undefined;
    if (client === undefined) throw new FleetUnavailable("Redis is away");
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new FleetUnavailable("Redis does not answer")), this.timings.answer);
    });
    try {
      return await Promise.race([client.holdfastLimits(keys.length, ...keys, op, ...args), late]);
    } catch (error) {
      throw error instanceof FleetUnavailable ? error : new FleetUnavailable(String(error), { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  #tell(state: "up" | "down"): void {
    const up = state === "up";
    if (up === this.#up) return;
    this.#up = up;
    this.#options.onState?.(state);
  }
}
