/** References into a schema itself (2020-12 §8.2.3.1). */
import { isObject } from "./keywords.ts";

/**
 * The JSON pointer of a reference such as `#/$defs/user`.
 *
 * @throws Error that says what is wrong with it, for people
 */
export function pointerOf(reference: unknown): string {
  if (typeof reference !== "string" || !/^#(\/|$)/.test(reference))
    throw new Error("$ref must point into the schema itself, as #/$defs/name does");
  try {
    return decodeURIComponent(reference.slice(1));
  } catch {
    throw new Error(`$ref ${reference} is not a URI fragment`);
  }
}

/** @throws Error for people where there is nothing */
export function pointed(root: unknown, pointer: string): unknown {
  let at = root;
  for (const step of pointer.split("/").slice(1)) {
    const key = step.replaceAll("~1", "/").replaceAll("~0", "~");
    const next: unknown = Array.isArray(at)
      ? at[Number(key)]
      : isObject(at) && Object.hasOwn(at, key)
        ? at[key]
        : undefined;
    if (next === undefined) throw new Error(`$ref #${pointer} points to nothing`);
    at = next;
  }
  return at;
}
