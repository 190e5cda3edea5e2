/** An issuer of tokens whose keys are real and whose server is real: a test can stop it, slow it down and rotate its keys. */
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
} from "jose";
import type { JwtPolicy, TokenProvider } from "../../gateway/snapshot.ts";

export interface SigningKey {
  readonly kid: string;
  readonly algorithm: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

export async function makeKey(kid: string, algorithm = "ES256"): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const publicJwk = { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: "sig" };
  return { kid, algorithm, privateKey, publicJwk };
}

export interface TokenOptions {
  readonly key?: SigningKey;
  readonly header?: Partial<JWTHeaderParameters>;
}

export interface Issuer {
  /** The `iss` of its tokens; its discovery document is there. */
  readonly issuer: string;
  readonly jwksUri: string;
  /** Fetches of the key set that have arrived. */
  readonly fetches: number;
  readonly key: SigningKey;
  /** A token for the audience `chat` and the subject `ann` that lives for an hour; undefined claims are left out. */
  token(claims?: JWTPayload, options?: TokenOptions): Promise<string>;
  /** Takes another key in place of the one before. */
  rotate(kid: string): Promise<void>;
  /** Answers with this status until told otherwise; 200 for the keys. */
  answerWith(status: number): void;
  /** Answers nothing until `resume`, but takes connections. */
  hold(): void;
  resume(): void;
  /** Closes the port; `start` opens the same one again. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** A provider of a route that accepts its tokens. */
  provider(changes?: Partial<TokenProvider>): TokenProvider;
}

export async function startIssuer(): Promise<Issuer> {
  const issuer = new TestIssuer(await makeKey("first"));
  await issuer.start();
  return issuer;
}

class TestIssuer implements Issuer {
  fetches = 0;
  key: SigningKey;
  #server: Server | undefined;
  #port = 0;
  #status = 200;
  #held: ServerResponse[] | undefined;

  constructor(key: SigningKey) {
    this.key = key;
  }

  get issuer(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  get jwksUri(): string {
    return `${this.issuer}jwks.json`;
  }

  async token(claims: JWTPayload = {}, { key = this.key, header = {} }: TokenOptions = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const payload: JWTPayload = { iss: this.issuer, aud: "chat", sub: "ann", iat: now, exp: now + 3600, ...claims };
    const present = Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined));
    return new SignJWT(present)
      .setProtectedHeader({ alg: key.algorithm, kid: key.kid, ...header })
      .sign(key.privateKey);
  }

  async rotate(kid: string): Promise<void> {
    this.key = await makeKey(kid);
  }

  answerWith(status: number): void {
    this.#status = status;
  }

  hold(): void {
    this.#held ??= [];
  }

  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const response of held) this.#keys(response);
  }

  async start(): Promise<void> {
    this.#server = createServer((request, response) => {
      if (request.url === "/.well-known/openid-configuration") {
        response.end(JSON.stringify({ issuer: this.issuer, jwks_uri: this.jwksUri }));
        return;
      }
      this.fetches += 1;
      if (this.#held) this.#held.push(response);
      else this.#keys(response);
    });
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  provider(changes: Partial<TokenProvider> = {}): TokenProvider {
    return {
      name: "main",
      issuer: this.issuer,
      audiences: ["chat"],
      algorithms: ["ES256"],
      keys: { type: "Uri", uri: this.jwksUri },
      clockSkew: 0,
      ...changes,
    };
  }

  #keys(response: ServerResponse): void {
    response.writeHead(this.#status, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ keys: [this.key.publicJwk] }));
  }
}

/** A policy that takes a bearer token of the provider and wants nothing of it but to be valid. */
export function makeJwtPolicy(provider: TokenProvider, changes: Partial<JwtPolicy> = {}): JwtPolicy {
  return {
    providers: [provider],
    sources: [{ in: "header", name: "Authorization", prefix: "Bearer " }],
    requiredClaims: [],
    forwardClaims: [],
    onExpiry: "Close",
    optional: false,
    mode: "Enforce",
    ...changes,
  };
}

export const bearer = (token: string): { headers: { Authorization: string } } => ({
  headers: { Authorization: `Bearer ${token}` },
});
