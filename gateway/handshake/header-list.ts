/**
 * The headers of one request as they came: repeated ones kept apart, in order, found without regard to case.
 * A thin view over Node's `rawHeaders`; nothing is copied until somebody asks.
 */

/** A `token` (RFC 9110 §5.6.2): what header names, subprotocols and the like are made of. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Whether `text` is a token (RFC 9110 §5.6.2). */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Headers that belong to one hop (RFC 9110 §7.6.1), beside those that `Connection` names. */
export const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
] as const;

export class HeaderList {
  readonly #raw: readonly string[];

  /** `raw` alternates name and value, as `IncomingMessage.rawHeaders` does. */
  constructor(raw: readonly string[]) {
    this.#raw = raw;
  }

  /** Every value of the header, in order. `name` in lower case, as in all methods here. */
  all(name: string): string[] {
    const values: string[] = [];
    for (let i = 0; i + 1 < this.#raw.length; i += 2) {
      const candidate = this.#raw[i] as string;
      // The length is compared first, so that nearly every header is passed over without making a lower-case copy.
      if (candidate.length === name.length && candidate.toLowerCase() === name) values.push(this.#raw[i + 1] as string);
    }
    return values;
  }

  has(name: string): boolean {
    return this.all(name).length > 0;
  }

  /** The combined value: repeated headers joined with `, ` (RFC 9110 §5.3); undefined when there is none. */
  get(name: string): string | undefined {
    const values = this.all(name);
    return values.length > 1 ? values.join(", ") : values[0];
  }

  /** The elements of a comma-separated list header (RFC 9110 §5.6.1), trimmed, empty ones left out. */
  list(name: string): string[] {
    return this.all(name)
      .flatMap((value) => value.split(","))
      .map((element) => element.trim())
      .filter((element) => element !== "");
  }

  /** Name and value of each header as sent. */
  *[Symbol.iterator](): Generator<readonly [name: string, value: string]> {
    for (let i = 0; i + 1 < this.#raw.length; i += 2) yield [this.#raw[i] as string, this.#raw[i + 1] as string];
  }
}
