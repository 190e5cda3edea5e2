import { afterEach, expect, it } from "@jest/globals";
import { type Bus, BusUnavailable } from "../../../gateway/bus/bus.ts";
import { createRedisBus } from "../../../gateway/bus/bus-redis.ts";
import { eventually } from "../../support/eventually.ts";
import { type RedisServer, startRedis } from "../../support/redis.ts";

const CHANNELS = 1_200;
let redis: RedisServer | undefined;
const buses: Bus[] = [];

afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()));
  await redis?.stop();
});

it("tells publishers at once when Redis is killed, and is subscribed again within 1 s after it answers", async () => {
  redis = await startRedis();
  const problems: string[] = [];
  const states: string[] = [];
  const [publisher, subscriber] = [0, 1].map(() =>
    createRedisBus({ url: redis!.url, onProblem: (problem) => problems.push(problem) }),
  ) as [Bus, Bus];
  buses.push(publisher, subscriber);
  subscriber.onState((state) => states.push(state));
  await eventually("both are up", () => publisher.up && subscriber.up);

  const received = new Set<string>();
  await Promise.all(
    Array.from({ length: CHANNELS }, (_, index) =>
      subscriber.subscribe(`room-${index}`, (payload) => received.add(payload.toString())),
    ),
  );

  // The load: a message every millisecond; each is acknowledged or refused, none hangs.
  const outcomes = new Map<string, "sent" | "refused">();
  let unanswered = 0;
  let count = 0;
  const otherErrors: unknown[] = [];
  const load = setInterval(() => {
    const message = `message-${count++}`;
    unanswered++;
    publisher
      .publish(`room-${count % CHANNELS}`, Buffer.from(message))
      .then(
        () => outcomes.set(message, "sent"),
        (error) => {
          if (error instanceof BusUnavailable) outcomes.set(message, "refused");
          else otherErrors.push(error);
        },
      )
      .finally(() => unanswered--);
  }, 1);
  const sent = () => [...outcomes].filter(([, outcome]) => outcome === "sent").map(([message]) => message);
  try {
    await eventually("load runs", () => received.size > 100);
    await redis.kill();
    await eventually("the subscriber knows", () => !subscriber.up);
    const refusedBefore = outcomes.size - sent().length;
    await eventually("publishers are refused", () => outcomes.size - sent().length > refusedBefore + 50);

    await redis.start();
    const answeredAt = performance.now();
    await eventually("both are up again", () => publisher.up && subscriber.up);
    expect(performance.now() - answeredAt).toBeLessThan(1_000);
    const sentWhenUp = new Set(sent());
    await eventually("messages are sent again", () => sent().length > sentWhenUp.size + 100);
    clearInterval(load);
    await eventually("every publish is answered", () => unanswered === 0);

    // Up means subscribed: whatever was accepted since then has to arrive.
    const accepted = sent().filter((message) => !sentWhenUp.has(message));
    await eventually("all accepted messages arrive", () => accepted.every((message) => received.has(message)));
  } finally {
    clearInterval(load);
  }
  expect(otherErrors).toEqual([]);
  expect(states).toEqual(["up", "down", "up"]);
  // One line for each of the four links, however many attempts failed.
  expect(problems).toHaveLength(4);
});

it("confirms a subscription that was asked for during the outage only when it holds", async () => {
  redis = await startRedis();
  const bus = createRedisBus({ url: redis.url });
  buses.push(bus);
  await eventually("the bus is up", () => bus.up);
  await redis.kill();
  await eventually("the bus is down", () => !bus.up);

  const received: string[] = [];
  let confirmed = false;
  const subscribing = bus
    .subscribe("late", (payload) => received.push(payload.toString()))
    .then((subscription) => {
      confirmed = true;
      return subscription;
    });
  await expect(bus.publish("late", Buffer.from("lost"))).rejects.toThrow(BusUnavailable);
  expect(confirmed).toBe(false);

  await redis.start();
  const subscription = await subscribing;
  await eventually("the publisher is back too", () => bus.up);
  await bus.publish("late", Buffer.from("heard"));
  await eventually("it has arrived", () => received.length > 0);
  expect(received).toEqual(["heard"]);
  await subscription.unsubscribe();
});
