/**
 * The step of the pipeline that may have to ask somebody: a token's signature, a revocation, an external authoriser. It
 * begins with who the client is by its API key and ends with who it is by everything that the route wants to know.
 */
import type { ClientAddress } from "../handshake/client-ip.ts";
import type { Handshake } from "../handshake/handshake.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { HttpAnswer } from "../ports/problem.ts";
import { isRefusal, type Refusal, refuse } from "../refusals.ts";
import type { ExternalPolicy, JwtPolicy, Route, SecretMaterial } from "../snapshot.ts";
import type { Ask } from "./ask.ts";
import { claimText } from "./claims.ts";
import { presentedBy } from "./credentials.ts";
import { askAuthorizer } from "./external.ts";
import type { TokenProblem } from "./jwt.ts";
import { type Principal, principalOf, type VerifiedToken } from "./principal.ts";
import type { Revocations } from "./revocations.ts";
import { hasRequiredClaims, type Tokens } from "./tokens.ts";

/** The handshake that is asked about. */
export interface Subject {
  readonly handshake: Handshake;
  readonly route: Route;
  readonly secrets: SecretMaterial;
  readonly client: ClientAddress;
  readonly scheme: "ws" | "wss";
  /** Who the client is by its API key. */
  readonly principal: Principal;
  /** Aborted when the client is gone. */
  readonly signal?: AbortSignal;
}

/** What an authoriser answered to be relayed as it is. */
export interface Denial {
  readonly denial: HttpAnswer;
}

export interface AuthenticatorOptions {
  readonly tokens: Tokens;
  readonly revocations: Revocations;
  readonly ask: Ask;
  readonly metrics: Pick<Metrics, "policyReport" | "authorizerCheck">;
  readonly log: Log;
}

/** Tokens of one handshake that are looked at, so that many wrong ones cost no more. */
const MAX_TOKENS = 4;

export class Authenticator {
  readonly #options: AuthenticatorOptions;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  async authenticate(subject: Subject): Promise<Principal | Refusal | Denial> {
    const { route } = subject;
    const principal = route.jwt ? await this.#byToken(subject, route.jwt) : subject.principal;
    if (isRefusal(principal)) return principal;
    if (this.#options.revocations.has(principal)) return refuse("Revoked");
    return route.external ? this.#byAuthorizer(subject, principal, route.external) : principal;
  }

  async #byToken(subject: Subject, policy: JwtPolicy): Promise<Principal | Refusal> {
    const { principal } = subject;
    const token = await this.#tokenOf(subject, policy);
    if (token === undefined) return principal;
    if (isRefusal(token)) return this.#report(subject, policy, token) ?? principal;
    const lacking = hasRequiredClaims(token, policy) ? undefined : refuse("ClaimsInsufficient");
    const refusal = lacking && this.#report(subject, policy, lacking);
    if (refusal) return refusal;
    return principalOf({ apiKey: principal.apiKey, token, headers: claimHeaders(token, policy) });
  }

  /** Undefined without a token where none is needed. Of several tokens, the first that holds counts. */
  async #tokenOf(subject: Subject, policy: JwtPolicy): Promise<VerifiedToken | Refusal | undefined> {
    const presented = policy.sources.flatMap((source) => presentedBy(subject.handshake, source)).slice(0, MAX_TOKENS);
    if (presented.length === 0) return policy.optional ? undefined : refuse("TokenMissing");
    let problem: TokenProblem | undefined;
    for (const text of presented) {
      const verdict = await this.#options.tokens.verify(text, policy, subject.secrets);
      if (!("problem" in verdict)) return verdict;
      problem ??= verdict;
    }
    const { problem: reason, detail } = problem as TokenProblem;
    if (detail) this.#options.log.warn({ event: "keys", route: nameOf(subject.route), detail }, "a key cannot be used");
    return refuse(reason);
  }

  /** The refusal, or undefined where the policy only reports. */
  #report({ route }: Subject, { mode }: JwtPolicy, refusal: Refusal): Refusal | undefined {
    if (mode === "Enforce") return refusal;
    const { metrics, log } = this.#options;
    const report = { route: nameOf(route), policy: "authentication.jwt", reason: refusal.reason };
    metrics.policyReport(report);
    log.info({ event: "report", ...report, detail: refusal.message }, "a policy that only reports would have refused");
    return undefined;
  }

  async #byAuthorizer(
    subject: Subject,
    principal: Principal,
    policy: ExternalPolicy,
  ): Promise<Principal | Refusal | Denial> {
    const { ask, metrics, log } = this.#options;
    const route = nameOf(subject.route);
    const verdict = await askAuthorizer(ask, policy, subject, principal);
    switch (verdict.kind) {
      case "allowed":
        metrics.authorizerCheck(route, "allowed");
        return { ...principal, headers: overwrite(principal.headers, verdict.headers) };
      case "denied":
        metrics.authorizerCheck(route, "denied");
        return { denial: verdict.answer };
      case "unavailable": {
        metrics.authorizerCheck(route, policy.failOpen ? "failed_open" : "unavailable");
        log.warn({ event: "authorizer", route, detail: verdict.detail }, "an authoriser did not answer");
        return policy.failOpen ? principal : refuse("AuthorizerUnavailable");
      }
    }
  }
}

function nameOf({ namespace, name }: Route): string {
  return `${namespace}/${name}`;
}

/** Claims as headers; text beyond ASCII as UTF-8, a byte a character. */
function claimHeaders({ claims }: VerifiedToken, { forwardClaims }: JwtPolicy): Principal["headers"] {
  return forwardClaims.flatMap(({ claim, header }) => {
    const text = claimText(claims, claim);
    return text === undefined ? [] : [[header, Buffer.from(text, "utf8").toString("latin1")] as const];
  });
}

function overwrite(before: Principal["headers"], after: Principal["headers"]): Principal["headers"] {
  const replaced = new Set(after.map(([name]) => name.toLowerCase()));
  return [...before.filter(([name]) => !replaced.has(name.toLowerCase())), ...after];
}
