import { beforeEach, describe, expect, it } from "@jest/globals";
import { KubeError } from "../kube/error.ts";
import type { KubeObject } from "../kube/objects.ts";
import { RESOURCES } from "../kube/resources.ts";
import { createFakeClock, type FakeClock } from "../test/support/fake-clock.ts";
import { EventRecorder } from "./events.ts";

const CHAT = { resource: RESOURCES.webSocketRoutes, metadata: { name: "chat", namespace: "apps", uid: "u-1" } };
const flip = (message: string) => ({ type: "Warning" as const, reason: "BackendNotFound", message });

let clock: FakeClock;
let requests: { readonly verb: string; readonly name?: string | undefined; readonly object: unknown }[];
let failWith: Error | undefined;
let errors: unknown[];
let recorder: EventRecorder;

beforeEach(() => {
  clock = createFakeClock(Date.UTC(2026, 10, 22, 10));
  requests = [];
  failWith = undefined;
  errors = [];
  const take = async (verb: string, object: object, name?: string) => {
    requests.push({ verb, name, object });
    if (failWith !== undefined) throw failWith;
    return object as never;
  };
  recorder = new EventRecorder({
    client: {
      create: (_target, object) => take("create", object),
      merge: (target, patch) => take("merge", patch, target.name),
    },
    clock,
    signal: new AbortController().signal,
    onWrite: () => {},
    onError: (error) => errors.push(error),
  });
});

describe("Kubernetes Events", () => {
  it("tell of the object in the words of the flip", async () => {
    await recorder.record(CHAT, flip("Service apps/chat does not exist"));
    expect(requests).toHaveLength(1);
    expect(requests[0]?.object).toMatchObject({
      kind: "Event",
      metadata: { namespace: "apps" },
      involvedObject: { kind: "WebSocketRoute", namespace: "apps", name: "chat", uid: "u-1" },
      type: "Warning",
      reason: "BackendNotFound",
      message: "Service apps/chat does not exist",
      lastTimestamp: "2026-11-22T10:00:00Z",
      count: 1,
    });
  });

  it("count the same words instead of repeating them, for ten minutes", async () => {
    await recorder.record(CHAT, flip("a"));
    await clock.advance(60_000);
    await recorder.record(CHAT, flip("a"));
    await recorder.record(CHAT, flip("b"));
    const name = (requests[0]!.object as KubeObject).metadata.name;
    expect(requests.map(({ verb }) => verb)).toEqual(["create", "merge", "create"]);
    expect(requests[1]).toMatchObject({ name, object: { count: 2, lastTimestamp: "2026-11-22T10:01:00Z" } });
    await clock.advance(600_000);
    await recorder.record(CHAT, flip("a"));
    expect(requests.at(-1)?.verb).toBe("create");
  });

  it("become rare for an object that flips without end", async () => {
    for (let index = 0; index < 100; index++) await recorder.record(CHAT, flip(`flip ${index}`));
    expect(requests).toHaveLength(25);
    await clock.advance(300_000);
    for (let index = 0; index < 10; index++) await recorder.record(CHAT, flip(`again ${index}`));
    expect(requests).toHaveLength(26);
  });

  it("are made anew when the one that counted has expired in the cluster", async () => {
    await recorder.record(CHAT, flip("a"));
    failWith = new KubeError(404, "NotFound", "gone");
    const recorded = recorder.record(CHAT, flip("a"));
    await recorded;
    expect(requests.map(({ verb }) => verb)).toEqual(["create", "merge", "create"]);
  });

  it("are lost without harm when they cannot be written", async () => {
    failWith = new KubeError(403, "Forbidden", "no");
    await recorder.record(CHAT, flip("a"));
    expect(errors).toHaveLength(1);
    failWith = undefined;
    await recorder.record(CHAT, flip("a"));
    expect(requests.map(({ verb }) => verb)).toEqual(["create", "create"]);
  });
});
