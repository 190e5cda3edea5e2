/** Rows about routes that are not served as they stand: their status says why. */
import type { Section } from "./row.ts";

export const NOT_SERVED: readonly Section[] = [
  {
    title: "Routes that are not served",
    rows: [
      {
        name: "unsupported",
        spec: "onChange: Apply",
        status: { type: "Accepted", reason: "UnsupportedValue", says: "spec.onChange (Apply)" },
        client: { does: "connects" },
        end: { status: 404, reason: "NoRoute" },
        routed: "no",
      },
      {
        name: "invalid-pattern",
        spec: "matches: [{path: {type: RegularExpression, value: '/(unclosed'}}]",
        status: { type: "Accepted", reason: "Invalid", says: "spec.matches[0].path.value" },
        client: { does: "connects" },
        end: { status: 404, reason: "NoRoute" },
        routed: "no",
      },
      {
        name: "conflict-newer",
        spec: "hostnames: [conflict.example.com]",
        beside: { name: "conflict-elder", spec: "hostnames: [conflict.example.com]" },
        status: { type: "Accepted", reason: "Conflicted", says: "apps/conflict-elder" },
      },
      {
        name: "foreign-backend",
        spec: "backendRefs: [{name: chat, namespace: elsewhere, port: 3000}]",
        status: { type: "ResolvedRefs", reason: "RefNotPermitted", says: "elsewhere/chat" },
        client: { does: "connects" },
        end: { status: 500, reason: "RouteNotResolved" },
      },
      {
        name: "foreign-secret",
        spec: "authentication: {apiKeys: {secretRef: {name: chat-keys, namespace: elsewhere}}}",
        status: { type: "ResolvedRefs", reason: "RefNotPermitted", says: "elsewhere/chat-keys" },
        client: { does: "connects", headers: { "X-Api-Key": "<api-key>" } },
        end: { status: 500, reason: "RouteNotResolved" },
      },
      {
        name: "external-name",
        spec: "backendRefs: [{name: outside, port: 3000}]",
        status: { type: "ResolvedRefs", reason: "ExternalNameNotPermitted", says: "outside" },
        client: { does: "connects" },
        end: { status: 500, reason: "RouteNotResolved" },
      },
      {
        name: "no-parent",
        spec: "parentRefs: [{name: nobody}]",
        status: { type: "Accepted", reason: "NoMatchingParent", says: "nobody" },
        client: { does: "connects" },
        end: { status: 404, reason: "NoRoute" },
        routed: "no",
      },
    ],
  },
];
