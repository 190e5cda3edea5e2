// An inspected connection between two real TCP connections, with a raw peer at each end.
import { Inspector } from "../../gateway/inspect/inspector.ts";
import { type InspectedOptions, openInspected } from "../../gateway/inspect/session.ts";
import type { Session } from "../../gateway/session.ts";
import { compileMessagePolicy, type MessageRules } from "../../policy/messages.ts";
import { openRig, type Rig } from "./tunnel-rig.ts";

export interface InspectedRigOptions extends Partial<Omit<InspectedOptions, "inspector">> {
  readonly rules?: Partial<MessageRules>;
}

/** Rules under which everything passes, but only after it has been read. */
const READ_ALL = { allow: ["true"], transform: { toClient: "text" } };

export async function openInspectedRig({ rules = READ_ALL, ...options }: InspectedRigOptions = {}): Promise<Rig> {
  const compiled = compileMessagePolicy({ accept: ["Text", "Binary"], allow: [], transform: {}, ...rules });
  if ("problems" in compiled) throw new Error(JSON.stringify(compiled.problems));
  const { policy } = compiled;
  const surroundings = { claims: {}, route: {}, connection: {}, client: {} };
  return openRig(options, undefined, (tunnel): Session => {
    const { maxMessageSize } = tunnel.limits;
    const own = { rules: { onInvalid: "Close", mode: "Enforce" } as const, onFinding: () => {}, onReply: () => {} };
    const inspector = new Inspector({ policy, maxMessageSize, surroundings, ...own });
    return openInspected({ ...tunnel, deflate: { client: false, backend: false }, ...options, inspector });
  });
}
