import { provider, type Spec } from "./case.ts";

/** What a type says: the parser and the API server agree that it is wrong, each in words of its own. */
export const MISTYPED: readonly (readonly [name: string, fields: Spec, path: string])[] = [
  ["size-with-unknown-unit", { limits: { maxMessageSize: "64KB" } }, "spec.limits.maxMessageSize"],
  ["duration-without-end", { timeouts: { idle: "99999999999999999h" } }, "spec.timeouts.idle"],
  ["port-zero", { backendRefs: [{ name: "a", port: 0 }] }, "spec.backendRefs[0].port"],
  ["port-is-text", { backendRefs: [{ name: "a", port: "http" }] }, "spec.backendRefs[0].port"],
  ["weight-negative", { backendRefs: [{ name: "a", port: 1, weight: -1 }] }, "spec.backendRefs[0].weight"],
  ["no-backends", { backendRefs: [] }, "spec.backendRefs"],
  ["unknown-enum", { onChange: "Restart" }, "spec.onChange"],
  ["handshake-rate-zero", { limits: { handshakes: { total: { rate: 0 } } } }, "spec.limits.handshakes.total.rate"],
  ["limit-without-rate", { limits: { handshakes: { perClientIP: {} } } }, "spec.limits.handshakes.perClientIP.rate"],
  ["unknown-scope", { limits: { connections: { total: 1, scope: "World" } } }, "spec.limits.connections.scope"],
  ["algorithm-none", provider({ algorithms: ["none"] }), "spec.authentication.jwt.providers[0].algorithms[0]"],
  ["hostname-twice", { hostnames: ["a.example", "a.example"] }, "spec.hostnames[1]"],
  [
    "match-header-twice",
    {
      matches: [
        {
          headers: [
            { name: "a", value: "b" },
            { name: "a", value: "c" },
          ],
        },
      ],
    },
    "spec.matches[0].headers[1]",
  ],
  ["too-many-matches", { matches: Array.from({ length: 65 }, () => ({})) }, "spec.matches"],
];
