/** The keywords of one subschema, read with their types: what is not as the dialect wants it is an error that says where. */

export type Keywords = Record<string, unknown>;

export function isObject(value: unknown): value is Keywords {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A step of a JSON pointer (RFC 6901 §3). */
export function pointerStep(name: string | number): string {
  return `/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

export class KeywordReader {
  readonly schema: Keywords;
  /** JSON pointer to the subschema. */
  readonly at: string;

  constructor(schema: Keywords, at: string) {
    this.schema = schema;
    this.at = at;
  }

  has(keyword: string): boolean {
    return this.schema[keyword] !== undefined;
  }

  /** @throws always, with where and why, for people */
  fail(problem: string): never {
    throw new Error(this.at === "" ? problem : `${this.at}: ${problem}`);
  }

  number(keyword: string): number | undefined {
    return this.#read(keyword, "a number", (value) => typeof value === "number" && Number.isFinite(value));
  }

  /** Of lengths and the like. */
  count(keyword: string): number | undefined {
    return this.#read(keyword, "a whole number", (value) => Number.isInteger(value) && (value as number) >= 0);
  }

  boolean(keyword: string): boolean | undefined {
    return this.#read(keyword, "true or false", (value) => typeof value === "boolean");
  }

  string(keyword: string): string | undefined {
    return this.#read(keyword, "a string", (value) => typeof value === "string");
  }

  array(keyword: string): readonly unknown[] | undefined {
    return this.#read(keyword, "a list", Array.isArray);
  }

  /** Subschemas, or whatever else takes at least one. */
  filled(keyword: string): readonly unknown[] | undefined {
    return this.#read(keyword, "a list that is not empty", (value) => Array.isArray(value) && value.length > 0);
  }

  names(keyword: string): readonly string[] | undefined {
    return this.#read(keyword, "a list of distinct names", areNames);
  }

  /** By property. */
  namesOf(keyword: string): ReadonlyMap<string, readonly string[]> | undefined {
    const value = this.#read<Record<string, readonly string[]>>(
      keyword,
      "an object of lists of distinct names",
      (value) => isObject(value) && Object.values(value).every(areNames),
    );
    return value && new Map(Object.entries(value));
  }

  object(keyword: string): Keywords | undefined {
    return this.#read(keyword, "an object", isObject);
  }

  #read<T>(keyword: string, what: string, fits: (value: unknown) => boolean): T | undefined {
    const value = this.schema[keyword];
    if (value !== undefined && !fits(value)) this.fail(`${keyword} must be ${what}`);
    return value as T | undefined;
  }
}

function areNames(value: unknown): boolean {
  return (
    Array.isArray(value) && value.every((name) => typeof name === "string") && new Set(value).size === value.length
  );
}
