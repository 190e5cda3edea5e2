/** The policy blocks that a route and a gateway's `defaults` share. */
import { z } from "zod";
import { Authentication } from "./authentication.ts";
import { DEFAULTS } from "./defaults.ts";
import { celUnlessMalformed, cidr, duration, origin, patterned, token } from "./fields.ts";
import { Limits } from "./limits.ts";
import { Messages } from "./messages.ts";
import { durationOrNaN } from "./primitives.ts";
import { RequestHeaders } from "./routing.ts";
import { atLeastOneOf, type Rule, setList, withRules } from "./rules.ts";

const ClientIPs = z
  .strictObject({
    allow: setList(z.array(cidr()).max(256)).describe("Only these may connect; everyone where omitted.").optional(),
    deny: setList(z.array(cidr()).max(256)).describe("These may not connect, even where allowed.").optional(),
  })
  .describe("Client addresses that may connect, in CIDR notation.");

const Timeouts = z
  .strictObject({
    handshake: duration({ min: "100ms", max: "10m" })
      .describe(`From the accepted request to the 101. ${DEFAULTS.timeouts.handshake} where omitted.`)
      .optional(),
    connect: duration({ min: "10ms", max: "10m" })
      .describe(`To open a TCP connection to a backend. ${DEFAULTS.timeouts.connect} where omitted.`)
      .optional(),
    idle: duration({ min: "1s", max: "720h", off: "to turn it off" })
      .describe(`Without a message in either direction; closes with 3008. ${DEFAULTS.timeouts.idle} where omitted.`)
      .optional(),
    maxLifetime: duration({ min: "1s", max: "8760h", off: "to turn it off" })
      .describe(`Of a connection; closes with 1001. ${DEFAULTS.timeouts.maxLifetime} (off) where omitted.`)
      .optional(),
  })
  .describe("How long things may take, as durations such as 500ms, 30s or 1h30m.");

interface KeepAliveValue {
  readonly interval?: string | undefined;
  readonly timeout?: string | undefined;
}
const { interval: defaultInterval, timeout: defaultTimeout } = DEFAULTS.keepAlive;
const celOr = (field: string, fallback: string): string =>
  `duration(has(self.${field}) ? self.${field} : '${fallback}')`;

const timeoutBelowInterval: Rule<KeepAliveValue> = {
  cel: celUnlessMalformed(
    ["interval", "timeout"],
    `${celOr("interval", defaultInterval)} == duration('0s') || ${celOr("timeout", defaultTimeout)} < ${celOr("interval", defaultInterval)}`,
  ),
  message: `timeout (${defaultTimeout} where omitted) must be shorter than interval (${defaultInterval} where omitted)`,
  holds: ({ interval = defaultInterval, timeout = defaultTimeout }) =>
    durationOrNaN(interval) === 0 || !(durationOrNaN(timeout) >= durationOrNaN(interval)),
};

const KeepAlive = withRules(
  z.strictObject({
    interval: duration({ min: "1s", max: "24h", off: "to turn it off" })
      .describe(`Between pings to the client. ${defaultInterval} where omitted.`)
      .optional(),
    timeout: duration({ min: "100ms", max: "1h" })
      .describe(`For the answer to a ping before the client counts as gone. ${defaultTimeout} where omitted.`)
      .optional(),
  }),
  timeoutBelowInterval,
).describe("Pings that find clients which vanished without a word.");

const NAMED_KEYS = ["Header", "QueryParam", "Cookie", "Claim"] as const;

const HashKey = withRules(
  z.strictObject({
    type: z
      .enum(["ConnectionID", "ClientIP", ...NAMED_KEYS])
      .describe("What is hashed. ConnectionID survives reconnects, also from another address."),
    name: z.string().min(1).max(256).describe("Name of the header, query parameter, cookie or claim.").optional(),
  }),
  {
    cel: "self.type in ['Header', 'QueryParam', 'Cookie', 'Claim'] ? has(self.name) : !has(self.name)",
    message: "name is needed for Header, QueryParam, Cookie and Claim, and for nothing else",
    holds: (key) => NAMED_KEYS.some((type) => type === key.type) === (key.name !== undefined),
  },
);

const LoadBalancing = withRules(
  z.strictObject({
    type: z
      .enum(["ConsistentHash", "LeastConnections", "RoundRobin", "Random"])
      .describe(`How an endpoint is chosen. ${DEFAULTS.loadBalancing.type} where omitted.`)
      .optional(),
    consistentHash: z
      .strictObject({
        key: HashKey.describe(`What is hashed. ${DEFAULTS.loadBalancing.key.type} where omitted.`).optional(),
        maxLoad: z
          .int()
          .min(100)
          .max(1000)
          .describe(
            `Percent of the mean load that an endpoint may carry before its keys overflow to the next one. ${DEFAULTS.loadBalancing.maxLoad} where omitted.`,
          )
          .optional(),
      })
      .describe("Of type ConsistentHash: one key stays with one endpoint.")
      .optional(),
  }),
  {
    cel: "!has(self.consistentHash) || !has(self.type) || self.type == 'ConsistentHash'",
    message: "consistentHash belongs to type ConsistentHash only",
    holds: (value) => value.consistentHash === undefined || value.type === undefined || value.type === "ConsistentHash",
  },
).describe("How connections are spread over the ready endpoints of the backends.");

interface ActiveValue {
  readonly interval: string;
  readonly timeout: string;
}
const probeFitsInterval: Rule<ActiveValue> = {
  cel: celUnlessMalformed(["interval", "timeout"], "duration(self.timeout) <= duration(self.interval)"),
  message: "timeout must not be longer than interval",
  holds: ({ interval, timeout }) => !(durationOrNaN(timeout) > durationOrNaN(interval)),
};

const Passive = z.strictObject({
  consecutiveFailures: z.int().min(1).max(1000).describe("Failed dials in a row that eject an endpoint."),
  ejectFor: duration({ min: "1s", max: "1h" }).describe("How long it gets no new connections."),
});

const Active = withRules(
  z.strictObject({
    path: patterned({
      pattern: /^\/[^\s#]*$/,
      max: 1024,
      message: "must be a path that starts with /, without #",
    }).describe("Path of the HTTP request; 2xx is healthy."),
    interval: duration({ min: "1s", max: "1h" }).default("10s").describe("Between two requests to an endpoint."),
    timeout: duration({ min: "100ms", max: "1m" }).default("2s").describe("For the answer."),
  }),
  probeFitsInterval,
);

const Health = withRules(
  z.strictObject({
    passive: Passive.describe("Learn from failed dials.").optional(),
    active: Active.describe("Ask the endpoints.").optional(),
  }),
  atLeastOneOf("passive", "active"),
).describe("Which endpoints get new connections, beyond their readiness in Kubernetes.");

export const policyFields = {
  requestHeaders: RequestHeaders.optional(),
  authentication: Authentication.optional(),
  origins: setList(z.array(origin()).min(1).max(64))
    .describe("Origins (of web pages) that may connect, exact or with one leading wildcard; any where omitted.")
    .optional(),
  clientIPs: ClientIPs.optional(),
  limits: Limits.optional(),
  timeouts: Timeouts.optional(),
  keepAlive: KeepAlive.optional(),
  loadBalancing: LoadBalancing.optional(),
  health: Health.optional(),
  messages: Messages.optional(),
  onChange: z
    .enum(["Keep", "Apply", "Close"])
    .describe(
      `What a change of the route means for open connections: Keep their policies, Apply the new ones, or Close (paced). ${DEFAULTS.onChange} where omitted.`,
    )
    .optional(),
} as const;

export const protocols = z
  .array(token())
  .min(1)
  .max(32)
  .describe("Sec-WebSocket-Protocol values that may be negotiated, in order of preference; any where omitted.");
