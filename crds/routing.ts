/** Where a route is attached, what it matches and where it leads. */
import { z } from "zod";
import { headerValue, hostname, label, objectName, portNumber, token } from "./fields.ts";
import { celPattern, mapList, noneAlike, type Rule, setList, withRules } from "./rules.ts";

/** RFC 3986 §3.3 path characters, percent-encoded or literal. */
const PATH = /^([-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*$/;

export const ParentRef = z.strictObject({
  name: objectName().describe("Name of the WebSocketGateway."),
  namespace: label().describe("Namespace of the WebSocketGateway; the route's own where omitted.").optional(),
  sectionName: label().describe("Attach to the listener of this name only.").optional(),
  port: portNumber().describe("Attach to listeners on this port only.").optional(),
});
export type ParentRef = z.output<typeof ParentRef>;

interface TypedPath {
  readonly type: string;
  readonly value: string;
}
const literal = (path: TypedPath): boolean => path.type !== "RegularExpression";

/** What holds for every path that is compared or written as text. Holdfast normalises a request before it matches. */
const literalPathRules: Rule<TypedPath>[] = [
  {
    cel: "self.type == 'RegularExpression' || self.value.startsWith('/')",
    message: "must start with /",
    field: "value",
    holds: (path) => !literal(path) || path.value.startsWith("/"),
  },
  {
    cel: "self.type == 'RegularExpression' || !self.value.contains('//')",
    message: "must not contain //: requests are normalised before they are matched",
    field: "value",
    holds: (path) => !literal(path) || !path.value.includes("//"),
  },
  {
    cel: "self.type == 'RegularExpression' || !(self.value + '/').matches(r'/[.][.]?/')",
    message: "must not contain . or .. segments: requests are normalised before they are matched",
    field: "value",
    holds: (path) => !literal(path) || !/\/\.\.?\//.test(`${path.value}/`),
  },
  {
    cel: `self.type == 'RegularExpression' || self.value.matches(${celPattern(PATH)})`,
    message: "must consist of characters that a URL path may hold, others percent-encoded; no ? and no #",
    field: "value",
    holds: (path) => !literal(path) || PATH.test(path.value),
  },
  {
    cel: "self.type == 'RegularExpression' || !self.value.matches(r'%(2[fF]|5[cC]|00)')",
    message: "must not contain an encoded slash, backslash or NUL: such requests are refused",
    field: "value",
    holds: (path) => !literal(path) || !/%(2f|5c|00)/i.test(path.value),
  },
];

const PathMatch = withRules(
  z.strictObject({
    type: z
      .enum(["Exact", "PathPrefix", "RegularExpression"])
      .default("PathPrefix")
      .describe(
        "Exact: the whole path. PathPrefix: whole segments, so /ws matches /ws and /ws/a but not /wsx. RegularExpression: an RE2 pattern that has to match the whole path.",
      ),
    value: z.string().min(1).max(1024).describe("The path, or the RE2 pattern."),
  }),
  ...literalPathRules,
);

const valueMatchType = z
  .enum(["Exact", "RegularExpression"])
  .default("Exact")
  .describe("Exact: the whole value. RegularExpression: an RE2 pattern that has to match the whole value.");

const HeaderMatch = z.strictObject({
  type: valueMatchType,
  name: token().describe("Name of the request header; letter case does not matter."),
  value: z.string().min(1).max(4096).describe("Value that the header must have, or the RE2 pattern."),
});

const QueryParamMatch = z.strictObject({
  type: valueMatchType,
  name: z.string().min(1).max(256).describe("Name of the query parameter, decoded; letter case matters."),
  value: z.string().min(1).max(1024).describe("Value that the parameter must have, decoded, or the RE2 pattern."),
});

const EVERY_PATH = { type: "PathPrefix", value: "/" } as const;

export const RouteMatch = z
  .strictObject({
    path: PathMatch.default({ ...EVERY_PATH }).describe("The request path; any path where omitted."),
    headers: mapList(z.array(HeaderMatch).max(16), "name").describe("Request headers that must all match.").optional(),
    queryParams: mapList(z.array(QueryParamMatch).max(16), "name")
      .describe("Query parameters that must all match.")
      .optional(),
  })
  .describe("Conditions that must all hold for a request to match.");

export const matches = z
  .array(RouteMatch)
  .min(1)
  .max(64)
  .default([{ path: { ...EVERY_PATH } }])
  .describe(
    "A request that satisfies any of these is served by this route. Among all routes of a listener the most specific match wins: hostname, exact path, longer prefix, more headers, more query parameters; then the older route, then the name.",
  );

export const BackendRef = z
  .strictObject({
    name: objectName().describe("Name of the Service."),
    namespace: label()
      .describe("Namespace of the Service; another one than the route's needs a ReferenceGrant there.")
      .optional(),
    port: portNumber().describe("Port of the Service."),
    weight: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(1)
      .describe("Share of new connections, relative to the other backends; 0 takes none and keeps those it has."),
  })
  .describe("A Service that speaks WebSocket.");

export const backendRefs = withRules(
  z.array(BackendRef).min(1).max(16),
  noneAlike<z.output<typeof BackendRef>>("must name each backend once; give it a weight instead", [
    "name",
    "namespace",
    "port",
  ]),
);

export const Rewrite = z
  .strictObject({
    path: withRules(
      z.strictObject({
        type: z
          .enum(["ReplacePrefixMatch", "ReplaceFullPath"])
          .describe("ReplacePrefixMatch: only the matched prefix. ReplaceFullPath: the whole path. The query stays."),
        value: z.string().min(1).max(1024).describe("The path, or the prefix, that the backend sees instead."),
      }),
      ...literalPathRules,
    )
      .describe("Change of the path.")
      .optional(),
    hostname: withRules(hostname(), {
      cel: "!self.startsWith('*')",
      message: "must be one exact hostname",
      holds: (value) => !value.startsWith("*"),
    })
      .describe("Value of the Host header that the backend sees.")
      .optional(),
  })
  .describe("What the backend sees instead of the client's path and host.");

/** Hop-by-hop headers, those of the handshake itself, and those that Holdfast sets: rebuilt, never configured. */
const PROTECTED = [
  "connection",
  "content-length",
  "forwarded",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
] as const;
const PROTECTED_PREFIXES = ["sec-websocket-", "holdfast-", "x-forwarded-"] as const;

const changeableHeader = (): z.ZodString =>
  withRules(token(), {
    cel: `!(self.lowerAscii() in ${JSON.stringify(PROTECTED).replaceAll('"', "'")}) && ${PROTECTED_PREFIXES.map(
      (prefix) => `!self.lowerAscii().startsWith('${prefix}')`,
    ).join(" && ")}`,
    message: "must not be a header of the handshake itself or one that Holdfast sets (rewrite.hostname changes Host)",
    holds: (name) => {
      const lower = name.toLowerCase();
      return (
        !PROTECTED.some((word) => word === lower) && !PROTECTED_PREFIXES.some((prefix) => lower.startsWith(prefix))
      );
    },
  });

const HeaderChange = z.strictObject({
  name: changeableHeader().describe("Name of the header."),
  value: headerValue().describe("Value of the header."),
});

export const RequestHeaders = z
  .strictObject({
    set: mapList(z.array(HeaderChange).max(16), "name")
      .describe("Headers to set, replacing what the client sent.")
      .optional(),
    add: mapList(z.array(HeaderChange).max(16), "name")
      .describe("Headers to add beside what the client sent.")
      .optional(),
    remove: setList(z.array(changeableHeader()).max(16)).describe("Headers to remove.").optional(),
  })
  .describe("Changes to the request headers that the backend sees.");
