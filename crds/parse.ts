/**
 * Objects as the API server or a file gives them, to typed values: every problem is reported with its path, and a bad
 * object still tells enough about itself to get a status.
 */
import { z } from "zod";
import { API_VERSION, KINDS, type Kind } from "./kinds.ts";
import { ObjectMeta } from "./object-meta.ts";
import {
  gatewayNameRule,
  type WebSocketGateway,
  WebSocketGatewaySpec,
  WebSocketGatewayStatus,
} from "./websocketgateway.ts";
import { type WebSocketRoute, WebSocketRouteSpec, WebSocketRouteStatus } from "./websocketroute.ts";

/** `path` as in `spec.backendRefs[0].port`; empty for the object as a whole. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

export type Parsed<T extends { metadata: ObjectMeta; status?: unknown }> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      readonly problems: readonly Problem[];
      /** Absent when the object does not even tell its name. */
      readonly metadata?: ObjectMeta;
      /** What was written before, to be merged with. */
      readonly status?: NonNullable<T["status"]>;
    };

const RouteObject = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal(KINDS.WebSocketRoute.kind),
  metadata: ObjectMeta,
  spec: WebSocketRouteSpec,
});

const GatewayObject = z
  .object({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal(KINDS.WebSocketGateway.kind),
    metadata: ObjectMeta,
    spec: WebSocketGatewaySpec,
  })
  .check((context) => {
    if (gatewayNameRule.holds(context.value)) return;
    const { message } = gatewayNameRule;
    context.issues.push({ code: "custom", message, path: ["metadata", "name"], input: context.value, continue: true });
  });

export function parseRoute(object: unknown): Parsed<WebSocketRoute> {
  const status = parseStatus(object, WebSocketRouteStatus);
  return parse<WebSocketRoute>(RouteObject, object, status);
}

export function parseGateway(object: unknown): Parsed<WebSocketGateway> {
  const status = parseStatus(object, WebSocketGatewayStatus);
  return parse<WebSocketGateway>(GatewayObject, object, status);
}

/** Whether an object says that it is of this kind and version. */
export function isKind(object: unknown, kind: Kind): boolean {
  const { apiVersion, kind: given } = (object ?? {}) as { apiVersion?: unknown; kind?: unknown };
  return apiVersion === API_VERSION && given === kind;
}

/** One line for people: `spec.x: message; spec.y: message`. */
export function formatProblems(problems: readonly Problem[]): string {
  return problems.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ");
}

type AnyObject = { metadata: ObjectMeta; status?: unknown };

function parse<T extends AnyObject>(
  schema: z.ZodType<Omit<T, "status">>,
  object: unknown,
  status: T["status"],
): Parsed<T> {
  const result = schema.safeParse(object);
  const before = (status === undefined ? {} : { status }) as { status?: NonNullable<T["status"]> };
  if (result.success) return { ok: true, value: { ...result.data, ...before } as T };
  const metadata = ObjectMeta.safeParse((object as { metadata?: unknown } | null | undefined)?.metadata);
  return {
    ok: false,
    problems: result.error.issues.flatMap((issue) => problems(issue)),
    ...(metadata.success ? { metadata: metadata.data } : {}),
    ...before,
  };
}

/** A status that is not what we would write is one that somebody else wrote: as good as none. */
function parseStatus<S>(object: unknown, schema: z.ZodType<S>): S | undefined {
  const status = (object as { status?: unknown } | null | undefined)?.status;
  return status === undefined ? undefined : schema.safeParse(status).data;
}

function problems(issue: z.core.$ZodIssue): Problem[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ path: formatPath([...issue.path, key]), message: "is not a known field" }));
  }
  const missing = issue.code === "invalid_type" && issue.message.endsWith("received undefined");
  return [{ path: formatPath(issue.path), message: missing ? "is required" : issue.message }];
}

function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    return text === "" ? String(step) : `${text}.${String(step)}`;
  }, "");
}
