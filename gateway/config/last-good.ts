/**
 * The last good snapshot on disk, so that a restarted container serves while the API server is away: a file for each part, which
 * never changes, and one for the index and the gateway's Secret, which is replaced at once. One change among many routes writes
 * one part. The files hold the Secret: they are readable by this user alone and belong on an emptyDir in memory.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CarrierObject, Carriers } from "./assemble.ts";

interface Stored {
  readonly format: 2;
  readonly index: CarrierObject;
  readonly secret: CarrierObject;
  /** Names of the parts. */
  readonly parts: readonly string[];
}

/** What is written until it is whole. */
const UNFINISHED = ".new";
const JSON_FILE = ".json";

export class LastGood {
  readonly #file: string;
  readonly #partsDirectory: string;
  /** Parts that are on disk; undefined until that was looked up. */
  #onDisk: Set<string> | undefined;
  #writing: Promise<void> = Promise.resolve();
  #pending: Carriers | undefined;

  constructor(directory: string) {
    this.#file = join(directory, `last-good${JSON_FILE}`);
    this.#partsDirectory = join(directory, "parts");
  }

  /** The carriers of the last good snapshot; undefined when there is none or it is not readable. */
  async load(): Promise<Carriers | undefined> {
    try {
      const stored = JSON.parse(await readFile(this.#file, "utf8")) as Stored;
      if (stored.format !== 2) return undefined;
      const { index, secret } = stored;
      const parts = new Map<string, CarrierObject>();
      for (const name of stored.parts) parts.set(name, JSON.parse(await readFile(this.#partFile(name), "utf8")));
      return { index, secret, parts };
    } catch {
      return undefined;
    }
  }

  /** Stores the carriers whole or not at all. Of several calls while one is being written, only the last is. */
  save(carriers: Carriers): Promise<void> {
    const idle = this.#pending === undefined;
    this.#pending = carriers;
    if (idle) this.#writing = this.#writing.catch(() => undefined).then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    const carriers = this.#pending;
    this.#pending = undefined;
    if (carriers?.index === undefined || carriers.secret === undefined) return;
    const { index, secret, parts } = carriers;
    await mkdir(this.#partsDirectory, { recursive: true, mode: 0o700 });
    this.#onDisk ??= new Set(partNames(await readdir(this.#partsDirectory)));
    for (const [name, part] of parts) {
      if (this.#onDisk.has(name)) continue;
      await replace(this.#partFile(name), part);
      this.#onDisk.add(name);
    }
    await replace(this.#file, { format: 2, index, secret, parts: [...parts.keys()] } satisfies Stored);
    for (const name of [...this.#onDisk].filter((name) => !parts.has(name))) {
      this.#onDisk.delete(name);
      await rm(this.#partFile(name), { force: true });
    }
  }

  #partFile(name: string): string {
    return join(this.#partsDirectory, `${name}${JSON_FILE}`);
  }
}

function partNames(files: readonly string[]): string[] {
  return files.flatMap((file) => (file.endsWith(JSON_FILE) ? file.slice(0, -JSON_FILE.length) : []));
}

async function replace(file: string, content: object): Promise<void> {
  await writeFile(`${file}${UNFINISHED}`, JSON.stringify(content), { mode: 0o600 });
  await rename(`${file}${UNFINISHED}`, file);
}
