/**
 * Connection permits counted over all pods of the gateway. This pod's own counts are always kept too: they are what is
 * published in Redis, and what limits while Redis is away.
 */
import { isRefusal, type Refusal, refuse } from "../refusals.ts";
import { type Fleet, FleetUnavailable } from "./fleet.ts";
import { type ConnectionRequest, countedFor, type Permit, type Permits } from "./permits.ts";
import type { MemoryPermits } from "./permits-memory.ts";

/** Counts that are published in one command, between which others may come. */
const PUBLISH_BATCH = 500;

/** What is known of a route's counts in Redis. */
interface Published {
  /** Whether they are what this pod has counted. */
  current: boolean;
  /** Grows when they are published anew. */
  epoch: number;
}

export class RedisPermits implements Permits {
  readonly #fleet: Fleet;
  readonly #own: MemoryPermits;
  readonly #published = new Map<string, Published>();

  constructor(fleet: Fleet, own: MemoryPermits) {
    this.#fleet = fleet;
    this.#own = own;
  }

  async acquire(request: ConnectionRequest): Promise<Permit | Refusal> {
    const { route } = request;
    const own = this.#own.take(request);
    if (isRefusal(own)) return own;
    const key = `${route.namespace}/${route.name}`;
    const counted = countedFor(request);
    const fields = counted.map(({ field }) => field);
    const published = this.#of(key);
    const { epoch } = published;
    try {
      const place = await this.#fleet.acquire(key, counted, route.limits.connections.mode ?? "Enforce");
      const exceeded = counted[place]?.reason;
      if (exceeded === undefined || route.limits.connections.mode === "Report") {
        return this.#permit(key, fields, { ...own, exceeded: own.exceeded ?? exceeded });
      }
      own.release();
      // What was published meanwhile has counted the connection that is refused now.
      if (epoch !== published.epoch) this.#giveBack(key, fields);
      return refuse(exceeded);
    } catch (error) {
      if (!(error instanceof FleetUnavailable)) throw error;
      published.current = false;
      return this.#permit(key, fields, own);
    }
  }

  /** Keeps this pod's counts alive in Redis, and publishes those that are not there. Never rejects. */
  async beat(): Promise<void> {
    for (const [route, published] of this.#published) {
      try {
        const there = await this.#fleet.beat(route);
        const counts = this.#own.counts(route);
        if (counts.size === 0 && published.current) this.#published.delete(route);
        else if (!there || !published.current) await this.#publish(route, published);
      } catch {
        published.current = false;
      }
    }
  }

  #of(route: string): Published {
    let published = this.#published.get(route);
    if (published === undefined) {
      published = { current: false, epoch: 0 };
      this.#published.set(route, published);
    }
    return published;
  }

  /** A count that changes while this is under way is right too: commands are done in the order in which they are sent. */
  async #publish(route: string, published: Published): Promise<void> {
    published.epoch += 1;
    published.current = true;
    const under: Promise<void>[] = [this.#fleet.clear(route)];
    let batch: [string, number][] = [];
    for (const count of this.#own.counts(route)) {
      batch.push([...count]);
      if (batch.length < PUBLISH_BATCH) continue;
      await this.#fleet.publish(route, batch);
      batch = [];
    }
    if (batch.length > 0) under.push(this.#fleet.publish(route, batch));
    await Promise.all(under);
  }

  #permit(route: string, fields: readonly string[], own: Permit): Permit {
    let held = true;
    return {
      exceeded: own.exceeded,
      release: () => {
        if (!held) return;
        held = false;
        own.release();
        this.#giveBack(route, fields);
      },
    };
  }

  #giveBack(route: string, fields: readonly string[]): void {
    this.#fleet.release(route, fields).catch(() => {
      this.#of(route).current = false;
    });
  }
}
