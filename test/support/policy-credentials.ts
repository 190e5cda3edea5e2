/** Every credential of the policy table by name, made when it is asked for, and all of them remembered. */
import { randomBytes } from "node:crypto";
import { type JWTPayload, SignJWT } from "jose";
import { type Issuer, makeKey } from "./jwks-server.ts";

export interface Credentials {
  /** Puts credentials in place of their names in `<>`. */
  readonly fill: (text: string) => Promise<string>;
  /** The values of the Secrets that routes refer to, by Secret and key. */
  readonly secrets: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Everything that must be seen nowhere: what stands in Secrets, and every token that was made. */
  readonly confidential: () => ReadonlySet<string>;
  /** Adds what was made elsewhere, such as the API's token. */
  readonly know: (name: string, value: string) => void;
}

export interface CredentialSources {
  readonly issuer: Issuer;
  /** `iss` of an issuer that cannot be reached. */
  readonly away: string;
}

const seconds = (): number => Math.floor(Date.now() / 1000);

export async function makeCredentials({ issuer, away }: CredentialSources): Promise<Credentials> {
  const text = (): string => randomBytes(18).toString("base64url");
  const secrets = {
    "chat-keys": { ann: text(), bob: text() },
    "token-key": { secret: randomBytes(32).toString("base64url"), short: "too-short-a-key" },
  };
  const stranger = await makeKey(issuer.key.kid);
  const signedHere = (claims: JWTPayload) => () => issuer.token(claims);
  const makers: Record<string, () => string | Promise<string>> = {
    "api-key": () => secrets["chat-keys"].ann,
    "wrong-key": text,
    malformed: () => `${text()}.${text()}`,
    valid: signedHere({}),
    short: () => issuer.token({ exp: seconds() + 2 }),
    expired: () => issuer.token({ exp: seconds() - 1 }),
    early: () => issuer.token({ nbf: seconds() + 60 }),
    "other-issuer": signedHere({ iss: "https://evil.example/" }),
    "other-audience": signedHere({ aud: "mail" }),
    forged: () => issuer.token({}, { key: stranger }),
    unsigned: () => unsigned({ iss: issuer.issuer, aud: "chat", sub: "root", exp: seconds() + 60 }),
    "of-away": signedHere({ iss: away }),
    "of-mallory": signedHere({ sub: "mallory" }),
    "of-oscar": signedHere({ sub: "oscar" }),
    shared: () => shared(secrets["token-key"].secret),
  };
  const made = new Set<string>(Object.values(secrets).flatMap((values) => Object.values(values)));
  return {
    secrets,
    confidential: () => made,
    know(name, value) {
      makers[name] = () => value;
      made.add(value);
    },
    async fill(template) {
      let filled = template;
      for (const [placeholder, name = ""] of template.matchAll(/<([a-z-]+)>/g)) {
        const value = await makers[name]?.();
        if (value === undefined) throw new Error(`there is no credential ${name}`);
        made.add(value);
        filled = filled.replace(placeholder, value);
      }
      return filled;
    },
  };
}

function shared(secret: string): Promise<string> {
  return new SignJWT({ iss: "own", sub: "ann" })
    .setProtectedHeader({ alg: "HS256" })
    .setExpirationTime("1h")
    .sign(Buffer.from(secret));
}

function unsigned(claims: JWTPayload): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${encode({ alg: "none" })}.${encode(claims)}.${randomBytes(16).toString("base64url")}`;
}
