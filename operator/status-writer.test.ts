import { beforeEach, describe, expect, it } from "@jest/globals";
import { KubeError } from "../kube/error.ts";
import type { KubeObject } from "../kube/objects.ts";
import { RESOURCES, type Target } from "../kube/resources.ts";
import { createFakeClock, type FakeClock } from "../test/support/fake-clock.ts";
import { type StatusWrite, StatusWriter } from "./status-writer.ts";

interface Request {
  readonly target: Target;
  readonly object: KubeObject & { readonly status?: unknown };
  answer(error?: Error): Promise<void>;
}

let clock: FakeClock;
let requests: Request[];
let written: string[];
let retries: number[];
let wakes: number[];
let writer: StatusWriter;

beforeEach(() => {
  clock = createFakeClock(1_000);
  requests = [];
  written = [];
  retries = [];
  wakes = [];
  const patchStatus = (target: Target, object: KubeObject) =>
    new Promise<KubeObject>((resolve, reject) => {
      const answer = (error?: Error) => {
        if (error === undefined) resolve(object);
        else reject(error);
        return clock.advance(0);
      };
      requests.push({ target, object, answer });
    });
  writer = new StatusWriter({
    client: { patchStatus: patchStatus as never },
    clock,
    random: () => 0,
    signal: new AbortController().signal,
    onWrite: () => {},
    onWritten: (_object, { metadata, status }) => written.push(`${metadata.name} ${JSON.stringify(status)}`),
    onError: (_write, _error, retryInMs) => retries.push(retryInMs),
    decideBy: (time) => wakes.push(time),
  });
});

const change = (name: string, pods = "1/1"): StatusWrite => ({
  resource: RESOURCES.webSocketRoutes,
  metadata: { name, namespace: "apps", uid: `uid-${name}` },
  status: { pods },
  flips: [],
});
const asked = () => requests.map(({ target }) => target.name);

describe("the status writer", () => {
  it("writes status and identity, and nothing else of the object", async () => {
    writer.offer([change("a")]);
    expect(requests[0]?.object).toEqual({
      apiVersion: "holdfast.dev/v1alpha1",
      kind: "WebSocketRoute",
      metadata: { namespace: "apps", name: "a", uid: "uid-a" },
      status: { pods: "1/1" },
    });
    await requests[0]?.answer();
    expect(written).toEqual(['a {"pods":"1/1"}']);
    expect(writer.depth).toBe(0);
  });

  it("has at most eight under way", async () => {
    writer.offer(Array.from({ length: 20 }, (_, index) => change(`r${index}`)));
    expect(requests).toHaveLength(8);
    expect(writer.depth).toBe(20);
    await requests[3]?.answer();
    expect(requests).toHaveLength(9);
  });

  it("writes only the newest word of what has not begun, and forgets what is not wanted any more", async () => {
    writer.offer(Array.from({ length: 10 }, (_, index) => change(`r${index}`)));
    writer.offer([change("r8", "2/2")]);
    for (let index = 0; index < requests.length; index++) await requests[index]?.answer();
    expect(asked()).toEqual([...Array.from({ length: 8 }, (_, index) => `r${index}`), "r8"]);
    expect(written.at(-1)).toBe('r8 {"pods":"2/2"}');
  });

  it("asks for another pass when a newer word came while the older was under way", async () => {
    writer.offer([change("a")]);
    writer.offer([change("a", "2/2")]);
    expect(requests).toHaveLength(1);
    await requests[0]?.answer();
    expect(wakes).toEqual([1_000]);
  });

  it("asks for none when the same word came again, so that a long queue is not decided anew after each write", async () => {
    writer.offer([change("a")]);
    writer.offer([change("a", "2/2")]);
    writer.offer([change("a")]);
    await requests[0]?.answer();
    expect(wakes).toEqual([]);
  });

  it("writes only over the version that was decided on, and looks again after a conflict", async () => {
    const write = change("a");
    writer.offer([{ ...write, metadata: { ...write.metadata, resourceVersion: "7" } }]);
    expect(requests[0]?.object.metadata).toMatchObject({ uid: "uid-a", resourceVersion: "7" });
    await requests[0]?.answer(new KubeError(409, "Conflict", "modified"));
    expect(retries).toEqual([]);
    expect(wakes).toEqual([clock.now() + 200]);
  });

  it("tries a failing object more and more seldom, and the others at once", async () => {
    const away = new KubeError(503, "ServiceUnavailable", "away");
    for (const delay of [250, 500, 1_000]) {
      writer.offer([change("bad"), change("good")]);
      await requests.at(-2)?.answer(away);
      await requests.at(-1)?.answer();
      expect(retries.at(-1)).toBe(delay);
      expect(wakes.at(-1)).toBe(clock.now() + delay);
      writer.offer([change("bad")]);
      expect(asked().at(-1)).toBe("good");
      await clock.advance(delay);
    }
  });

  it("is content when the object is gone or another by now", async () => {
    writer.offer([change("gone"), change("reborn")]);
    await requests[0]?.answer(new KubeError(404, "NotFound", "gone"));
    await requests[1]?.answer(new KubeError(409, "Conflict", "uid"));
    expect(retries).toEqual([]);
    expect(writer.depth).toBe(0);
  });
});
