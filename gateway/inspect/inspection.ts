/** Inspected routes in the pipeline: their policies compiled once, and each connection's inspector with what it tells. */
import type { Compilation, MessagePolicy, Problem } from "../../policy/messages.ts";
import type { Facts } from "../live/live.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { type Refusal, refuse } from "../refusals.ts";
import type { Session } from "../session.ts";
import type { Route } from "../snapshot.ts";
import { textFrame } from "../tunnel/frames.ts";
import { type Finding, Inspector } from "./inspector.ts";
import { Policies } from "./policies.ts";

export interface InspectionTools {
  readonly metrics: Pick<Metrics, "messageRefused" | "policyReport">;
  readonly log: Log;
}

export type InspectedConnection = Pick<Facts, "route" | "routeName" | "connectionId" | "caller" | "principal">;

export type Policy = MessagePolicy | Refusal | undefined;

function policyIn(compilation: Compilation): Policy {
  return "problems" in compilation ? refuse("RouteNotResolved") : compilation.policy;
}

export class Inspections {
  readonly #tools: InspectionTools;
  readonly #policies = new Policies();

  constructor(tools: InspectionTools) {
    this.#tools = tools;
  }

  /**
   * The policy of a route that reads messages; undefined where it does not. The first connection has to wait for it. Rules that cannot
   * be compiled are a refusal: the operator refuses them too, so it and this gateway are of different releases.
   */
  policyOf({ messages, namespace, name }: Route): Policy | { readonly pending: Promise<Policy> } {
    if (messages === undefined) return undefined;
    const known = this.#policies.known(messages);
    if (known !== undefined) return policyIn(known);
    const compiled = this.#policies.compile(messages).then((compilation) => {
      if ("problems" in compilation) this.#tellProblems(`${namespace}/${name}`, compilation.problems);
      return policyIn(compilation);
    });
    return { pending: compiled };
  }

  #tellProblems(route: string, problems: readonly Problem[]): void {
    this.#tools.log.error({ event: "message", route, problems }, "messages cannot be compiled");
  }

  /** @param push - sends a frame to the client; not called before the session is open */
  inspector(connection: InspectedConnection, policy: MessagePolicy, push: Session["push"]): Inspector {
    const { route, connectionId, caller, principal } = connection;
    const told = new Set<string>();
    return new Inspector({
      policy,
      rules: route.messages ?? { onInvalid: "Close", mode: "Enforce" },
      maxMessageSize: route.limits.maxMessageSize,
      surroundings: {
        claims: principal.claims,
        route: { namespace: route.namespace, name: route.name },
        connection: { id: connectionId },
        client: { ip: caller.clientIP },
      },
      onFinding: (finding) => this.#tell(connection, finding, told),
      onReply: (text) => void push(textFrame(text)),
    });
  }

  /** Counts each, and logs the first of its kind on a connection. The path is the client's own text, so it is not a label. */
  #tell({ routeName, connectionId }: InspectedConnection, finding: Finding, told: Set<string>): void {
    const { metrics, log } = this.#tools;
    const { direction, reason, action } = finding;
    metrics.messageRefused({ route: routeName, direction, reason, action });
    if (action === "reported") metrics.policyReport({ route: routeName, policy: "messages", reason });
    const kind = `${direction} ${reason} ${action}`;
    if (told.has(kind)) return;
    told.add(kind);
    log.info({ event: "message", route: routeName, connectionId, ...finding }, "a message was refused by policy");
  }
}
