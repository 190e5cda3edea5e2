/** Every condition type and reason that Holdfast writes, and what each means. */
import type { Condition } from "./status.ts";

/** Meaning of each condition type; `True` is the good state of all but Draining, which is neither good nor bad. */
export const CONDITIONS = {
  Accepted: "The object is valid, supported and attached to its parents.",
  ResolvedRefs: "Everything that it refers to exists and may be used.",
  Programmed: "Every ready gateway pod has said that it serves this generation.",
  Ready: "Clients can use it: the summary of the others.",
  Draining: "Of a gateway: pods that leave are sending their clients to other pods. Absent until that happens first.",
} as const;
export type ConditionType = keyof typeof CONDITIONS;

/** Meaning of each reason. A reason that is also a condition type is that of `status: "True"`. */
export const REASONS = {
  Accepted: "The object is valid, supported and attached.",
  Invalid: "A field is not valid; the message names each.",
  UnsupportedValue: "A field is valid but this release does not implement it; the message names each.",
  Conflicted: "An older route has the same host and match; the message names it.",
  NoMatchingParent: "No gateway, or no listener of it, is the one that parentRefs names.",
  NotAllowedByListeners: "The gateway's allowedRoutes does not take routes from this namespace.",
  NoMatchingListenerHostname: "No hostname of the route is one of the listener's.",
  ResolvedRefs: "Every reference is resolved.",
  BackendNotFound: "A Service, or the port of a Service, does not exist.",
  SecretNotFound: "A Secret, or the key in it, does not exist.",
  SecretForbidden: "The operator may not read a Secret; the message names it and its namespace.",
  ConfigMapNotFound: "A ConfigMap, or the key in it, does not exist.",
  InvalidKeys:
    "A key set for tokens cannot be read or holds a private key, or a shared key is too short; the message says which.",
  InvalidCertificate: "A certificate or its private key cannot be read, or they do not belong together.",
  RefNotPermitted: "A reference leads to another namespace that has no ReferenceGrant for it.",
  ExternalNameNotPermitted: "The Service is of type ExternalName, and the operator does not allow those.",
  Programmed: "Every ready gateway pod serves this generation.",
  Pending: "Some ready gateway pods do not serve this generation yet; the message names them.",
  NoPods: "No gateway pod is ready.",
  SnapshotRefused: "A gateway pod refused the configuration; the message has its words.",
  ConfigTooLarge: "The configuration does not fit; the pods keep the last one.",
  ObjectNotOwned: "An object that the operator would write exists and belongs to somebody else.",
  WriteForbidden:
    "The operator may not write the gateway's configuration there; the message has the API server's words.",
  FleetRefused: "The API server refused an object of the gateway's fleet; the message has its words.",
  Ready: "Accepted, resolved and programmed, and all known gateway pods are ready.",
  NotAccepted: "The object is not accepted.",
  RefsNotResolved: "A reference is not resolved.",
  NotProgrammed: "The gateway pods do not serve this generation.",
  PodsUnavailable: "A known gateway pod is not ready or has stopped reporting; the message names it.",
  Draining: "The message names the pods and how many connections each has left.",
  Drained: "No gateway pod sends clients away any more.",
} as const satisfies Record<string, string>;
export type Reason = keyof typeof REASONS;

/** Kubernetes' bound on a condition's message. */
const MAX_MESSAGE = 32768;

/**
 * A condition as it is written. `now` is in milliseconds since the epoch; when it flipped is for whoever merges it with
 * the condition before.
 */
export function buildCondition(input: {
  type: ConditionType;
  status: Condition["status"];
  reason: Reason;
  message: string;
  observedGeneration: number;
  now: number;
}): Condition {
  const { type, status, reason, message, observedGeneration, now } = input;
  const fits = message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE - 1)}…`;
  return { type, status, reason, message: fits, observedGeneration, lastTransitionTime: seconds(now) };
}

let latest = { now: Number.NaN, text: "" };

/** metav1.Time has whole seconds. One pass dates thousands of conditions by the same moment. */
function seconds(now: number): string {
  if (latest.now !== now) latest = { now, text: new Date(now).toISOString().replace(/\.\d+Z$/, "Z") };
  return latest.text;
}
