/**
 * The request target in one normal form, made before anything is matched; the backend gets what was matched (C11).
 *
 * What is decided here, once:
 * - Origin-form and absolute-form (`http`, `https`, `ws`, `wss`) are taken (RFC 9112 §3.2); `*`, authority-form, user
 *   information and fragments are refused.
 * - Percent-encodings of unreserved characters are decoded, all others kept with upper-case hex digits (RFC 3986
 *   §6.2.2); characters that may not stand in a path (`"<>[]^{|}` and the back quote) are encoded. Broken encodings,
 *   raw or encoded control characters, bytes over 0x7E and back slashes are refused.
 * - Repeated slashes count as one, then dot segments are removed (RFC 3986 §5.2.4); `..` at the root stays at the root.
 * - `%2F` and `%5C` are data within their segment and stay encoded. A segment that would turn into a dot segment for a
 *   backend that decodes them, or that cuts off `;` parameters (`..%2Fadmin`, `..;x`), is refused.
 * - The query keeps its bytes; names and values are decoded for matching as `application/x-www-form-urlencoded`.
 *   An encoded NUL or a broken encoding in it is refused.
 */
import { isRefusal, type Refusal, refuse } from "../refusals.ts";

export interface Target {
  /** Normal form; starts with `/`. */
  readonly path: string;
  /** Decoded names and values, in order. */
  readonly query: readonly (readonly [name: string, value: string])[];
  /** The query as sent, with its `?`; empty without one. */
  readonly search: string;
  /** Host and port of an absolute-form target, which then count more than the Host header (RFC 9112 §3.2.2). */
  readonly authority?: string;
}

const ABSOLUTE_FORM = /^(?:https?|wss?):\/\/([^/?#]*)(.*)$/i;
const VISIBLE_ASCII = /^[\x21-\x7e]*$/;
const BROKEN_ENCODING = /%(?![0-9A-Fa-f]{2})/;
const ENCODED_CONTROL = /%(?:[01][0-9A-Fa-f]|7[Ff])/;
const TO_ENCODE = /["<>[\]^`{|}]/g;
const ENCODED = /%[0-9A-Fa-f]{2}/g;
const UNRESERVED = /[A-Za-z0-9\-._~]/;
/** Paths that are in normal form already, which nearly all are: no regular work is done on them. */
const PLAIN_PATH = /^(?:\/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9_~!$&'()*+,=:@.-]*)+\/?$/;

/** The target of a request line in normal form, or `BadTarget`. */
export function parseTarget(raw: string): Target | Refusal {
  if (!VISIBLE_ASCII.test(raw)) return refuse("BadTarget", "the request target holds a control or non-ASCII character");
  if (raw.includes("#")) return refuse("BadTarget", "the request target holds a fragment");
  let rest = raw;
  let authority: string | undefined;
  const absolute = raw.startsWith("/") ? null : ABSOLUTE_FORM.exec(raw);
  if (absolute !== null) {
    authority = absolute[1] as string;
    rest = absolute[2] as string;
    if (authority === "" || authority.includes("@")) {
      return refuse("BadTarget", "the request target names no host, or a user");
    }
    if (!rest.startsWith("/")) rest = `/${rest}`;
  } else if (!raw.startsWith("/")) {
    return refuse("BadTarget", "the request target is neither a path nor an absolute URL");
  }
  const mark = rest.indexOf("?");
  const path = normalizePath(mark < 0 ? rest : rest.slice(0, mark));
  if (isRefusal(path)) return path;
  const search = mark < 0 ? "" : rest.slice(mark);
  const query = parseQuery(search);
  if (isRefusal(query)) return query;
  return authority === undefined ? { path, query, search } : { path, query, search, authority };
}

/** A path (without query) in normal form. Idempotent; the result starts with `/` and holds no dot segment. */
export function normalizePath(raw: string): string | Refusal {
  if (raw === "/" || PLAIN_PATH.test(raw)) return raw;
  if (!raw.startsWith("/")) return refuse("BadTarget", "the path does not start with a slash");
  if (!VISIBLE_ASCII.test(raw) || raw.includes("\\")) {
    return refuse("BadTarget", "the path holds a control or non-ASCII character, or a back slash");
  }
  if (BROKEN_ENCODING.test(raw)) return refuse("BadTarget", "the path holds a broken percent-encoding");
  if (ENCODED_CONTROL.test(raw)) return refuse("BadTarget", "the path holds an encoded control character");
  return removeDotSegments(raw.replace(ENCODED, decodeUnreserved).replace(TO_ENCODE, encodeCharacter));
}

/** `search` (with its `?`) without the parameters of these names; the others keep their bytes and order. */
export function withoutParameters(search: string, names: ReadonlySet<string>): string {
  if (search === "" || names.size === 0) return search;
  const kept = search
    .slice(1)
    .split("&")
    .filter((pair) => {
      const name = new URLSearchParams(pair).keys().next().value;
      return name === undefined || !names.has(name);
    });
  return kept.length === 0 ? "" : `?${kept.join("&")}`;
}

function parseQuery(search: string): Target["query"] | Refusal {
  if (search.length < 2) return [];
  if (BROKEN_ENCODING.test(search)) return refuse("BadTarget", "the query holds a broken percent-encoding");
  if (search.includes("%00")) return refuse("BadTarget", "the query holds an encoded NUL");
  return [...new URLSearchParams(search)];
}

function removeDotSegments(path: string): string | Refusal {
  const kept: string[] = [];
  const segments = path.split("/");
  for (const segment of segments) {
    if (segment === "" || segment === ".") continue;
    if (segment === "..") kept.pop();
    else if (hidesDotSegment(segment)) return refuse("BadTarget", "the path hides a dot segment");
    else kept.push(segment);
  }
  const last = segments.at(-1);
  const directory = last === "" || last === "." || last === "..";
  return kept.length === 0 ? "/" : `/${kept.join("/")}${directory ? "/" : ""}`;
}

function hidesDotSegment(segment: string): boolean {
  return segment.split(/%2F|%5C/).some((piece) => /^\.{1,2}(?:;|%3B|$)/.test(piece));
}

function decodeUnreserved(encoded: string): string {
  const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
  return UNRESERVED.test(character) ? character : encoded.toUpperCase();
}

function encodeCharacter(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
