/**
 * A gateway pod. Nothing in it depends on listeners or routes as long as they leave its own ports free: those come by
 * snapshot, and a change of theirs must not replace pods that hold connections.
 */
import type { V1Container, V1PodSpec, V1PodTemplateSpec, V1TopologySpreadConstraint } from "@kubernetes/client-node";
import { DEFAULTS, resolveGateway } from "../../../crds/defaults.ts";
import { parseDuration } from "../../../crds/primitives.ts";
import type { WebSocketGatewaySpec } from "../../../crds/websocketgateway.ts";
import type { FleetIdentity } from "./identity.ts";
import { type PodPorts, podPorts } from "./ports.ts";

/** What the operator was started with. */
export interface PodImage {
  readonly image: string;
  /** Names of Secrets, in the gateway's namespace. */
  readonly pullSecrets: readonly string[];
}

/** Seconds that a stopping pod still takes new clients while endpoints propagate, */
const LEAVE_DELAY_SECONDS = 5;
/** and for what it does before and after it sends connections away. */
const MARGIN_SECONDS = 10;

const STATE_DIR = "/var/lib/holdfast";
/** The last good snapshot stands there twice while it is replaced. */
const STATE_SIZE = "128Mi";
/** The user `nonroot` of distroless images, and of ours. */
const NONROOT = 65_532;

export function podTemplate(identity: FleetIdentity, spec: WebSocketGatewaySpec, image: PodImage): V1PodTemplateSpec {
  const { labels, annotations } = spec.podTemplate ?? {};
  return {
    metadata: {
      labels: { ...labels, ...identity.podLabels },
      ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
    },
    spec: podSpec(identity, spec, image),
  };
}

function podSpec(identity: FleetIdentity, spec: WebSocketGatewaySpec, { image, pullSecrets }: PodImage): V1PodSpec {
  const { nodeSelector, tolerations, affinity } = spec.podTemplate ?? {};
  return {
    serviceAccountName: identity.name,
    automountServiceAccountToken: true,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: graceSeconds(spec),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: NONROOT,
      runAsGroup: NONROOT,
      fsGroup: NONROOT,
      seccompProfile: { type: "RuntimeDefault" },
      // A listener may be at port 443, today or after the next change, and no capability is left to open that.
      sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }],
    },
    ...(pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets.map((name) => ({ name })) }),
    ...(nodeSelector === undefined ? {} : { nodeSelector: { ...nodeSelector } }),
    ...(tolerations === undefined ? {} : { tolerations: tolerations.map(withoutUndefined) }),
    ...(affinity === undefined ? {} : { affinity: { ...affinity } }),
    topologySpreadConstraints: spreadConstraints(identity, spec),
    containers: [container(identity, spec, image)],
    volumes: [{ name: "state", emptyDir: { medium: "Memory", sizeLimit: STATE_SIZE } }],
  };
}

function container(identity: FleetIdentity, spec: WebSocketGatewaySpec, image: string): V1Container {
  const ports = podPorts(spec);
  return {
    name: "gateway",
    image,
    args: ["gateway", "--gateway", `${identity.namespace}/${identity.gateway}`],
    env: [
      { name: "HOLDFAST_POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
      { name: "HOLDFAST_POD_UID", valueFrom: { fieldRef: { fieldPath: "metadata.uid" } } },
      { name: "HOLDFAST_STATE_DIR", value: STATE_DIR },
      { name: "HOLDFAST_LEAVE_DELAY", value: `${LEAVE_DELAY_SECONDS}s` },
      { name: "HOLDFAST_API_PORT", value: String(ports.api) },
      { name: "HOLDFAST_ADMIN_PORT", value: String(ports.admin) },
    ],
    // The listeners' ports are not among them: the field only informs, and a change of it would replace every pod.
    ports: [
      { name: "api", containerPort: ports.api },
      { name: "admin", containerPort: ports.admin },
    ],
    ...probes(ports),
    resources: resources(spec),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    volumeMounts: [{ name: "state", mountPath: STATE_DIR }],
  };
}

/** No preStop hook: SIGTERM is what begins the drain. */
function probes({ admin }: PodPorts): Pick<V1Container, "startupProbe" | "livenessProbe" | "readinessProbe"> {
  const get = (path: string) => ({ httpGet: { path, port: admin } });
  return {
    startupProbe: { ...get("/healthz"), periodSeconds: 1, failureThreshold: 60 },
    livenessProbe: { ...get("/healthz"), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
    readinessProbe: { ...get("/readyz"), periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 2 },
  };
}

type Resources = NonNullable<NonNullable<WebSocketGatewaySpec["podTemplate"]>["resources"]>;

/** The gateway's block replaces ours as a whole, like every block. */
function resources({ podTemplate }: WebSocketGatewaySpec): NonNullable<V1Container["resources"]> {
  const given: Resources = podTemplate?.resources ?? DEFAULTS.podResources;
  const { requests, limits } = given;
  return {
    ...(requests === undefined ? {} : { requests: texts(requests) }),
    ...(limits === undefined ? {} : { limits: texts(limits) }),
  };
}

/** Over nodes and over zones, as far as that goes. */
function spreadConstraints({ selector }: FleetIdentity, spec: WebSocketGatewaySpec): V1TopologySpreadConstraint[] {
  const labelSelector = { matchLabels: { ...selector } };
  const given = spec.podTemplate?.topologySpreadConstraints;
  if (given !== undefined)
    return given.map(
      (constraint) => ({ labelSelector, ...withoutUndefined(constraint) }) as V1TopologySpreadConstraint,
    );
  return ["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector,
  }));
}

/** The whole of a drain fits in, so that the kubelet cuts nobody. */
function graceSeconds(spec: WebSocketGatewaySpec): number {
  return LEAVE_DELAY_SECONDS + Math.ceil(parseDuration(resolveGateway(spec).drain.timeout) / 1000) + MARGIN_SECONDS;
}

function texts(quantities: Readonly<Record<string, string | number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(quantities).map(([name, value]) => [name, String(value)]));
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Defined<T>;
}
