/**
 * Connection IDs: `<affinity>.<nonce>`. The affinity part survives reconnects and is what consistent hashing hashes;
 * it is signed, so that a client cannot choose the endpoint that it lands on. The nonce makes a connection unique.
 *
 *     affinity = base64url(12 random bytes) "~" base64url(first 12 bytes of HMAC-SHA256(key, the part before "~"))
 *     nonce    = base64url(9 random bytes)
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { type Handshake, queryParameter } from "./handshake.ts";

/** Name of the cookie and of the query parameter that bring an affinity back. */
export const CONNECTION_ID_NAME = "holdfast-id";
/** Name of the header on the 101, towards the backend, and back from clients that can set headers. */
export const CONNECTION_ID_HEADER = "Holdfast-Connection-Id";

const AFFINITY = /^([A-Za-z0-9_-]{16})~([A-Za-z0-9_-]{16})$/;
const SEED_BYTES = 12;
const SIGNATURE_BYTES = 12;
const NONCE_BYTES = 9;

export interface ConnectionId {
  readonly affinity: string;
  /** `<affinity>.<nonce>`: unique to this connection. */
  readonly id: string;
  /** Whether a presented affinity was taken up; otherwise the client has to be told the new one. */
  readonly resumed: boolean;
}

/** What a client brings back: header, query parameter, cookie; the deliberate before the automatic. */
export function presentedConnectionIds(handshake: Handshake): string[] {
  return [
    handshake.headers.get(CONNECTION_ID_HEADER.toLowerCase()),
    queryParameter(handshake, CONNECTION_ID_NAME),
    handshake.cookies.get(CONNECTION_ID_NAME),
  ].filter((value) => value !== undefined);
}

/**
 * An ID for a new connection: with the affinity of the first presented value (an affinity or a whole ID) whose
 * signature holds, else with a new one. `random` returns that many random bytes.
 */
export function issueConnectionId(options: {
  readonly presented: readonly string[];
  readonly key: Buffer;
  readonly random: (size: number) => Buffer;
}): ConnectionId {
  const { presented, key, random } = options;
  const known = presented.map((value) => verifyAffinity(value, key)).find((affinity) => affinity !== undefined);
  const affinity = known ?? newAffinity(key, random);
  return { affinity, id: `${affinity}.${random(NONCE_BYTES).toString("base64url")}`, resumed: known !== undefined };
}

/** The affinity part of an affinity or a whole connection ID, if its signature holds. */
export function verifyAffinity(presented: string, key: Buffer): string | undefined {
  const dot = presented.indexOf(".");
  const affinity = dot < 0 ? presented : presented.slice(0, dot);
  const [, seed, signature] = AFFINITY.exec(affinity) ?? [];
  if (seed === undefined || signature === undefined) return undefined;
  return timingSafeEqual(Buffer.from(signature, "base64url"), sign(seed, key)) ? affinity : undefined;
}

/** The ID as people read it, in logs and lists: it tells connections apart, but takes nobody to their endpoint. */
export function withoutSignature(connectionId: string): string {
  return connectionId.replace(/~[^.]*/, "");
}

/** The `Set-Cookie` value that lets a browser come back to its endpoint. */
export function connectionIdCookie(affinity: string, scheme: "ws" | "wss"): string {
  const secure = scheme === "wss" ? "; Secure" : "";
  return `${CONNECTION_ID_NAME}=${affinity}; Path=/; HttpOnly; SameSite=Lax${secure}`;
}

function newAffinity(key: Buffer, random: (size: number) => Buffer): string {
  const seed = random(SEED_BYTES).toString("base64url");
  return `${seed}~${sign(seed, key).toString("base64url")}`;
}

function sign(seed: string, key: Buffer): Buffer {
  return createHmac("sha256", key).update(seed).digest().subarray(0, SIGNATURE_BYTES);
}
