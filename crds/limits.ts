/** The `limits` block: bounds on what clients may use. */
import { z } from "zod";
import { DEFAULTS } from "./defaults.ts";
import { duration, size } from "./fields.ts";
import { type Rule, withRules } from "./rules.ts";

const positive = (): z.ZodInt => z.int().min(1).max(1_000_000_000);
const interval = (): z.ZodDefault<z.ZodString> =>
  duration({ min: "100ms", max: "1h" }).default("1s").describe("The interval of the rate.");

const EventRate = z.strictObject({
  rate: positive().describe("How many are let through in one interval, in the long run."),
  interval: interval(),
  burst: positive().describe("How many may come at once; the rate where omitted.").optional(),
});

/** With the longest interval, more could not be counted exactly. */
const byteCount = (): ReturnType<typeof size> => size({ min: "1", max: "1Gi" });

const ByteRate = z.strictObject({
  rate: byteCount().describe("Bytes that are let through in one interval, in the long run."),
  interval: interval(),
  burst: byteCount().describe("Bytes that may come at once; the rate where omitted.").optional(),
});

const mode = () =>
  z
    .enum(["Enforce", "Report"])
    .describe("Report: what exceeds the limits is counted and logged, and not refused. Enforce where omitted.")
    .optional();
const scope = () =>
  z
    .enum(["Pod", "Fleet"])
    .describe(
      "Pod: each gateway pod counts by itself. Fleet: all pods count together in the gateway's Redis; without it, each by itself. Pod where omitted.",
    )
    .optional();

const Connections = z.strictObject({
  total: positive().describe("Open connections of this route.").optional(),
  perClientIP: positive().describe("Open connections from one client address.").optional(),
  perUser: positive()
    .describe("Open connections of one authenticated user: the API key, or the token's sub.")
    .optional(),
  scope: scope(),
  mode: mode(),
});

const Handshakes = z.strictObject({
  total: EventRate.describe("Handshakes of this route, refused or not; what is over is answered 503.").optional(),
  perClientIP: EventRate.describe("Handshakes from one client address; what is over is answered 429.").optional(),
  scope: scope(),
  mode: mode(),
});

interface TrafficValue {
  readonly perUser?: unknown;
  readonly scope?: string | undefined;
}
const fleetIsAboutUsers: Rule<TrafficValue> = {
  cel: "!has(self.scope) || self.scope == 'Pod' || has(self.perUser)",
  message: "scope Fleet needs perUser: one connection is on one pod",
  holds: ({ scope, perUser }) => scope !== "Fleet" || perUser !== undefined,
};

const onExceeded = () =>
  z
    .enum(["Close", "Drop", "Throttle", "Report"])
    .describe(
      `Close (1008), Drop the whole message, Throttle (stop reading until it fits), or only Report. ${DEFAULTS.onExceeded} where omitted.`,
    )
    .optional();

const Messages = withRules(
  z.strictObject({
    perConnection: EventRate.describe("Messages from one client.").optional(),
    perUser: EventRate.describe("Messages from all connections of one authenticated user.").optional(),
    onExceeded: onExceeded(),
    scope: scope(),
    mode: mode(),
  }),
  fleetIsAboutUsers,
);

const Bytes = withRules(
  z.strictObject({
    perConnection: ByteRate.describe("Bytes from one client.").optional(),
    perUser: ByteRate.describe("Bytes from all connections of one authenticated user.").optional(),
    onExceeded: onExceeded(),
    scope: scope(),
    mode: mode(),
  }),
  fleetIsAboutUsers,
);

export const Limits = z
  .strictObject({
    connections: Connections.describe(
      "Open connections; what is over is refused with 503, or 429 for one address or user, and Retry-After.",
    ).optional(),
    handshakes: Handshakes.describe(
      "Rates of handshakes, counted before credentials are looked at; what is over is refused with Retry-After.",
    ).optional(),
    messages: Messages.describe(
      "Rates of messages from clients; pings and other control frames do not count.",
    ).optional(),
    bytes: Bytes.describe("Rates of bytes from clients: payload of messages as it is on the wire.").optional(),
    maxMessageSize: size({ min: "1", max: "1Gi" })
      .describe(
        `Largest message in either direction, in bytes; a larger one closes with 1009. ${DEFAULTS.limits.maxMessageSize} where omitted.`,
      )
      .optional(),
    maxQueuedBytes: size({ min: "4Ki", max: "1Gi" })
      .describe(`Bytes that may wait for a client that does not read. ${DEFAULTS.limits.maxQueuedBytes} where omitted.`)
      .optional(),
    onSlowClient: z
      .enum(["Close", "DropOldest", "Pause"])
      .describe(
        `What happens at maxQueuedBytes: Close (1008), DropOldest (hub messages), or Pause (stop reading the backend). ${DEFAULTS.onSlowClient.backends} with backendRefs and ${DEFAULTS.onSlowClient.hub} without where omitted.`,
      )
      .optional(),
  })
  .describe("Bounds on what clients may use.");
