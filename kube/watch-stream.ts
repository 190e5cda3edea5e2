// The body of a watch: one JSON document a line, cut anywhere by the network.
import type { WatchEvent } from "./objects.ts";

const NEWLINE = 0x0a;

/**
 * Gathers bytes into the watch events they hold. Lines are cut as bytes, so a character split between two chunks stays whole.
 * @throws SyntaxError when a line is not JSON.
 */
export class WatchDecoder {
  #rest: Buffer[] = [];

  push(chunk: Buffer): WatchEvent[] {
    const events: WatchEvent[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#rest.push(chunk.subarray(start, end));
      const line = Buffer.concat(this.#rest).toString("utf8").trim();
      this.#rest = [];
      start = end + 1;
      if (line !== "") events.push(JSON.parse(line) as WatchEvent);
    }
    if (start < chunk.length) this.#rest.push(chunk.subarray(start));
    return events;
  }
}
