/** The block of a route that has its messages read: what they have to be, and what is sent on in their place. */
import { z } from "zod";
import { DEFAULTS } from "./defaults.ts";
import { dataKey, objectName } from "./fields.ts";
import { atLeastOneOf, exactlyOneOf, type Rule, setList, withRules } from "./rules.ts";

const expression = (): z.ZodString => z.string().min(1).max(4096);

const VARIABLES =
  "CEL knows message (the parsed JSON of a text message, else its text), text, claims, route, connection.id and client.ip.";

const KeyRef = z.strictObject({
  name: objectName().describe("Name of the ConfigMap, in the route's namespace."),
  key: dataKey().describe("Key in its data."),
});

interface MessagesValue {
  readonly accept?: readonly string[] | undefined;
  readonly schema?: object | undefined;
  readonly allow?: readonly string[] | undefined;
  readonly transform?: { readonly fromClient?: string | undefined } | undefined;
  readonly onInvalid?: string | undefined;
  readonly reply?: string | undefined;
}

/** Otherwise a binary message would get past them unread. */
const textOnly: Rule<MessagesValue> = {
  cel: "!has(self.accept) || !self.accept.exists(kind, kind == 'Binary') || !(has(self.schema) || has(self.allow) || (has(self.transform) && has(self.transform.fromClient)))",
  message: "schema, allow and transform.fromClient read text messages: accept must not name Binary beside them",
  holds: ({ accept, schema, allow, transform }) =>
    !accept?.includes("Binary") || (schema === undefined && allow === undefined && transform?.fromClient === undefined),
};

const replyToReply: Rule<MessagesValue> = {
  cel: "has(self.reply) == (has(self.onInvalid) && self.onInvalid == 'Reply')",
  message: "reply is needed for onInvalid Reply, and for nothing else",
  holds: ({ onInvalid, reply }) => (reply !== undefined) === (onInvalid === "Reply"),
};

export const Messages = withRules(
  z.strictObject({
    accept: setList(
      z
        .array(z.enum(["Text", "Binary"]))
        .min(1)
        .max(2),
    )
      .describe(
        "Kinds of messages that clients may send; another one closes with 1003. Where omitted Text alone beside schema, allow or transform.fromClient, and both else.",
      )
      .optional(),
    schema: withRules(
      z.strictObject({
        configMapRef: KeyRef.describe("The schema stands in a ConfigMap.").optional(),
        inline: z.string().min(2).max(65536).describe("The schema itself, as JSON text.").optional(),
      }),
      exactlyOneOf("configMapRef", "inline"),
    )
      .describe(
        "JSON Schema (2020-12) that every message from a client must satisfy. No recursive $ref, patterns are RE2.",
      )
      .optional(),
    allow: z
      .array(expression())
      .min(1)
      .max(16)
      .describe(`CEL expressions that must all be true for a message from a client. ${VARIABLES}`)
      .optional(),
    transform: withRules(
      z.strictObject({
        fromClient: expression().describe("CEL expression for text messages from the client.").optional(),
        toClient: expression().describe("CEL expression for text messages to the client.").optional(),
      }),
      atLeastOneOf("fromClient", "toClient"),
    )
      .describe(
        `CEL expressions whose value is sent on instead of the message: a string as it is, anything else as JSON. ${VARIABLES}`,
      )
      .optional(),
    onInvalid: z
      .enum(["Close", "Drop", "Report", "Reply"])
      .describe(
        `What happens to a message from a client that is not accepted: Close (1007), Drop it, only Report it, or Drop it and send a Reply. ${DEFAULTS.messages.onInvalid} where omitted.`,
      )
      .optional(),
    reply: expression()
      .describe(
        "CEL expression for what a client is sent whose message was refused; it knows error.path and error.message too.",
      )
      .optional(),
    mode: z
      .enum(["Enforce", "Report"])
      .describe(
        `Report lets everything through and counts and logs what Enforce would not. ${DEFAULTS.messages.mode} where omitted.`,
      )
      .optional(),
  }),
  textOnly,
  replyToReply,
).describe(
  "Policies that read the messages. Such a route is inspected: its messages are decoded, and have at most 1Mi.",
);
