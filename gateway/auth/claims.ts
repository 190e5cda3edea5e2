/** Claims of a token: found by dotted path, compared as lists, texts and scopes are meant, told as text. Pure. */

/** A JWT Claims Set as it was parsed (RFC 7519 §4); any JSON may stand in it. */
export type Claims = Readonly<Record<string, unknown>>;

/**
 * The claim at a path such as `realm_access.roles`; undefined where there is none. A name that holds dots itself, as
 * namespaced ones do (`https://example.com/roles`), is found as it stands before it is taken apart.
 */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  for (let dot = path.indexOf("."); dot > 0; dot = path.indexOf(".", dot + 1)) {
    const head = path.slice(0, dot);
    const inner = Object.hasOwn(claims, head) ? claims[head] : undefined;
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) continue;
    const found = claimAt(inner as Claims, path.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether the claim has one of the values: it is it, lists it, or names it among words as `scope` does (RFC 8693 §4.2). */
export function claimHas(claims: Claims, path: string, values: readonly string[]): boolean {
  const held = partsOf(claimAt(claims, path));
  return values.some((value) => held.includes(value));
}

function partsOf(claim: unknown): readonly string[] {
  if (Array.isArray(claim)) return claim.filter(isScalar).map(String);
  if (typeof claim === "string") return [claim, ...claim.split(" ")];
  return isScalar(claim) ? [String(claim)] : [];
}

/** The claim as one text, for a header or a hash: lists and objects as JSON; undefined where there is none. */
export function claimText(claims: Claims, path: string): string | undefined {
  const claim = claimAt(claims, path);
  if (claim === undefined || claim === null) return undefined;
  return isScalar(claim) ? String(claim) : JSON.stringify(claim);
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}
