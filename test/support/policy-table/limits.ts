/** Rows about how much clients may use. */
import type { Extra, Section } from "./row.ts";

const KEYS = "authentication: {apiKeys: {secretRef: {name: chat-keys}}}";
const KEY = { "X-Api-Key": "<api-key>" };

function report(policy: string, reason: string): Extra {
  return {
    metric: "holdfast_policy_reports_total",
    labels: { policy, reason },
    log: { event: "report", policy, reason },
  };
}

const limited = (policy: string, action: "dropped" | "throttled"): Extra => ({
  metric: "holdfast_messages_limited_total",
  labels: { policy, action },
});

const CONNECTIONS: Section = {
  title: "Connections and handshakes",
  rows: [
    {
      name: "total",
      spec: "limits: {connections: {total: 2}}",
      client: { does: "is the third", earlier: 2 },
      end: { status: 503, reason: "TooManyConnections", headers: { "retry-after": /^\d+$/ } },
    },
    {
      name: "per-address",
      spec: "limits: {connections: {perClientIP: 1}}",
      client: { does: "is the second from its address", earlier: 1 },
      end: { status: 429, reason: "TooManyConnectionsPerClient", headers: { "retry-after": /^\d+$/ } },
    },
    {
      name: "per-user",
      spec: `${KEYS}\nlimits: {connections: {perUser: 1}}`,
      client: { does: "is the second of its user", earlier: 1, headers: KEY },
      end: { status: 429, reason: "TooManyConnectionsPerUser", headers: { "retry-after": /^\d+$/ } },
    },
    {
      name: "total-of-the-fleet",
      spec: "limits: {connections: {total: 1, scope: Fleet}}",
      client: { does: "is the second, by what Redis says", earlier: 1 },
      end: { status: 503, reason: "TooManyConnections" },
    },
    {
      name: "total-report",
      spec: "limits: {connections: {total: 1, mode: Report}}",
      client: { does: "is the second where the limit only reports", earlier: 1 },
      end: { open: "stays" },
      extra: report("limits.connections", "TooManyConnections"),
    },
    {
      name: "handshakes",
      spec: "limits: {handshakes: {total: {rate: 1, interval: 1h}}}",
      client: { does: "is the second in the interval", earlier: 1 },
      end: { status: 503, reason: "TooManyHandshakes", headers: { "retry-after": /^\d+$/ } },
    },
    {
      name: "handshakes-per-address",
      spec: "limits: {handshakes: {perClientIP: {rate: 1, interval: 1h}}}",
      client: { does: "is the second from its address", earlier: 1 },
      end: { status: 429, reason: "TooManyHandshakesPerClient", headers: { "retry-after": /^\d+$/ } },
    },
    {
      name: "handshakes-report",
      spec: "limits: {handshakes: {total: {rate: 1, interval: 1h}, mode: Report}}",
      client: { does: "is the second where the limit only reports", earlier: 1 },
      end: { open: "stays" },
      extra: report("limits.handshakes", "TooManyHandshakes"),
    },
  ],
};

const twice = (text: string) => [{ send: text }, { send: text }];

const TRAFFIC: Section = {
  title: "Messages and bytes",
  rows: [
    {
      name: "messages",
      spec: "limits: {messages: {perConnection: {rate: 1, interval: 1h}}}",
      client: { does: "sends a second message", steps: twice("hello") },
      end: { code: 1008, reason: "RateExceeded", side: "client" },
    },
    {
      name: "messages-dropped",
      spec: "limits: {messages: {perConnection: {rate: 1, interval: 1h}, onExceeded: Drop}}",
      client: { does: "sends a second message", steps: [{ send: "one" }, { gets: "one" }, { send: "two" }] },
      end: { open: "stays" },
      extra: limited("limits.messages.perConnection", "dropped"),
    },
    {
      name: "messages-throttled",
      spec: "limits: {messages: {perConnection: {rate: 1, interval: 500ms}, onExceeded: Throttle}}",
      client: {
        does: "sends two messages at once; both arrive",
        steps: [...twice("go"), { gets: "go" }, { gets: "go" }],
      },
      end: { open: "stays" },
      extra: limited("limits.messages.perConnection", "throttled"),
    },
    {
      name: "messages-reported",
      spec: "limits: {messages: {perConnection: {rate: 1, interval: 1h}, onExceeded: Report}}",
      client: { does: "sends two messages; both arrive", steps: [...twice("go"), { gets: "go" }, { gets: "go" }] },
      end: { open: "stays" },
      extra: report("limits.messages.perConnection", "RateExceeded"),
    },
    {
      name: "messages-per-user",
      spec: `${KEYS}\nlimits: {messages: {perUser: {rate: 1, interval: 1h}}}`,
      client: { does: "sends a second message of its user", headers: KEY, steps: twice("hello") },
      end: { code: 1008, reason: "RateExceeded", side: "client" },
    },
    {
      name: "bytes",
      spec: "limits: {bytes: {perConnection: {rate: 8, interval: 1h}}}",
      client: { does: "sends more bytes than the burst", steps: [{ send: "nine bytes" }] },
      end: { code: 1008, reason: "RateExceeded", side: "client" },
    },
    {
      name: "too-big",
      spec: "limits: {maxMessageSize: 16}",
      client: { does: "sends a message that is too big", steps: [{ send: "more than sixteen bytes" }] },
      end: { code: 1009, reason: "MessageTooBig", side: "client" },
    },
    {
      name: "backend-too-big",
      spec: "limits: {maxMessageSize: 16}",
      client: { does: "is sent a message that is too big", steps: [{ send: "size 17" }] },
      end: { code: 1009, reason: "BackendMessageTooBig", side: "backend" },
    },
    {
      name: "fragments",
      spec: "{}",
      client: {
        does: "sends a message in thousands of tiny fragments",
        steps: [{ raw: `0181${"00".repeat(5)}${`0081${"00".repeat(5)}`.repeat(2000)}` }],
      },
      end: { code: 1008, reason: "TooManyFragments", side: "client" },
    },
    {
      name: "slow-client",
      spec: "limits: {maxQueuedBytes: 64Ki, onSlowClient: Close}",
      client: { does: "asks for much and does not read it", steps: [{ send: "flood" }, { stops: "reading" }] },
      end: { code: 1006, reason: "SlowClient", side: "gateway" },
    },
  ],
};

export const LIMITS: readonly Section[] = [CONNECTIONS, TRAFFIC];
