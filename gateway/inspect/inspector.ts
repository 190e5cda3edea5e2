/** What becomes of the messages of one connection: the route's policy asked, what it refuses dealt with as the route says, told and counted. */
import type { MessageError, MessagePolicy, MessageReason, Outcome, Surroundings } from "../../policy/messages.ts";
import type { Route } from "../snapshot.ts";
import type { Violation } from "../tunnel/frames.ts";

export type MessageRules = NonNullable<Route["messages"]>;
type Kind = "text" | "binary";

/** What was done with a message that the policy refuses. */
export type Action = "closed" | "dropped" | "reported" | "replied";

export interface Finding {
  readonly direction: "from_client" | "to_client";
  readonly reason: MessageReason;
  /** JSON pointer to what is wrong; empty for all of the message. */
  readonly path: string;
  readonly action: Action;
}

/** The text goes on where there is one, in place of what came; else the message as it came, nothing, or the connection ends. */
export type Decision = { readonly text: string } | "pass" | "drop" | { readonly violation: Violation };

export interface InspectorOptions {
  readonly policy: MessagePolicy;
  readonly rules: Pick<MessageRules, "onInvalid" | "mode">;
  /** Bytes that a transformed message may have. */
  readonly maxMessageSize: number;
  readonly surroundings: Surroundings;
  onFinding(finding: Finding): void;
  /** Sends a text message to the client. */
  onReply(text: string): void;
}

const VIOLATIONS: Partial<Record<MessageReason, Violation>> = {
  Kind: "UnsupportedData",
  TooCostly: "MessageTooCostly",
};

export class Inspector {
  readonly #options: InspectorOptions;

  constructor(options: InspectorOptions) {
    this.#options = options;
  }

  /** Whether the text of a message has to be known to decide about it. */
  readsFromClient(): boolean {
    return this.#options.policy.readsFromClient;
  }

  readsToClient(): boolean {
    return this.#options.policy.readsToClient;
  }

  /** Units of work that the last message cost. */
  get cost(): number {
    return this.#options.policy.cost;
  }

  /** @param text - of a text message that has to be read; else empty */
  fromClient(kind: Kind, text: string): Decision {
    const { policy, surroundings } = this.#options;
    if (!policy.accepts[kind])
      return this.#refuse({ reason: "Kind", path: "", message: `${kind} messages are not accepted` });
    if (!policy.readsFromClient) return "pass";
    const outcome = this.#bounded(policy.fromClient(text, surroundings));
    if ("error" in outcome) return this.#refuse(outcome.error);
    return outcome.text === text ? "pass" : outcome;
  }

  /** A backend's message that cannot be transformed is left out: the client is not to see it as it is, and is not at fault. */
  toClient(kind: Kind, text: string): Decision {
    const { policy, surroundings, onFinding } = this.#options;
    if (kind === "binary" || !policy.readsToClient) return "pass";
    const outcome = this.#bounded(policy.toClient(text, surroundings));
    if ("error" in outcome) {
      const { reason, path } = outcome.error;
      onFinding({ direction: "to_client", reason, path, action: "dropped" });
      return "drop";
    }
    return outcome.text === text ? "pass" : outcome;
  }

  #bounded(outcome: Outcome): Outcome {
    if ("error" in outcome || Buffer.byteLength(outcome.text) <= this.#options.maxMessageSize) return outcome;
    return { error: { reason: "Transform", path: "", message: "the transformed message is too big" } };
  }

  #refuse(error: MessageError): Decision {
    const { reason, path } = error;
    const action = this.#actionOn(reason);
    this.#options.onFinding({ direction: "from_client", reason, path, action });
    if (action === "reported") return "pass";
    if (action === "closed") return { violation: VIOLATIONS[reason] ?? "InvalidMessage" };
    if (action === "replied") this.#reply(error);
    return "drop";
  }

  /** Whoever sends what costs too much is not let send it again. */
  #actionOn(reason: MessageReason): Action {
    const { onInvalid, mode } = this.#options.rules;
    if (mode === "Report" || onInvalid === "Report") return "reported";
    if (onInvalid === "Close" || reason === "TooCostly") return "closed";
    return onInvalid === "Drop" ? "dropped" : "replied";
  }

  #reply(error: MessageError): void {
    const { policy, surroundings, onReply } = this.#options;
    const text = policy.reply(error, surroundings);
    if (text !== undefined) onReply(text);
  }
}
