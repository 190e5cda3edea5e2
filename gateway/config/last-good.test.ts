import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { Carriers } from "./assemble.ts";
import { LastGood } from "./last-good.ts";

const carriers = (revision: string): Carriers => ({
  index: { metadata: { name: "index" }, data: { "index.json": revision } },
  parts: new Map([["part-a", { metadata: { name: "part-a" }, data: { "part.json": "{}" } }]]),
  secret: { metadata: { name: "secret" }, data: { key: "dmFsdWU=" } },
});

describe("LastGood", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "holdfast-last-good-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it("gives back what was saved last, to another process too", async () => {
    const store = new LastGood(directory);
    await Promise.all(["1", "2", "3"].map((revision) => store.save(carriers(revision))));
    expect(await new LastGood(directory).load()).toEqual(carriers("3"));
  });

  it("keeps the file from other users, because it holds the Secret", async () => {
    await new LastGood(directory).save(carriers("1"));
    expect((await stat(join(directory, "last-good.json"))).mode & 0o777).toBe(0o600);
  });

  it("has nothing to give when there is no file, or a torn one", async () => {
    expect(await new LastGood(join(directory, "none")).load()).toBeUndefined();
    await writeFile(join(directory, "last-good.json"), '{"format":1,"ind');
    expect(await new LastGood(directory).load()).toBeUndefined();
  });
});
