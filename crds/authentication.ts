/** Who may connect: JWT, API keys, or a service that is asked. */
import { z } from "zod";
import { dataKey, duration, headerValue, httpURL, label, objectName, patterned, token } from "./fields.ts";
import { atLeastOneOf, exactlyOneOf, mapList, type Rule, setList, withRules } from "./rules.ts";

const PLACES = ["header", "queryParam", "cookie", "protocol"] as const;

const CredentialSource = withRules(
  z.strictObject({
    header: token().describe("Name of a request header.").optional(),
    queryParam: z
      .string()
      .min(1)
      .max(256)
      .describe("Name of a query parameter; the backend does not see it unless toBackend is Keep.")
      .optional(),
    cookie: token().describe("Name of a cookie.").optional(),
    protocol: token()
      .describe("Prefix of an offered subprotocol whose rest is the credential; the backend does not see it.")
      .optional(),
    prefix: headerValue().max(64).describe("Text before the credential in the header, such as 'Bearer '.").optional(),
    toBackend: z
      .enum(["Strip", "Keep"])
      .describe("Strip, as where omitted, or Keep: whether the backend sees the query parameter.")
      .optional(),
  }),
  exactlyOneOf(...PLACES),
  {
    cel: "!has(self.prefix) || has(self.header)",
    message: "prefix belongs to header only",
    holds: (source) => source.prefix === undefined || source.header !== undefined,
  },
  {
    cel: "!has(self.toBackend) || has(self.queryParam)",
    message: "toBackend belongs to queryParam only",
    holds: (source) => source.toBackend === undefined || source.queryParam !== undefined,
  },
).describe("One place where the credential may stand.");

const sources = (fallback: string) =>
  z.array(CredentialSource).min(1).max(8).describe(`Where the credential may stand, tried in this order. ${fallback}`);

const SecretKeyRef = z.strictObject({
  name: objectName().describe("Name of the Secret."),
  namespace: label()
    .describe("Namespace of the Secret; another one than the route's needs a ReferenceGrant.")
    .optional(),
  key: dataKey().describe("Key in its data."),
});

const ConfigMapKeyRef = z.strictObject({
  name: objectName().describe("Name of the ConfigMap, in the route's namespace."),
  key: dataKey().describe("Key in its data."),
});

const Jwks = withRules(
  z.strictObject({
    uri: httpURL().describe("Where the JSON Web Key Set is fetched from.").optional(),
    secretRef: SecretKeyRef.describe("A Secret that holds the set, or the shared key of HS algorithms.").optional(),
    configMapRef: ConfigMapKeyRef.describe("A ConfigMap that holds the set.").optional(),
    inline: z.string().min(2).max(65536).describe("The set itself, as JSON text.").optional(),
  }),
  exactlyOneOf("uri", "secretRef", "configMapRef", "inline"),
);

const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "HS256",
  "HS384",
  "HS512",
] as const;

interface ProviderKeys {
  readonly algorithms: readonly string[];
  readonly jwks?: { readonly secretRef?: object | undefined } | undefined;
}
/** A public key must never be usable as a shared one. */
const sharedKeysAreSecret: Rule<ProviderKeys> = {
  cel: "!self.algorithms.exists(a, a.startsWith('HS')) || (has(self.jwks) && has(self.jwks.secretRef) && self.algorithms.all(a, a.startsWith('HS')))",
  message: "HS algorithms need jwks.secretRef and cannot be mixed with others",
  holds: ({ algorithms, jwks }) =>
    !algorithms.some((name) => name.startsWith("HS")) ||
    (jwks?.secretRef !== undefined && algorithms.every((name) => name.startsWith("HS"))),
};

const Provider = withRules(
  z.strictObject({
    name: label().describe("Name of the provider, for logs and metrics."),
    issuer: z.string().min(1).max(2048).describe("Value that the token's iss claim must have."),
    audiences: setList(z.array(z.string().min(1).max(256)).min(1).max(16))
      .describe("Values of which the token's aud claim must hold one; any where omitted.")
      .optional(),
    algorithms: setList(z.array(z.enum(ALGORITHMS)).min(1).max(ALGORITHMS.length))
      .default(["RS256", "ES256"])
      .describe("Signature algorithms that are accepted; what the token says is not asked."),
    jwks: Jwks.describe("The keys; by OIDC discovery from the issuer where omitted.").optional(),
    clockSkew: duration({ min: "1s", max: "10m", off: "for none" })
      .default("30s")
      .describe("Difference of clocks that is tolerated in exp and nbf."),
  }),
  sharedKeysAreSecret,
  {
    cel: "has(self.jwks) || self.issuer.startsWith('https://') || self.issuer.startsWith('http://')",
    message: "without jwks, the issuer must be a URL that the keys can be discovered from",
    holds: ({ jwks, issuer }) => jwks !== undefined || /^https?:\/\//.test(issuer),
  },
).describe("An issuer of tokens.");

const claimPath = () =>
  patterned({
    pattern: /^[^\s.]+(\.[^\s.]+)*$/,
    max: 256,
    message: "must be a claim's name, or names with dots between for nested ones",
  });

const Jwt = z
  .strictObject({
    providers: mapList(z.array(Provider).min(1).max(8), "name").describe("Issuers whose tokens are accepted."),
    sources: sources("The header Authorization: Bearer where omitted.").optional(),
    requiredClaims: mapList(
      z
        .array(
          z.strictObject({
            name: claimPath().describe("Name of the claim."),
            values: setList(z.array(z.string().min(1).max(256)).min(1).max(32)).describe(
              "Values of which the claim must have one; a list or a text with spaces counts as its parts.",
            ),
          }),
        )
        .max(16),
      "name",
    )
      .describe("Claims that the token must have; 403 where it has not.")
      .optional(),
    forwardClaims: mapList(
      z
        .array(
          z.strictObject({
            claim: claimPath().describe("Name of the claim."),
            header: token().describe("Request header that the backend gets it in; the client's own is removed."),
          }),
        )
        .max(16),
      "header",
    )
      .describe("Claims that the backend gets as request headers.")
      .optional(),
    onExpiry: z
      .enum(["Close", "Ignore"])
      .default("Close")
      .describe("When the token expires while connected: Close (3000), or Ignore and stay connected."),
    optional: z.boolean().default(false).describe("Let clients without a token in; a wrong one is still refused."),
    mode: z
      .enum(["Enforce", "Report"])
      .default("Enforce")
      .describe("Enforce, or Report: count and log what would be refused, and let it in."),
  })
  .describe("JSON Web Tokens.");

const External = z
  .strictObject({
    url: httpURL().describe(
      "Asked with GET for each handshake, with X-Forwarded-Method, -Proto, -Host, -Uri and -For: 2xx lets in, 401 and 403 are relayed.",
    ),
    timeout: duration({ min: "100ms", max: "1m" }).default("2s").describe("For the answer; 503 after it."),
    forwardHeaders: setList(z.array(token()).max(32))
      .describe("Headers of the client's request that are sent along.")
      .optional(),
    responseHeaders: setList(z.array(token()).max(32))
      .describe("Headers of the answer that the backend gets.")
      .optional(),
    failOpen: z.boolean().default(false).describe("Let clients in when the service cannot be asked."),
  })
  .describe("A service that is asked.");

const ApiKeys = z
  .strictObject({
    secretRef: z
      .strictObject({
        name: objectName().describe("Name of the Secret."),
        namespace: label()
          .describe("Namespace of the Secret; another one than the route's needs a ReferenceGrant.")
          .optional(),
      })
      .describe("A Secret each of whose values is one key; the name of the value names the user."),
    sources: sources("The header X-Api-Key where omitted.").optional(),
  })
  .describe("Keys from a Secret.");

export const Authentication = withRules(
  z.strictObject({ jwt: Jwt.optional(), external: External.optional(), apiKeys: ApiKeys.optional() }),
  atLeastOneOf("jwt", "external", "apiKeys"),
).describe("Who may connect; anyone where omitted. A client must satisfy everything that is set here.");
