import { describe, expect, it } from "@jest/globals";
import { createFakeClock } from "../../test/support/fake-clock.ts";
import { createLog } from "../observe/log.ts";
import { acknowledge } from "./acknowledge.ts";
import { SnapshotHolder } from "./source.ts";

interface WrittenLease {
  readonly metadata: {
    readonly name: string;
    readonly annotations: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly object[];
  };
}

/** A process with 3 connections that acknowledges to an API that notes what it gets. */
function start() {
  const clock = createFakeClock();
  const [leaving, ended] = [new AbortController(), new AbortController()];
  const written: WrittenLease[] = [];
  const deleted: string[] = [];
  const state = { ready: true, connections: 3 };
  const running = acknowledge({
    client: {
      apply: async (_target, object) => {
        written.push(object as unknown as WrittenLease);
        return object as never;
      },
      delete: async ({ name }) => {
        deleted.push(name ?? "");
      },
    },
    gateway: { namespace: "holdfast", name: "public" },
    pod: "a",
    podUid: "uid-of-a",
    source: new SnapshotHolder(),
    state: () => state,
    leaving: leaving.signal,
    clock,
    log: createLog({ level: "silent" }),
    signal: ended.signal,
  });
  const said = (key: string) => written.at(-1)?.metadata.annotations[`holdfast.dev/${key}`];
  return { clock, leaving, ended, written, deleted, state, running, said };
}

describe("the Lease of a gateway process", () => {
  it("says at once that the process drains, then how many are left, and goes after the last of them", async () => {
    const { clock, leaving, ended, written, deleted, state, running, said } = start();
    await clock.advance(0);
    expect([said("ready"), said("draining")]).toEqual(["true", ""]);
    expect(written[0]?.metadata.ownerReferences).toEqual([
      { apiVersion: "v1", kind: "Pod", name: "a", uid: "uid-of-a" },
    ]);

    state.ready = false;
    leaving.abort();
    await clock.advance(0);
    expect([said("ready"), said("draining")]).toEqual(["false", "3"]);

    state.connections = 1;
    await clock.advance(2_000);
    expect([said("draining"), deleted]).toEqual(["1", []]);

    ended.abort();
    await running;
    expect(deleted).toEqual(["holdfast-public-a"]);
    expect(written.map(({ metadata }) => metadata.name)).toEqual(Array(3).fill("holdfast-public-a"));
  });
});
