/** Rows about who may connect. `<valid>` and the like are tokens and keys that the test makes. */
import type { Section } from "./row.ts";

const KEYS = "apiKeys: {secretRef: {name: chat-keys}}";
const bearer = (token: string) => ({ Authorization: `Bearer <${token}>` });

/** A route whose tokens come from the issuer of the test. */
const jwt = (more = ""): string =>
  `authentication: {jwt: {providers: [{name: main, issuer: "https://id.example/", audiences: [chat], algorithms: [ES256], jwks: {uri: "https://id.example/jwks.json"}, clockSkew: 0s}]${more}}}`;

const external = (path: string, more = ""): string =>
  `authentication: {external: {url: "http://authz.example/${path}", timeout: 500ms${more}}}`;

const API_KEYS: Section = {
  title: "API keys",
  rows: [
    {
      name: "key",
      spec: `authentication: {${KEYS}}`,
      client: { does: "shows a key", headers: { "X-Api-Key": "<api-key>" } },
      end: { open: "stays" },
    },
    {
      name: "key-missing",
      spec: `authentication: {${KEYS}}`,
      client: { does: "shows none" },
      end: { status: 401, reason: "Unauthenticated", headers: { "www-authenticate": /^ApiKey / } },
    },
    {
      name: "key-wrong",
      spec: `authentication: {${KEYS}}`,
      client: { does: "shows a wrong one", headers: { "X-Api-Key": "<wrong-key>" } },
      end: { status: 401, reason: "Unauthenticated" },
    },
    {
      name: "key-in-query",
      spec: "authentication: {apiKeys: {secretRef: {name: chat-keys}, sources: [{queryParam: key}]}}",
      client: {
        does: "shows a key in the query, which the backend does not see",
        target: "/?key=<api-key>&a=1",
        steps: [{ send: "seen" }, { gets: '"url":"/?a=1"' }],
      },
      end: { open: "stays" },
    },
    {
      name: "key-secret-missing",
      spec: "authentication: {apiKeys: {secretRef: {name: no-keys}}}",
      status: { type: "ResolvedRefs", reason: "SecretNotFound", says: "Secret apps/no-keys does not exist" },
      client: { does: "shows a key", headers: { "X-Api-Key": "<api-key>" } },
      end: { status: 500, reason: "RouteNotResolved" },
    },
  ],
};

const REFUSED_TOKENS: Section["rows"] = (
  [
    ["malformed", "TokenMalformed", "shows something that is no token"],
    ["expired", "TokenExpired", "shows a token that has expired"],
    ["early", "TokenNotYetValid", "shows a token that is not valid yet"],
    ["other-issuer", "TokenIssuer", "shows a token of another issuer"],
    ["other-audience", "TokenAudience", "shows a token for another audience"],
    ["forged", "TokenSignature", "shows a token that somebody else has signed"],
    ["unsigned", "TokenSignature", "shows a token of algorithm none"],
  ] as const
).map(([token, reason, does]) => ({
  name: `jwt-${token}`,
  spec: jwt(),
  client: { does, headers: bearer(token) },
  end: { status: 401, reason, headers: { "www-authenticate": /^Bearer .*error="invalid_token"/ } },
}));

const TOKENS: Section = {
  title: "JSON Web Tokens",
  rows: [
    {
      name: "jwt",
      spec: jwt(", forwardClaims: [{claim: sub, header: X-User-Id}]"),
      client: {
        does: "shows a token; the backend gets its user, whatever the client says",
        headers: { ...bearer("valid"), "X-User-Id": "root" },
        steps: [{ send: "seen" }, { gets: '"x-user-id":"ann"' }],
      },
      end: { open: "stays" },
    },
    {
      name: "jwt-missing",
      spec: jwt(),
      client: { does: "shows none" },
      end: { status: 401, reason: "TokenMissing", headers: { "www-authenticate": /^Bearer realm=/ } },
    },
    ...REFUSED_TOKENS,
    {
      name: "jwt-claims",
      spec: jwt(", requiredClaims: [{name: scope, values: [admin]}]"),
      client: { does: "shows a token without the claim", headers: bearer("valid") },
      end: { status: 403, reason: "ClaimsInsufficient" },
    },
    {
      name: "jwt-report",
      spec: jwt(", requiredClaims: [{name: scope, values: [admin]}], mode: Report"),
      client: { does: "shows a token without the claim", headers: bearer("valid") },
      end: { open: "stays" },
      extra: {
        metric: "holdfast_policy_reports_total",
        labels: { policy: "authentication.jwt", reason: "ClaimsInsufficient" },
        log: { event: "report", policy: "authentication.jwt", reason: "ClaimsInsufficient" },
      },
    },
    {
      name: "jwt-optional",
      spec: jwt(", optional: true"),
      client: { does: "shows none where none is needed" },
      end: { open: "stays" },
    },
    {
      name: "jwt-in-protocol",
      spec: `${jwt(', sources: [{protocol: "bearer."}]')}\nprotocols: [chat.v1]`,
      client: {
        does: "shows a token as a subprotocol, which is not negotiated",
        headers: { "Sec-WebSocket-Protocol": "bearer.<valid>, chat.v1" },
      },
      end: { open: "stays", protocol: "chat.v1" },
    },
    {
      name: "jwt-in-query",
      spec: jwt(", sources: [{queryParam: jwt}]"),
      client: {
        does: "shows a token in the query, which the backend does not see",
        target: "/?jwt=<valid>&a=1",
        steps: [{ send: "seen" }, { gets: '"url":"/?a=1"' }],
      },
      end: { open: "stays" },
    },
    {
      name: "jwt-in-query-kept",
      spec: jwt(", sources: [{queryParam: jwt, toBackend: Keep}]"),
      client: {
        does: "shows a token in the query, which the backend does see",
        target: "/?jwt=<valid>&a=1",
        // The header of every token of the issuer begins so.
        steps: [{ send: "seen" }, { gets: '"url":"/?jwt=eyJ' }],
      },
      end: { open: "stays" },
    },
    {
      name: "jwt-no-keys",
      spec: jwt().replaceAll("id.example", "away.example"),
      client: { does: "shows a token whose issuer cannot be asked for keys", headers: bearer("of-away") },
      end: { status: 503, reason: "KeysUnavailable", headers: { "retry-after": /^\d+$/ } },
    },
    {
      name: "jwt-ends",
      spec: jwt(),
      client: { does: "shows a token that expires while connected", headers: bearer("short") },
      end: { code: 3000, reason: "TokenExpired", side: "gateway" },
    },
    {
      name: "jwt-renewed",
      spec: `${jwt()}\ntimeouts: {maxLifetime: 4s}`,
      client: {
        does: "shows such a token, and its server renews it",
        headers: bearer("short"),
        steps: [{ api: "/connections/{id}/token", body: '{"token": "<valid>"}' }],
      },
      end: { code: 1001, reason: "MaxLifetime", side: "gateway" },
    },
    {
      name: "jwt-revoked",
      spec: jwt(),
      client: {
        does: "is connected when its user's access is revoked",
        headers: bearer("of-mallory"),
        steps: [{ api: "/revocations", body: '{"user": "mallory"}' }],
      },
      end: { code: 3003, reason: "Revoked", side: "gateway" },
    },
    {
      name: "jwt-was-revoked",
      spec: jwt(),
      client: {
        does: "comes after its user's access was revoked",
        headers: bearer("of-oscar"),
        before: [{ api: "/revocations", body: '{"user": "oscar"}' }],
      },
      end: { status: 403, reason: "Revoked" },
    },
    {
      name: "jwt-shared-key",
      spec: "authentication: {jwt: {providers: [{name: own, issuer: own, algorithms: [HS256], jwks: {secretRef: {name: token-key, key: secret}}}]}}",
      client: { does: "shows a token signed with the shared key of a Secret", headers: bearer("shared") },
      end: { open: "stays" },
    },
    {
      name: "jwt-short-key",
      spec: "authentication: {jwt: {providers: [{name: own, issuer: own, algorithms: [HS256], jwks: {secretRef: {name: token-key, key: short}}}]}}",
      status: {
        type: "ResolvedRefs",
        reason: "InvalidKeys",
        says: "short of Secret apps/token-key: a key has less than 32 bytes",
      },
      client: { does: "shows a token", headers: bearer("shared") },
      end: { status: 500, reason: "RouteNotResolved" },
    },
  ],
};

const asked = (outcome: string) => ({ metric: "holdfast_authorizer_checks_total", labels: { outcome } });

const EXTERNAL: Section = {
  title: "An external authoriser",
  rows: [
    {
      name: "authz-allows",
      spec: external("allow", ", responseHeaders: [X-User-Id]"),
      client: {
        does: "is let in; the backend gets the authoriser's header",
        steps: [{ send: "seen" }, { gets: '"x-user-id":"bob"' }],
      },
      end: { open: "stays" },
      extra: asked("allowed"),
    },
    {
      name: "authz-denies",
      spec: external("deny"),
      client: { does: "is refused; the authoriser's answer is relayed" },
      end: { status: 401, reason: "AuthorizerDenied", headers: { "www-authenticate": /^Cookie$/ } },
      extra: asked("denied"),
    },
    {
      name: "authz-silent",
      spec: external("silent"),
      client: { does: "is not told in time" },
      end: { status: 503, reason: "AuthorizerUnavailable" },
      extra: asked("unavailable"),
    },
    {
      name: "authz-fails-open",
      spec: external("broken", ", failOpen: true"),
      client: { does: "connects while the authoriser fails" },
      end: { open: "stays" },
      extra: asked("failed_open"),
    },
  ],
};

export const ACCESS: readonly Section[] = [API_KEYS, TOKENS, EXTERNAL];
