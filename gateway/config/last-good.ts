/**
 * The last good snapshot on disk, so that a restarted container serves while the API server is away. The file holds the
 * gateway's Secret too: it is readable by this user alone and belongs on an emptyDir in memory.
 */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CarrierObject, Carriers } from "./assemble.ts";

interface Stored {
  readonly format: 1;
  readonly index: CarrierObject;
  readonly parts: readonly CarrierObject[];
  readonly secret: CarrierObject;
}

export class LastGood {
  readonly #file: string;
  #writing: Promise<void> = Promise.resolve();
  #pending: Carriers | undefined;

  constructor(directory: string) {
    this.#file = join(directory, "last-good.json");
  }

  /** The carriers of the last good snapshot; undefined when there is none or it is not readable. */
  async load(): Promise<Carriers | undefined> {
    let stored: Stored;
    try {
      stored = JSON.parse(await readFile(this.#file, "utf8")) as Stored;
    } catch {
      return undefined;
    }
    if (stored.format !== 1) return undefined;
    const parts = new Map(stored.parts.map((part) => [part.metadata?.name ?? "", part]));
    return { index: stored.index, parts, secret: stored.secret };
  }

  /** Stores the carriers whole or not at all. Of several calls while one is being written, only the last is. */
  save(carriers: Carriers): Promise<void> {
    const idle = this.#pending === undefined;
    this.#pending = carriers;
    if (idle) this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    const carriers = this.#pending;
    this.#pending = undefined;
    if (carriers?.index === undefined || carriers.secret === undefined) return;
    const { index, secret, parts } = carriers;
    await mkdir(join(this.#file, ".."), { recursive: true, mode: 0o700 });
    await writeFile(`${this.#file}.new`, textOf({ index, secret, parts: parts.values() }), { mode: 0o600 });
    await rename(`${this.#file}.new`, this.#file);
  }
}

/** `Stored` as JSON, a part at a time: the whole of a large snapshot would hold the event loop. */
function* textOf({ index, secret, parts }: Pick<Stored, "index" | "secret"> & { parts: Iterable<CarrierObject> }) {
  const format: Stored["format"] = 1;
  yield `{"format":${format},"index":${JSON.stringify(index)},"secret":${JSON.stringify(secret)},"parts":[`;
  let comma = "";
  for (const part of parts) {
    yield comma + JSON.stringify(part);
    comma = ",";
  }
  yield "]}";
}
