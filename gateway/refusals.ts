/**
 * The one table of everything Holdfast says no with: before the 101 as an HTTP status, after it as a close code.
 * The key is the reason in logs, metrics, problem documents and close frames.
 */

/** What a client may do next: never try this again as it is, or come back (after `Retry-After`, where one is sent). */
export type Retry = "no" | "yes";

interface Code {
  /** HTTP status before the 101 (RFC 9110 §15). */
  readonly status: number;
  readonly retry: Retry;
  /** For people; never holds anything that a client sent. */
  readonly message: string;
}

/** Refusals of a handshake, in the order in which the pipeline can meet them. */
export const REFUSALS = {
  BadRequest: { status: 400, retry: "no", message: "the request is not a valid WebSocket handshake" },
  BadTarget: { status: 400, retry: "no", message: "the request target cannot be normalised" },
  BadHost: { status: 400, retry: "no", message: "the Host header is missing, repeated or malformed" },
  BadUpgrade: { status: 400, retry: "no", message: "Upgrade must be exactly websocket, named in Connection" },
  BadKey: { status: 400, retry: "no", message: "Sec-WebSocket-Key must be 16 bytes in base64" },
  BodyNotAllowed: { status: 400, retry: "no", message: "a WebSocket handshake has no body and waits for the 101" },
  MethodNotAllowed: { status: 405, retry: "no", message: "a WebSocket handshake is a GET" },
  UnsupportedVersion: { status: 426, retry: "no", message: "Sec-WebSocket-Version must be 13" },
  UpgradeRequired: { status: 426, retry: "no", message: "this path speaks WebSocket" },
  HandshakeTimeout: { status: 408, retry: "yes", message: "the request did not arrive in time" },
  HeadersTooLarge: { status: 431, retry: "no", message: "the request headers are too large" },
  Draining: { status: 503, retry: "yes", message: "this gateway is shutting down" },
  NotReady: { status: 503, retry: "yes", message: "this gateway has no configuration yet" },
  Overloaded: { status: 503, retry: "yes", message: "this gateway is at its limit" },
  NoRoute: { status: 404, retry: "no", message: "no route matches this host and path" },
  ClientIPDenied: { status: 403, retry: "no", message: "this client address is not allowed" },
  OriginDenied: { status: 403, retry: "no", message: "this origin is not allowed" },
  ProtocolNotAllowed: { status: 400, retry: "no", message: "none of the offered subprotocols is allowed" },
  Unauthenticated: { status: 401, retry: "no", message: "credentials are missing or not valid" },
  TokenMissing: { status: 401, retry: "no", message: "a token is missing" },
  TokenMalformed: { status: 401, retry: "no", message: "the token is not a signed JSON Web Token" },
  TokenIssuer: { status: 401, retry: "no", message: "the token is from an issuer that is not accepted" },
  TokenSignature: {
    status: 401,
    retry: "no",
    message: "the token is not signed with a key and algorithm of its issuer",
  },
  TokenAudience: { status: 401, retry: "no", message: "the token is for another audience" },
  TokenExpired: { status: 401, retry: "no", message: "the token has expired" },
  TokenNotYetValid: { status: 401, retry: "no", message: "the token is not valid yet" },
  ClaimsInsufficient: { status: 403, retry: "no", message: "the token lacks a claim that this route requires" },
  Revoked: { status: 403, retry: "no", message: "the access of this user or token was revoked" },
  KeysUnavailable: { status: 503, retry: "yes", message: "the keys of the token's issuer cannot be had" },
  AuthorizerDenied: { status: 403, retry: "no", message: "the authoriser refused this client" },
  AuthorizerUnavailable: { status: 503, retry: "yes", message: "the authoriser did not answer" },
  TooManyHandshakes: { status: 503, retry: "yes", message: "the route is at its handshake rate" },
  TooManyHandshakesPerClient: { status: 429, retry: "yes", message: "this client address connects too often" },
  TooManyConnectionsPerUser: { status: 429, retry: "yes", message: "this user has too many connections" },
  TooManyConnections: { status: 503, retry: "yes", message: "the route is at its connection limit" },
  TooManyConnectionsPerClient: { status: 429, retry: "yes", message: "this client address has too many connections" },
  RouteNotResolved: { status: 500, retry: "yes", message: "the route refers to something that does not exist" },
  NoEndpoints: { status: 503, retry: "yes", message: "the backend has no ready endpoint" },
  BackendRefused: { status: 502, retry: "yes", message: "the backend refused the connection" },
  BackendTimeout: { status: 504, retry: "yes", message: "the backend did not answer in time" },
  BackendBadHandshake: { status: 502, retry: "no", message: "the backend's 101 is not valid" },
  BackendRejected: { status: 502, retry: "no", message: "the backend answered the handshake itself" },
  ClientGone: { status: 499, retry: "yes", message: "the client went away before the 101" },
  InternalError: { status: 500, retry: "yes", message: "the gateway failed" },
} as const satisfies Record<string, Code>;

export type RefusalReason = keyof typeof REFUSALS;

/** A handshake that ends here. `message` is for the client; `retryAfter` is in whole seconds. */
export interface Refusal {
  readonly reason: RefusalReason;
  readonly message: string;
  readonly retryAfter?: number;
}

/** A refusal with the table's message, or a more precise one (never with text from the client). */
export function refuse(reason: RefusalReason, message: string = REFUSALS[reason].message): Refusal {
  return { reason, message };
}

/** Who ended an open connection. */
export type Side = "client" | "backend" | "gateway";

interface CloseCode {
  /** Close code on the wire (RFC 6455 §7.4.1, IANA registry); 1005 and 1006 stand for "none sent" and "lost". */
  readonly code: number;
  readonly side: Side;
  readonly retry: Retry;
  readonly message: string;
  /** What the backend of a tunnel is told; 1001 (the client goes away) unless it is at fault itself. */
  readonly backendCode?: number;
}

/** Every way an open connection ends. Where the peers closed by themselves, the code is the one they sent. */
export const CLOSES = {
  ClientClosed: { code: 1000, side: "client", retry: "yes", message: "the client closed" },
  BackendClosed: { code: 1000, side: "backend", retry: "yes", message: "the backend closed" },
  ClientLost: { code: 1006, side: "client", retry: "yes", message: "the client's connection was lost" },
  BackendLost: { code: 1014, side: "backend", retry: "yes", message: "backend lost" },
  BackendLostMidFrame: { code: 1006, side: "backend", retry: "yes", message: "backend lost within a frame" },
  Closed: { code: 1000, side: "gateway", retry: "no", message: "closed by the API", backendCode: 1000 },
  ProtocolError: { code: 1002, side: "client", retry: "no", message: "protocol error" },
  BackendProtocolError: {
    code: 1014,
    side: "backend",
    retry: "yes",
    message: "backend protocol error",
    backendCode: 1002,
  },
  UnsupportedData: { code: 1003, side: "client", retry: "no", message: "this kind of message is not accepted" },
  InvalidPayload: { code: 1007, side: "client", retry: "no", message: "invalid payload" },
  InvalidMessage: { code: 1007, side: "client", retry: "no", message: "invalid message" },
  MessageTooCostly: { code: 1008, side: "client", retry: "no", message: "message too costly" },
  TooManyFragments: { code: 1008, side: "client", retry: "no", message: "too many small fragments" },
  RateExceeded: { code: 1008, side: "client", retry: "yes", message: "rate exceeded" },
  PolicyViolation: { code: 1008, side: "gateway", retry: "no", message: "policy violation" },
  SlowClient: { code: 1008, side: "gateway", retry: "yes", message: "the client does not read fast enough" },
  MessageTooBig: { code: 1009, side: "client", retry: "no", message: "message too big" },
  BackendMessageTooBig: {
    code: 1009,
    side: "backend",
    retry: "no",
    message: "backend message too big",
    backendCode: 1009,
  },
  Draining: { code: 1012, side: "gateway", retry: "yes", message: "service restart" },
  Overloaded: { code: 1013, side: "gateway", retry: "yes", message: "try again later" },
  TokenExpired: { code: 3000, side: "gateway", retry: "yes", message: "token expired" },
  Revoked: { code: 3003, side: "gateway", retry: "no", message: "access revoked" },
  IdleTimeout: { code: 3008, side: "gateway", retry: "yes", message: "idle timeout" },
  KeepAliveTimeout: { code: 3008, side: "client", retry: "yes", message: "no answer to ping" },
  MaxLifetime: { code: 1001, side: "gateway", retry: "yes", message: "maximum lifetime reached" },
  InternalError: { code: 1011, side: "gateway", retry: "yes", message: "internal error" },
} as const satisfies Record<string, CloseCode>;

export type CloseReason = keyof typeof CLOSES;

/** Whether a stage's result is a refusal; the values of the other stages have no `reason`. */
export function isRefusal(value: unknown): value is Refusal {
  return typeof value === "object" && value !== null && "reason" in value && (value.reason as string) in REFUSALS;
}

/** The close code for the backend of a tunnel that ends for `reason`. */
export function codeForBackend(reason: CloseReason): number {
  const close: CloseCode = CLOSES[reason];
  return close.backendCode ?? 1001;
}
