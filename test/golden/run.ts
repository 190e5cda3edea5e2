/**
 * A golden pair: `<name>.in.yaml` holds manifests, `<name>.out.yaml` what one pass of the operator makes of them. Beside what files
 * may hold, an input may have Leases (what gateway pods say) and one document of kind `Golden` with the surroundings.
 */
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments, stringify } from "yaml";
import type { Condition } from "../../crds/status.ts";
import { WebSocketRouteSpec } from "../../crds/websocketroute.ts";
import type { Route } from "../../gateway/snapshot.ts";
import { type ClusterStore, observeLease } from "../../operator/cluster.ts";
import { loadFiles } from "../../operator/files.ts";
import { type Lease, namespacedName } from "../../operator/objects.ts";
import { emptyMemory, pass } from "../../operator/pass.ts";
import type { RenderedSnapshot } from "../../operator/render/snapshot-objects.ts";
import type { GatewayPlan } from "../../operator/translate/plan.ts";
import { compilePolicies } from "../../operator/translate/policies.ts";

const FOLDER = dirname(fileURLToPath(import.meta.url));
const INPUT = ".in.yaml";
const OUTPUT = ".out.yaml";
/** When every golden pass runs. */
const NOW = Date.parse("2026-01-01T00:00:00Z");

interface Surroundings {
  readonly kind: "Golden";
  readonly externalNames?: "Allow" | "Refuse";
  /** Whether the cluster has the ReferenceGrant CRD. */
  readonly referenceGrants?: "installed" | "notInstalled";
}

/** Names of the pairs, sorted. */
export function goldenNames(): string[] {
  const inputs = readdirSync(FOLDER).filter((file) => file.endsWith(INPUT));
  return inputs.map((file) => basename(file, INPUT)).sort();
}

export function outputFile(name: string): string {
  return join(FOLDER, name + OUTPUT);
}

/** What stands in the output file. */
export function expectedOutput(name: string): string {
  return readFileSync(outputFile(name), "utf8");
}

/** What should stand there. */
export async function goldenOutput(name: string): Promise<string> {
  const input = join(FOLDER, name + INPUT);
  const { cluster, problems } = await loadFiles([input]);
  const extras = parseAllDocuments(readFileSync(input, "utf8")).map((document) => document.toJS() as { kind?: string });
  const surroundings = extras.find((extra): extra is Surroundings => extra?.kind === "Golden");
  if (surroundings?.referenceGrants === "notInstalled") cluster.referenceGrants = "notInstalled";
  for (const extra of extras) if (extra?.kind === "Lease") addLease(cluster, extra as unknown as Lease);
  const result = pass({
    cluster,
    memory: emptyMemory(),
    options: { externalNames: surroundings?.externalNames ?? "Refuse" },
    now: NOW,
    random: (bytes) => Buffer.alloc(bytes, 7),
  });
  const said = [...result.routeStatuses, ...result.gatewayStatuses];
  const output = {
    problems: problems.map(({ line, message }) => `line ${line}: ${message.replaceAll(join(FOLDER, "/"), "")}`),
    snapshots: Object.fromEntries(result.gateways.map(({ plan, rendered }) => [plan.key, snapshotOutput(plan, rendered)])),
    routes: Object.fromEntries(result.routeStatuses.map(({ key, status }) => [key, inShort(status)])),
    gateways: Object.fromEntries(result.gatewayStatuses.map(({ key, status }) => [key, inShort(status)])),
    events: said.flatMap(({ key, flips }) =>
      flips.map(({ type, reason, message }) => `${type} ${key} ${reason}: ${message}`),
    ),
  };
  return stringify(output, { lineWidth: 0, aliasDuplicateObjects: false });
}

function addLease(cluster: ClusterStore, lease: Lease): void {
  cluster.leases.set(namespacedName(lease), observeLease(undefined, lease, NOW));
}

function snapshotOutput(plan: GatewayPlan, rendered: RenderedSnapshot): object {
  if (!rendered.ok) return { refused: rendered.message };
  return {
    sequence: rendered.index.sequence,
    settings: plan.settings,
    routes: plan.routes.map(withoutDefaults),
    endpoints: plan.endpoints,
    secret: Object.fromEntries([...rendered.secretValues].map(([key, value]) => [key, value.split("\n")[0]])),
  };
}

/** What a route has that says nothing of its policies: then they are left out here, and `all-policies` shows them. */
const { fields: DEFAULT_POLICIES } = compilePolicies(
  WebSocketRouteSpec.parse({ backendRefs: [{ name: "a", port: 1 }] }),
  undefined,
);

function withoutDefaults(route: Route): object {
  const isDefault = (key: string, value: unknown): boolean =>
    JSON.stringify(value) === JSON.stringify((DEFAULT_POLICIES as Record<string, unknown>)[key]);
  return Object.fromEntries(Object.entries(route).filter(([key, value]) => !isDefault(key, value)));
}

/** A condition in one line, since there are many, and without what is the same in all of them. */
function inShort(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inShort);
  if (typeof value !== "object" || value === null) return value;
  if ("lastTransitionTime" in value) {
    const { type, status, reason, message } = value as Condition;
    return `${type}=${status} ${reason}: ${message}`;
  }
  const entries = Object.entries(value).filter(([key]) => !LEFT_OUT.has(key));
  return Object.fromEntries(entries.map(([key, field]) => [key, inShort(field)]));
}

/** The revision hashes everything, so that it would change in every pair with every change of the format. */
const LEFT_OUT: ReadonlySet<string> = new Set(["revision", "controllerName", "addresses"]);
