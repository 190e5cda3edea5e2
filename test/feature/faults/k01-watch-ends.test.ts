// K1: whatever ends a watch, the loop comes back, misses nothing and never spins.
import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { createKubeClient, type KubeClient } from "../../../kube/client.ts";
import { type ListWatchState, listWatch, type ObjectEvent } from "../../../kube/listwatch.ts";
import type { KubeObject } from "../../../kube/objects.ts";
import { RESOURCES } from "../../../kube/resources.ts";
import { eventually } from "../../support/eventually.ts";
import { createFakeClock, type FakeClock } from "../../support/fake-clock.ts";
import { type Answer, json, type ScriptedApi, startScriptedApi, status } from "../../support/scripted-api.ts";

const object = (name: string, version: number) => ({
  metadata: { name, namespace: "apps", resourceVersion: String(version) },
});
const list = (version: number, ...items: ReturnType<typeof object>[]): Answer =>
  json(200, { metadata: { resourceVersion: String(version) }, items });
const event = (type: string, it: unknown) => `${JSON.stringify({ type, object: it })}\n`;
const bookmark = (version: number) => event("BOOKMARK", { metadata: { resourceVersion: String(version) } });

let api: ScriptedApi;
let client: KubeClient;
let clock: FakeClock;
let stop: AbortController;
let told: string[];
let states: ListWatchState[];
let running: Promise<void>;
/** The responses of watches that are open, oldest first. */
let watches: ServerResponse[];

const openWatch: Answer = (response) => {
  response.writeHead(200, { "content-type": "application/json" }).flushHeaders();
  watches.push(response);
};
const word = ({ type, object: { metadata } }: ObjectEvent<KubeObject>) =>
  `${type} ${metadata.name}@${metadata.resourceVersion}`;

function start(): void {
  running = listWatch({
    client,
    resource: RESOURCES.configMaps,
    onSync: (objects) => told.push(`SYNC ${objects.map(({ metadata }) => metadata.name).join(",")}`),
    onEvent: (each) => told.push(word(each)),
    onState: (state) => states.push(state),
    clock,
    random: () => 0,
    signal: stop.signal,
  });
}

/** Starts with objects a and b and an open watch from version 10, which has lived long enough to be sound. */
async function startWatching(...next: Answer[]): Promise<void> {
  api.script(list(10, object("a", 1), object("b", 2)), openWatch, ...next);
  start();
  await watchesOpened(1);
  await clock.advance(5_000);
}

const watchesOpened = (count: number) => eventually(`${count} watches opened`, () => watches.length === count);
const failures = () => states.filter((state) => state.state === "failed");
/** Waits for failure number `count`, then lets its delay pass. */
async function passFailure(count: number): Promise<void> {
  await eventually(`failure ${count}`, () => failures().length === count);
  await clock.advance(failures()[count - 1]?.retryInMs ?? 0);
}
const asked = () =>
  api.requests.map(({ query }) => (query.has("watch") ? `watch from ${query.get("resourceVersion")}` : "list"));

beforeEach(async () => {
  api = await startScriptedApi();
  client = createKubeClient({ kubeconfig: api.kubeconfig });
  clock = createFakeClock();
  stop = new AbortController();
  told = [];
  states = [];
  watches = [];
});
afterEach(async () => {
  stop.abort();
  await running;
  expect(clock.pending()).toBe(0);
  client.close();
  await api.stop();
});

describe("a watch that ends soundly", () => {
  it("goes on from its last bookmark, at once and without a list", async () => {
    await startWatching(openWatch);
    watches[0]?.write(bookmark(20));
    watches[0]?.end();
    await watchesOpened(2);
    expect(asked()).toEqual(["list", "watch from 10", "watch from 20"]);
    expect(failures()).toEqual([]);
  });

  it("asks for bookmarks and for an end, and selects what it was told to", async () => {
    await startWatching();
    expect(Object.fromEntries(api.requests[1]?.query ?? [])).toEqual({
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: "10",
      timeoutSeconds: "300",
    });
  });
});

describe("a watch that is cut or silent", () => {
  it("goes on from its last event after a reset", async () => {
    await startWatching(openWatch);
    watches[0]?.write(event("MODIFIED", object("a", 11)));
    await eventually("it is told", () => told.includes("MODIFIED a@11"));
    watches[0]?.socket?.resetAndDestroy();
    await passFailure(1);
    await watchesOpened(2);
    expect(asked()).toEqual(["list", "watch from 10", "watch from 11"]);
  });

  it("is given up when 75 s have passed since the last event, bookmarks included", async () => {
    await startWatching(openWatch);
    await clock.advance(60_000);
    watches[0]?.write(event("MODIFIED", object("a", 12)));
    await eventually("it is told", () => told.includes("MODIFIED a@12"));
    await clock.advance(74_999);
    expect(failures()).toEqual([]);
    await clock.advance(1);
    await passFailure(1);
    expect(failures()[0]).toMatchObject({ error: { reason: "Silent" } });
    await watchesOpened(2);
    expect(asked().at(-1)).toBe("watch from 12");
  });
});

describe("a resource version that is of no use any more", () => {
  const relisted: Answer[] = [list(30, object("b", 22), object("c", 23)), openWatch];
  const difference = ["SYNC a,b", "DELETED a@1", "MODIFIED b@22", "ADDED c@23"];

  it.each<[string, Answer[]]>([
    ["410 to the watch", [status(410, "Expired", "too old resource version")]],
    ["403 to the watch", [status(403, "Forbidden")]],
    ["401 to the watch, also with a fresh token", [status(401, "Unauthorized"), status(401, "Unauthorized")]],
    ["something that is not JSON", [(response) => response.writeHead(200).end("<html>\n")]],
  ])("%s: lists again and tells the difference", async (_name, answers) => {
    await startWatching(...answers, ...relisted);
    watches[0]?.end();
    await passFailure(1);
    await watchesOpened(2);
    expect(told).toEqual(difference);
    expect(asked().at(-1)).toBe("watch from 30");
  });

  it.each([
    ["410", { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" }],
    ["500", { kind: "Status", code: 500, reason: "InternalError", message: "etcd lost" }],
    ["without a code", { kind: "Status", message: "?" }],
  ])("an ERROR event %s: lists again and tells the difference", async (_name, error) => {
    await startWatching(...relisted);
    watches[0]?.write(event("ERROR", error));
    await passFailure(1);
    await watchesOpened(2);
    expect(told).toEqual(difference);
  });

  it("is given up after three failures in a row, for a server that lost its past", async () => {
    await startWatching(status(504, "Timeout"), status(504, "Timeout"), status(504, "Timeout"), ...relisted);
    watches[0]?.end();
    for (const count of [1, 2, 3]) await passFailure(count);
    await watchesOpened(2);
    expect(asked()).toEqual([
      "list",
      "watch from 10",
      "watch from 10",
      "watch from 10",
      "watch from 10",
      "list",
      "watch from 30",
    ]);
    expect(told).toEqual(difference);
  });
});

describe("a server in trouble", () => {
  it("is asked more and more seldom, up to ten seconds, and synced from when it is back", async () => {
    api.script(status(500, "InternalError"));
    start();
    for (let count = 1; count <= 9; count++) await passFailure(count);
    expect(failures().map(({ retryInMs }) => retryInMs)).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
    api.script(list(1, object("a", 1)), openWatch);
    await clock.advance(10_000);
    await watchesOpened(1);
    expect(told).toEqual(["SYNC a"]);
  });

  it("is given the time it asks for", async () => {
    api.script(json(429, { kind: "Status", code: 429 }, { "retry-after": "17" }), list(1), openWatch);
    start();
    await eventually("a failure", () => failures().length === 1);
    expect(failures()[0]?.retryInMs).toBe(17_000);
    await clock.advance(16_999);
    expect(api.requests).toHaveLength(1);
    await clock.advance(1);
    await watchesOpened(1);
  });

  it("does not make us spin when it ends every watch at once", async () => {
    api.script(list(10), (response) => response.writeHead(200).end());
    start();
    for (let count = 1; count <= 6; count++) await passFailure(count);
    expect(failures().map(({ retryInMs }) => retryInMs)).toEqual([100, 200, 400, 800, 1600, 3200]);
  });
});

describe("a long list", () => {
  it("is read in pages", async () => {
    api.script(
      json(200, { metadata: { resourceVersion: "10", continue: "more" }, items: [object("a", 1)] }),
      json(200, { metadata: { resourceVersion: "10" }, items: [object("b", 2)] }),
      openWatch,
    );
    start();
    await watchesOpened(1);
    expect(told).toEqual(["SYNC a,b"]);
    expect(api.requests.slice(0, 2).map(({ query }) => [query.get("limit"), query.get("continue")])).toEqual([
      ["500", null],
      ["500", "more"],
    ]);
  });

  it("is read at one go when a page comes too late", async () => {
    api.script(
      json(200, { metadata: { resourceVersion: "10", continue: "more" }, items: [object("a", 1)] }),
      status(410, "Expired", "the provided continue parameter is too old"),
      list(12, object("a", 1), object("b", 11)),
      openWatch,
    );
    start();
    await watchesOpened(1);
    expect(told).toEqual(["SYNC a,b"]);
    expect(api.requests[2]?.query.get("limit")).toBe(null);
    expect(asked().at(-1)).toBe("watch from 12");
  });
});

describe("what the consumer sees", () => {
  it("is each state once, with its kind and without what only the API server reads", async () => {
    const seen: KubeObject[] = [];
    const full = {
      metadata: {
        ...object("a", 1).metadata,
        managedFields: [{ manager: "kubectl" }],
        annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}", mine: "1" },
      },
    };
    api.script(json(200, { metadata: { resourceVersion: "5" }, items: [full] }), openWatch);
    running = listWatch({
      client,
      resource: RESOURCES.configMaps,
      onSync: (objects) => seen.push(...objects),
      onEvent: (each) => seen.push(each.object),
      clock,
      random: () => 0,
      signal: stop.signal,
    });
    await watchesOpened(1);
    watches[0]?.write(
      event("ADDED", full) + event("DELETED", object("never-seen", 6)) + event("MODIFIED", object("a", 7)),
    );
    await eventually("it is seen", () => seen.length === 2);
    expect(seen).toEqual([
      { apiVersion: "v1", kind: "ConfigMap", metadata: { ...object("a", 1).metadata, annotations: { mine: "1" } } },
      { apiVersion: "v1", kind: "ConfigMap", ...object("a", 7) },
    ]);
  });
});
