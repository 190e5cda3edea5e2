/** Whether a text holds keys that tokens can be verified with. Pure; what it says quotes nothing of the text. */

interface Jwk {
  readonly kty?: unknown;
  readonly d?: unknown;
  readonly k?: unknown;
}

/** What is wrong with a JSON Web Key Set of public keys (RFC 7517 §5); undefined when nothing is. */
export function checkPublicKeys(text: string): string | undefined {
  const keys = readSet(text);
  if (keys === undefined) return "it is not a JSON Web Key Set, an object with a list 'keys'";
  if (keys.length === 0) return "the set holds no key";
  // A snapshot is no place for secrets, and who verifies needs none.
  if (keys.some(({ d, k }) => d !== undefined || k !== undefined))
    return "it holds a private key: take its public half";
  if (keys.some(({ kty }) => typeof kty !== "string")) return "a key of the set has no kty";
  return undefined;
}

/** What is wrong with the shared key of HS algorithms, alone or as a set of `oct` keys; undefined when nothing is. */
export function checkSharedKeys(text: string, algorithms: readonly string[]): string | undefined {
  const set = readSet(text);
  const sizes = set === undefined ? [Buffer.byteLength(text)] : set.map(octets);
  const needed = Math.max(...algorithms.map((algorithm) => Number(algorithm.slice("HS".length)) / 8));
  if (sizes.length === 0) return "the set holds no key";
  if (sizes.includes(undefined)) return "the set holds a key that is not of kty oct";
  // RFC 7518 §3.2.
  return sizes.every((size) => (size as number) >= needed) ? undefined : `a key has less than ${needed} bytes`;
}

function octets({ kty, k }: Jwk): number | undefined {
  return kty === "oct" && typeof k === "string" ? Buffer.from(k, "base64url").length : undefined;
}

function readSet(text: string): readonly Jwk[] | undefined {
  try {
    const { keys } = Object(JSON.parse(text)) as { keys?: unknown };
    const valid = Array.isArray(keys) && keys.every((key) => typeof key === "object" && key !== null);
    return valid ? (keys as Jwk[]) : undefined;
  } catch {
    return undefined;
  }
}
