import { describe, expect, it } from "@jest/globals";
import { Fanout, type Receiver } from "./fanout.ts";

function recorder() {
  const writes: string[] = [];
  const receiver: Receiver = {
    deliver: (bytes, messages) => {
      writes.push(`${messages} ${bytes}`);
      return true;
    },
  };
  return { writes, receiver };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function turns(until: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!until()) {
    if (Date.now() > deadline) throw new Error("the fan-out did not finish");
    await turn();
  }
}

describe("fan-out", () => {
  it("gives a group the messages of one turn in one write, in order", async () => {
    const fanout = new Fanout();
    const [ann, bob] = [recorder(), recorder()];
    const group = new Set([ann.receiver, bob.receiver]);
    fanout.send(group, Buffer.from("a"));
    fanout.send(group, Buffer.from("b"));
    fanout.send(group, Buffer.from("c"));
    expect(ann.writes).toEqual([]);
    await turns(() => bob.writes.length > 0);
    fanout.send(group, Buffer.from("d"));
    await turns(() => bob.writes.length > 1);
    expect(ann.writes).toEqual(["3 abc", "1 d"]);
    expect(bob.writes).toEqual(["3 abc", "1 d"]);
  });

  it("keeps the order across groups for who is in both", async () => {
    const fanout = new Fanout();
    const ann = recorder();
    const [news, games] = [new Set([ann.receiver]), new Set([ann.receiver])];
    fanout.send(news, Buffer.from("1"));
    fanout.send(games, Buffer.from("2"));
    fanout.send(news, Buffer.from("3"));
    await turns(() => ann.writes.length === 3);
    expect(ann.writes).toEqual(["1 1", "1 2", "1 3"]);
  });

  it("does not put more than 16 KiB together", async () => {
    const fanout = new Fanout();
    const sizes: number[] = [];
    const group = new Set<Receiver>([{ deliver: (bytes) => sizes.push(bytes.length) > 0 }]);
    for (let count = 0; count < 3; count++) fanout.send(group, Buffer.alloc(8 * 1024));
    await turns(() => sizes.length === 2);
    expect(sizes).toEqual([16 * 1024, 8 * 1024]);
  });

  it("lets others run between slices, however many members there are", async () => {
    const fanout = new Fanout();
    let delivered = 0;
    const slow = (): Receiver => ({
      deliver: () => {
        const until = performance.now() + 0.05; // what a write to a socket costs, generously
        while (performance.now() < until);
        delivered += 1;
        return true;
      },
    });
    const members = 2_000;
    fanout.send(new Set(Array.from({ length: members }, slow)), Buffer.from("x"));
    let turnsBetween = 0;
    await turns(() => {
      turnsBetween += 1;
      return delivered === members;
    });
    // 100 ms of work in slices of 4 ms: some 20 turns at least, where one stretch would be 2.
    expect(turnsBetween).toBeGreaterThan(10);
  });

  it("passes over who leaves while it is under way", async () => {
    const fanout = new Fanout();
    const [ann, bob] = [recorder(), recorder()];
    const group = new Set([ann.receiver, bob.receiver]);
    fanout.send(group, Buffer.from("x"));
    group.delete(bob.receiver);
    await turns(() => ann.writes.length === 1);
    await turn();
    expect(bob.writes).toEqual([]);
  });

  it("says when too much is waiting, and has room again afterwards", async () => {
    const fanout = new Fanout(10);
    const ann = recorder();
    const group = new Set([ann.receiver]);
    expect(fanout.hasRoom(1_000)).toBe(true); // nothing waits: one message of any size may go
    fanout.send(group, Buffer.alloc(8));
    expect(fanout.hasRoom(2)).toBe(true);
    expect(fanout.hasRoom(3)).toBe(false);
    await turns(() => fanout.hasRoom(1_000));
    expect(ann.writes).toHaveLength(1);
  });
});
