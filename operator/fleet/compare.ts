/**
 * Whether a live object still is what we would write. Server-side apply owns single fields, so everything that somebody else
 * added beside them is left alone; a field of ours that is different or gone is drift. What we stopped wanting does not show in the
 * live fields, hence the hash of what was applied stands in an annotation.
 */
import { createHash } from "node:crypto";
import type { FleetObject } from "../render/fleet/identity.ts";

export const APPLIED_ANNOTATION = "holdfast.dev/applied";

/** The object as it is applied: with the hash of itself. Same object, same bytes. */
export function withHash<T extends FleetObject>(object: T): T {
  const hash = createHash("sha256").update(JSON.stringify(object)).digest("hex").slice(0, 16);
  const annotations = { ...object.metadata.annotations, [APPLIED_ANNOTATION]: hash };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** True when applying `desired` would change nothing in `live`. */
export function covers(live: unknown, desired: unknown): boolean {
  return matches(live, desired, "");
}

/** Lists that are merged item by item, and the fields that tell the items apart; every other list is replaced as a whole. */
const MERGED_BY: Readonly<Record<string, readonly string[]>> = {
  containers: ["name"],
  env: ["name"],
  imagePullSecrets: ["name"],
  ownerReferences: ["uid"],
  ports: ["name"],
  topologySpreadConstraints: ["topologyKey", "whenUnsatisfiable"],
  volumeMounts: ["mountPath"],
  volumes: ["name"],
};

/** Fields that hold quantities, alone or by name: the API server writes them in its own way (`1000m` becomes `1`). */
const QUANTITIES = /^(requests|limits|averageValue|sizeLimit)$/;

function matches(live: unknown, desired: unknown, field: string): boolean {
  if (desired === undefined || live === desired) return true;
  if (Array.isArray(desired)) return Array.isArray(live) && listMatches(live, desired, field);
  if (isRecord(desired)) return isRecord(live) && recordMatches(live, desired, field);
  return QUANTITIES.test(field) && isAmount(live) && isAmount(desired) && amountOf(live) === amountOf(desired);
}

/** The API server leaves an empty map out. */
function recordMatches(live: Fields, desired: Fields, field: string): boolean {
  return Object.entries(desired).every(
    ([name, value]) =>
      matches(live[name], value, QUANTITIES.test(field) ? field : name) ||
      (live[name] === undefined && isRecord(value) && Object.keys(value).length === 0),
  );
}

function listMatches(live: readonly unknown[], desired: readonly unknown[], field: string): boolean {
  const keys = MERGED_BY[field];
  // A list of ports is merged in a Service and in a container, where every one of ours has a name; not in a NetworkPolicy.
  if (keys === undefined || !desired.every((item) => isRecord(item) && keys.every((key) => item[key] !== undefined)))
    return live.length === desired.length && desired.every((item, index) => matches(live[index], item, field));
  const identity = (item: unknown) => JSON.stringify(keys.map((key) => (isRecord(item) ? item[key] : undefined)));
  return desired.every((item) => {
    const counterpart = live.find((candidate) => identity(candidate) === identity(item));
    return counterpart !== undefined && matches(counterpart, item, field);
  });
}

type Fields = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isAmount(value: unknown): value is string | number {
  return typeof value === "string" || typeof value === "number";
}

const EXPONENT: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  "": 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const POWER_OF_1024: Readonly<Record<string, number>> = { Ki: 1, Mi: 2, Gi: 3, Ti: 4, Pi: 5, Ei: 6 };

/** The number that a Kubernetes quantity stands for; what is none stands for itself. */
function amountOf(value: string | number): string | number {
  const [, digits, suffix = ""] = /^([0-9.]+(?:[eE][-+]?[0-9]+)?)(|[numkMGTPE]|[KMGTPE]i)$/.exec(String(value)) ?? [];
  if (digits === undefined) return value;
  const power = POWER_OF_1024[suffix];
  // By exponent and not by multiplication, so that 100m and 0.1 are the same double.
  return power === undefined ? Number(`${Number(digits)}e${EXPONENT[suffix]}`) : Number(digits) * 1024 ** power;
}
