/** Rows about what messages have to be, on routes that read them. */
import type { Extra, Section } from "./row.ts";

const SCHEMA = `schema: {inline: '{"type": "object", "required": ["type"], "properties": {"to": {"type": "string"}}}'}`;

const refused = (reason: string, action: "closed" | "dropped" | "replied"): Extra => ({
  metric: "holdfast_messages_refused_total",
  labels: { direction: "from_client", reason, action },
  log: { event: "message", reason, action },
});

const reported: Extra = {
  metric: "holdfast_policy_reports_total",
  labels: { policy: "messages", reason: "Schema" },
  log: { event: "message", reason: "Schema", action: "reported" },
};

export const MESSAGES: readonly Section[] = [
  {
    title: "What messages are",
    rows: [
      {
        name: "schema",
        spec: `messages: {${SCHEMA}}`,
        client: {
          does: "sends a message that satisfies the schema",
          steps: [{ send: '{"type":"say"}' }, { gets: '{"type":"say"}' }],
        },
        end: { open: "stays" },
      },
      {
        name: "schema-closes",
        spec: `messages: {${SCHEMA}}`,
        client: { does: "sends one that does not", steps: [{ send: '{"type":"say","to":1}' }] },
        end: { code: 1007, reason: "InvalidMessage", side: "client" },
        extra: refused("Schema", "closed"),
      },
      {
        name: "not-json",
        spec: `messages: {${SCHEMA}}`,
        client: { does: "sends text that is no JSON", steps: [{ send: "hello" }] },
        end: { code: 1007, reason: "InvalidMessage", side: "client" },
        extra: refused("NotJson", "closed"),
      },
      {
        name: "schema-drops",
        spec: `messages: {${SCHEMA}, onInvalid: Drop}`,
        client: {
          does: "sends one that does not and one that does; the latter arrives",
          steps: [{ send: "[]" }, { send: '{"type":"say"}' }, { gets: '{"type":"say"}' }],
        },
        end: { open: "stays" },
        extra: refused("Schema", "dropped"),
      },
      {
        name: "schema-replies",
        spec: `messages: {${SCHEMA}, onInvalid: Reply, reply: '{"error": error.path}'}`,
        client: {
          does: "sends one that does not, and is told",
          steps: [{ send: '{"type":"say","to":1}' }, { gets: '{"error":"/to"}' }],
        },
        end: { open: "stays" },
        extra: refused("Schema", "replied"),
      },
      {
        name: "schema-reports",
        spec: `messages: {${SCHEMA}, mode: Report}`,
        client: { does: "sends one that does not; it arrives", steps: [{ send: "[1]" }, { gets: "[1]" }] },
        end: { open: "stays" },
        extra: reported,
      },
      {
        name: "kind",
        spec: "messages: {accept: [Text]}",
        client: { does: "sends a binary message", steps: [{ raw: "82810000000001" }] },
        end: { code: 1003, reason: "UnsupportedData", side: "client" },
        extra: refused("Kind", "closed"),
      },
      {
        name: "allow",
        spec: `messages: {allow: ['message.room != "staff"']}`,
        client: { does: "sends a message that the expression refuses", steps: [{ send: '{"room":"staff"}' }] },
        end: { code: 1007, reason: "InvalidMessage", side: "client" },
        extra: refused("NotAllowed", "closed"),
      },
      {
        name: "transform",
        spec: `messages: {transform: {fromClient: '{"body": message.text, "route": route.name}', toClient: '{"echo": message}'}}`,
        client: {
          does: "sends a message, which is changed in both directions",
          steps: [{ send: '{"text":"hi"}' }, { gets: '{"echo":{"body":"hi","route":"transform"}}' }],
        },
        end: { open: "stays" },
      },
      {
        name: "costly",
        spec: "messages: {allow: ['message.all(a, message.all(b, a == b))']}",
        client: {
          does: "sends a message that takes too long to look at",
          steps: [{ send: `[${Array.from({ length: 5_000 }, () => 1)}]` }],
        },
        end: { code: 1008, reason: "MessageTooCostly", side: "client" },
        extra: refused("TooCostly", "closed"),
      },
      {
        name: "bad-text",
        spec: "messages: {accept: [Text]}",
        client: { does: "sends text that is not UTF-8", steps: [{ raw: "818100000000ff" }] },
        end: { code: 1007, reason: "InvalidPayload", side: "client" },
      },
      {
        name: "hostile-expression",
        spec: "messages: {allow: ['text.matches(message.pattern)']}",
        status: { type: "Accepted", reason: "Invalid", says: "spec.messages.allow[0]" },
        client: { does: "connects" },
        end: { status: 404, reason: "NoRoute" },
        routed: "no",
      },
      {
        name: "hostile-schema",
        spec: `messages: {schema: {inline: '{"properties": {"a": {"$ref": "#"}}}'}}`,
        status: { type: "Accepted", reason: "Invalid", says: "spec.messages.schema.inline" },
        client: { does: "connects" },
        end: { status: 404, reason: "NoRoute" },
        routed: "no",
      },
      {
        name: "no-schema",
        spec: "messages: {schema: {configMapRef: {name: schemas, key: message.json}}}",
        status: { type: "ResolvedRefs", reason: "ConfigMapNotFound", says: "ConfigMap apps/schemas does not exist" },
        client: { does: "connects" },
        end: { status: 500, reason: "RouteNotResolved" },
      },
    ],
  },
];
