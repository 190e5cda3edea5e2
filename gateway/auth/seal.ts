/**
 * Messages that only the processes of one gateway can write and read, whoever else uses their Redis: AES-256-GCM under a key
 * that is derived from the gateway's own secret. Wire form: version (1 byte), nonce (12), tag (16), ciphertext.
 */
import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";

const VERSION = 1;
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;
const HEADER_LENGTH = 1 + NONCE_LENGTH + TAG_LENGTH;
const CIPHER = "aes-256-gcm";

/** The key for `seal` and `open`, from any secret of enough entropy. */
export function sealingKey(secret: Buffer): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "", "holdfast control messages", 32));
}

/** @param nonce - 12 bytes that are never used twice with one key: random ones */
export function seal(plain: Buffer, key: Buffer, nonce: Buffer): Buffer {
  const cipher = createCipheriv(CIPHER, key, nonce);
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([Buffer.of(VERSION), nonce, cipher.getAuthTag(), sealed]);
}

/** Undefined for what was not sealed with this key. */
export function open(sealed: Buffer, key: Buffer): Buffer | undefined {
  if (sealed.length < HEADER_LENGTH || sealed[0] !== VERSION) return undefined;
  const nonce = sealed.subarray(1, 1 + NONCE_LENGTH);
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_LENGTH });
  decipher.setAuthTag(sealed.subarray(1 + NONCE_LENGTH, HEADER_LENGTH));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(HEADER_LENGTH)), decipher.final()]);
  } catch {
    return undefined;
  }
}
