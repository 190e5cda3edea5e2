/** WebSocketRoute: one WebSocket endpoint, its policies, and where it leads. */
import { z } from "zod";
import { hostname, label, patterned } from "./fields.ts";
import type { API_VERSION, KINDS } from "./kinds.ts";
import type { ObjectMeta } from "./object-meta.ts";
import { policyFields, protocols } from "./policies.ts";
import { backendRefs, matches, ParentRef, Rewrite } from "./routing.ts";
import { noneAlike, type Rule, setList, withRules } from "./rules.ts";
import { conditions, pods } from "./status.ts";

const Hub = z
  .strictObject({
    name: patterned({
      pattern: /^[A-Za-z0-9][-A-Za-z0-9_.]*$/,
      max: 128,
      message: "must start with a letter or digit and hold letters, digits, -, _ and . only",
    })
      .describe("Name of the hub in the API's URLs; routes with the same name share it. The route's name if omitted.")
      .optional(),
    groups: setList(
      z
        .array(
          patterned({
            pattern: /^[^\p{Cc}]+$/u,
            max: 128,
            message: "must not contain control characters",
          }),
        )
        .max(64),
    )
      .describe("Groups that plain WebSocket clients join when they connect.")
      .optional(),
  })
  .describe("Holdfast itself is the WebSocket server: clients receive what the API sends to groups.");

const specFields = z.strictObject({
  parentRefs: withRules(
    z.array(ParentRef).min(1).max(16),
    noneAlike<ParentRef>("must name each parent once", ["name", "namespace", "sectionName", "port"]),
  )
    .describe("The gateways that serve the route. Omitted: the gateway annotated holdfast.dev/default-gateway=true.")
    .optional(),
  hostnames: setList(z.array(hostname()).min(1).max(64))
    .describe("Hosts that are served, exact or with a wildcard as the first label; any where omitted.")
    .optional(),
  matches,
  backendRefs: backendRefs
    .describe("The Services that connections are proxied to, by weight. Needed unless hub is set.")
    .optional(),
  rewrite: Rewrite.optional(),
  protocols: protocols.optional(),
  ...policyFields,
  hub: Hub.optional(),
});

type Fields = z.output<typeof specFields>;

const leadsSomewhere: Rule<Fields> = {
  cel: "has(self.backendRefs) || has(self.hub)",
  message: "a route needs backendRefs or hub",
  holds: (spec) => spec.backendRefs !== undefined || spec.hub !== undefined,
};

const dropOldestNeedsHub: Rule<Fields> = {
  cel: "!has(self.limits) || !has(self.limits.onSlowClient) || self.limits.onSlowClient != 'DropOldest' || has(self.hub)",
  message: "limits.onSlowClient DropOldest needs hub: frames between a client and its backend cannot be left out",
  holds: (spec) => spec.limits?.onSlowClient !== "DropOldest" || spec.hub !== undefined,
};

const pauseNeedsBackends: Rule<Fields> = {
  cel: "!has(self.limits) || !has(self.limits.onSlowClient) || self.limits.onSlowClient != 'Pause' || has(self.backendRefs)",
  message: "limits.onSlowClient Pause needs backendRefs: there is nothing else to pause",
  holds: (spec) => spec.limits?.onSlowClient !== "Pause" || spec.backendRefs !== undefined,
};

const prefixIsMatched: Rule<Fields> = {
  cel: "!has(self.rewrite) || !has(self.rewrite.path) || self.rewrite.path.type != 'ReplacePrefixMatch' || self.matches.all(m, m.path.type == 'PathPrefix')",
  message: "rewrite.path ReplacePrefixMatch needs every match to be of path type PathPrefix",
  holds: (spec) =>
    spec.rewrite?.path?.type !== "ReplacePrefixMatch" ||
    spec.matches.every((match) => match.path.type === "PathPrefix"),
};

const rewriteNeedsBackends: Rule<Fields> = {
  cel: "!has(self.rewrite) || has(self.backendRefs)",
  message: "rewrite needs backendRefs: nothing else sees the path and the host",
  holds: (spec) => spec.rewrite === undefined || spec.backendRefs !== undefined,
};

export const WebSocketRouteSpec = withRules(
  specFields,
  leadsSomewhere,
  dropOldestNeedsHub,
  pauseNeedsBackends,
  prefixIsMatched,
  rewriteNeedsBackends,
).describe("What is wanted.");
/** The spec with the CRD's own defaults filled in. */
export type WebSocketRouteSpec = z.output<typeof WebSocketRouteSpec>;

const RouteParentStatus = z
  .object({
    parentRef: z
      .object({
        name: z.string().max(253).describe("Name of the WebSocketGateway."),
        namespace: z.string().max(63).describe("Namespace of the WebSocketGateway.").optional(),
        sectionName: label().describe("Name of the listener.").optional(),
        port: z.int().describe("Port of the listeners.").optional(),
      })
      .describe("The parent, as in spec.parentRefs."),
    controllerName: z.string().max(253).describe("Who wrote this entry."),
    conditions: conditions(8).describe("Accepted, ResolvedRefs and Programmed for this parent."),
  })
  .describe("The state of the route at one parent.");

export const WebSocketRouteStatus = z
  .object({
    conditions: conditions(16)
      .describe("Accepted, ResolvedRefs, Programmed and Ready: the summary over all parents.")
      .optional(),
    parents: z.array(RouteParentStatus).max(32).describe("The same for each parent.").optional(),
    urls: z.array(z.string().max(2048)).max(64).describe("Where clients can connect.").optional(),
    pods: pods.optional(),
    backends: z.string().max(1024).describe("Where the route leads, in short: chat:3000, chat-next:3000.").optional(),
  })
  .describe("What is, as the operator and the gateways have found it.");
export type WebSocketRouteStatus = z.output<typeof WebSocketRouteStatus>;

export interface WebSocketRoute {
  apiVersion: typeof API_VERSION;
  kind: typeof KINDS.WebSocketRoute.kind;
  metadata: ObjectMeta;
  spec: WebSocketRouteSpec;
  status?: WebSocketRouteStatus;
}
