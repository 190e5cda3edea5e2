import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
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

  it("writes the parts that are new, and keeps no others", async () => {
    const parts = (...names: readonly string[]) =>
      new Map(names.map((name) => [name, { metadata: { name }, data: { "part.json": "{}" } }]));
    const store = new LastGood(directory);
    await store.save({ ...carriers("1"), parts: parts("a", "b") });
    const { mtimeMs: written } = await stat(join(directory, "parts", "a.json"));
    await new LastGood(directory).save({ ...carriers("2"), parts: parts("a", "c") });
    expect((await readdir(join(directory, "parts"))).sort()).toEqual(["a.json", "c.json"]);
    expect((await stat(join(directory, "parts", "a.json"))).mtimeMs).toBe(written);
    expect(await new LastGood(directory).load()).toEqual({ ...carriers("2"), parts: parts("a", "c") });
  });

  it("has nothing to give when a part is not there", async () => {
    await new LastGood(directory).save(carriers("1"));
    await rm(join(directory, "parts", "part-a.json"));
    expect(await new LastGood(directory).load()).toBeUndefined();
  });

  it("has nothing to give when there is no file, or a torn one", async () => {
    expect(await new LastGood(join(directory, "none")).load()).toBeUndefined();
    await writeFile(join(directory, "last-good.json"), '{"format":2,"ind');
    expect(await new LastGood(directory).load()).toBeUndefined();
  });
});
