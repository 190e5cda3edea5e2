/** What Holdfast thinks of manifests before anybody applies them: the operator's own pass over files, as a report. Pure. */
import type { Condition } from "../crds/status.ts";
import type { GatewayDefaults } from "../crds/websocketgateway.ts";
import { type EffectiveValue, effectivePolicy } from "./effective.ts";
import type { LoadedFiles } from "./files.ts";
import { emptyMemory, type PassResult, pass } from "./pass.ts";

export interface CheckOptions {
  /** As the operator that is to serve them is started. */
  readonly externalNames: "Allow" | "Refuse";
  /** ms since the epoch. */
  readonly now: number;
}

/** Where something stands in a file; `line` counts from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

export interface CheckProblem extends Partial<Place> {
  /** The object, `WebSocketRoute apps/chat`; absent where a file itself is the problem. */
  readonly object?: string;
  /** The condition that says so. */
  readonly reason?: string;
  readonly message: string;
}

export interface CheckedObject extends Partial<Place> {
  /** `namespace/name` */
  readonly name: string;
  /** `Accepted` and `ResolvedRefs`: what the others say depends on pods. */
  readonly conditions: readonly Pick<Condition, "type" | "status" | "reason" | "message">[];
}

export interface CheckedRoute extends CheckedObject {
  readonly urls: readonly string[];
  /** For each gateway (`namespace/name`) that takes the route. */
  readonly policies: readonly { readonly gateway: string; readonly values: readonly EffectiveValue[] }[];
}

export interface CheckReport {
  /** Whether everything is accepted and resolved. */
  readonly ok: boolean;
  readonly files: readonly string[];
  readonly gateways: readonly CheckedObject[];
  readonly routes: readonly CheckedRoute[];
  readonly problems: readonly CheckProblem[];
}

export function check(loaded: LoadedFiles, { externalNames, now }: CheckOptions): CheckReport {
  const { cluster, files } = loaded;
  const result = pass({
    cluster,
    memory: emptyMemory(),
    options: { externalNames, fleet: "Ignore" },
    now,
    // The snapshot is thrown away, and with it the keys in it.
    random: (bytes) => Buffer.alloc(bytes),
  });
  const gateways = result.gatewayStatuses.map(({ key, status }) => ({
    ...place(loaded, "WebSocketGateway", key),
    name: key,
    conditions: telling(status.conditions),
  }));
  const routes = result.routeStatuses.map((change) => checkedRoute(loaded, change));
  const problems = [
    ...loaded.problems,
    ...gateways.flatMap((gateway) => conditionProblems(loaded, "WebSocketGateway", gateway)),
    ...routes.flatMap((route) => conditionProblems(loaded, "WebSocketRoute", route)),
    ...result.gateways.flatMap(({ plan, rendered }) =>
      rendered.ok ? [] : [{ object: `WebSocketGateway ${plan.key}`, message: rendered.message }],
    ),
  ];
  return { ok: problems.length === 0, files, gateways, routes, problems };
}

type RouteChange = PassResult["routeStatuses"][number];

function checkedRoute(loaded: LoadedFiles, { key, entry, status }: RouteChange): CheckedRoute {
  const accepting = (status.parents ?? []).filter(({ conditions }) =>
    conditions.some(({ type, status: state }) => type === "Accepted" && state === "True"),
  );
  const names = accepting.map(
    ({ parentRef: { name, namespace } }) => `${namespace ?? entry.metadata.namespace}/${name}`,
  );
  const spec = entry.parsed.ok ? entry.parsed.value.spec : undefined;
  return {
    ...place(loaded, "WebSocketRoute", key),
    name: key,
    conditions: telling(status.conditions),
    urls: status.urls ?? [],
    policies:
      spec === undefined
        ? []
        : [...new Set(names)].map((gateway) => ({
            gateway,
            values: effectivePolicy(spec, defaultsOf(loaded, gateway)),
          })),
  };
}

function defaultsOf({ cluster }: LoadedFiles, gateway: string): GatewayDefaults | undefined {
  const parsed = cluster.gateways.get(gateway)?.parsed;
  return parsed?.ok ? parsed.value.spec.defaults : undefined;
}

const TELLING: ReadonlySet<string> = new Set(["Accepted", "ResolvedRefs"]);

function telling(conditions: readonly Condition[] = []): CheckedObject["conditions"] {
  return conditions
    .filter(({ type }) => TELLING.has(type))
    .map(({ type, status, reason, message }) => ({ type, status, reason, message }));
}

type OurKind = "WebSocketGateway" | "WebSocketRoute";

function place({ locate }: LoadedFiles, kind: OurKind, key: string, field = ""): Partial<Place> {
  return locate(kind, key, field) ?? {};
}

/** A field path that a message names, and the fields that reasons are about whose messages name an object instead. */
const FIELD = /\bspec(?:\.\w+|\[\d+\])+/;
const FIELDS: Readonly<Record<string, string>> = {
  BackendNotFound: "spec.backendRefs",
  ExternalNameNotPermitted: "spec.backendRefs",
  NoMatchingParent: "spec.parentRefs",
  NotAllowedByListeners: "spec.parentRefs",
  NoMatchingListenerHostname: "spec.hostnames",
  Conflicted: "spec.matches",
};

/** What a schema finds in a file has been told with its own line already. */
function conditionProblems(loaded: LoadedFiles, kind: OurKind, { name, conditions }: CheckedObject): CheckProblem[] {
  const { gateways, routes } = loaded.cluster;
  const entry = kind === "WebSocketRoute" ? routes.get(name) : gateways.get(name);
  if (entry?.parsed.ok === false) return [];
  return conditions
    .filter(({ status }) => status !== "True")
    .map(({ reason, message }) => ({
      ...place(loaded, kind, name, FIELD.exec(message)?.[0] ?? FIELDS[reason]),
      object: `${kind} ${name}`,
      reason,
      message,
    }));
}
