// The chart: what both Helms make of it, whether a real API server takes that, and what people are told about wrong values.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { parse } from "yaml";
import { CHART, findHelms, HELM_TIMEOUT_MS, type Helms, type Manifest, NAMESPACE, pick } from "../support/chart.ts";
import { VALUE_SETS, WRONG_VALUES } from "../support/chart-values.ts";
import { CONTROL_PLANE_TIMEOUT_MS, type ControlPlane, startControlPlane } from "../support/controlplane.ts";
import { apply, installDefinitions } from "../support/operator.ts";
import { STAND_IN_DEFINITIONS } from "../support/stand-in-definitions.ts";

/** Enforces what it can at pods and warns of it at everything that makes pods. */
const RESTRICTED = {
  "pod-security.kubernetes.io/enforce": "restricted",
  "pod-security.kubernetes.io/warn": "restricted",
};

let helms: Helms;
beforeAll(async () => {
  helms = await findHelms();
}, HELM_TIMEOUT_MS);
afterAll(() => helms?.clean());

/** The object that the operator makes of the chart's ConfigMap. */
function defaultGateway(objects: readonly Manifest[]): Manifest & { readonly spec: object } {
  const source = objects.find(({ metadata }) => metadata.name.endsWith("-default-gateway"));
  return parse((source as Manifest & { data: Record<string, string> }).data["gateway.yaml"] ?? "");
}

describe("both Helms", () => {
  it("lint it", async () => {
    for (const helm of helms.both) {
      const { code, stdout } = await helm.run(["lint", "--strict", CHART]);
      expect({ version: helm.version, code, stdout }).toMatchObject({ code: 0 });
    }
  });

  it.each(Object.entries(VALUE_SETS))("make the same objects: %s", async (_name, values) => {
    const [three, four] = await Promise.all(helms.both.map((helm) => helm.template(values)));
    expect(three).toEqual(four);
    const keys = (four ?? []).map(({ kind, metadata }) => `${kind} ${metadata.namespace} ${metadata.name}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it.each(WRONG_VALUES)("refuse %s in words that help", async (_what, values, path, words) => {
    for (const helm of helms.both) {
      // Helm 3 writes a path with dots, Helm 4 with slashes.
      const message = (await helm.refusal(values)).replaceAll("/", ".");
      expect(message).toMatch(path);
      expect(message).toMatch(words);
    }
  });
});

let plane: ControlPlane;
beforeAll(async () => {
  plane = await startControlPlane();
  await installDefinitions(plane);
  await apply(plane, ...STAND_IN_DEFINITIONS);
  await plane.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=20s"]);
  const namespaces = [NAMESPACE, "edge-a", "edge-b", "apps"];
  const labels = RESTRICTED;
  await apply(
    plane,
    ...namespaces.map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } })),
  );
  // A pod is refused before its ServiceAccount is there, which a controller would make.
  const metadata = { name: "default", namespace: NAMESPACE };
  await apply(plane, { apiVersion: "v1", kind: "ServiceAccount", metadata });
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(() => plane?.stop());

it.each(Object.entries(VALUE_SETS))(
  "the API server takes %s, in restricted namespaces",
  async (_name, values) => {
    const objects = [...(await helms.latest.template(values))];
    if (objects.some(({ metadata }) => metadata.name.endsWith("-default-gateway")))
      objects.push(defaultGateway(objects));
    const stdin = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
    const dry = await plane.kubectl(["apply", "--dry-run=server", "--server-side", "--filename=-"], { stdin });
    expect(dry).toMatchObject({ code: 0, stderr: "" });
    expect(dry.stdout.trimEnd().split("\n")).toHaveLength(objects.length);
  },
  30_000,
);

describe("the values", () => {
  it("make the default gateway, which says only what is set", async () => {
    const gateway = defaultGateway(await helms.latest.template({}));
    expect(gateway).toMatchObject({
      metadata: { name: "public", namespace: NAMESPACE, annotations: { "holdfast.dev/default-gateway": "true" } },
    });
    expect(gateway.spec).toEqual({
      listeners: [{ name: "ws", port: 8080, protocol: "WS" }],
      allowedRoutes: { namespaces: { from: "All" } },
      replicas: 2,
    });
  });

  it("leave scaling to whom they name, and to nobody else", async () => {
    const hpa = VALUE_SETS["a HorizontalPodAutoscaler"] as object;
    const scaled = { min: 3, max: 30, connectionsPerPod: 20_000 };
    expect(defaultGateway(await helms.latest.template(hpa)).spec).toMatchObject({ autoscaling: scaled });
    const keda = await helms.latest.template(VALUE_SETS.KEDA as object);
    const { spec } = defaultGateway(keda);
    expect(spec).toMatchObject({ autoscaling: { min: 2, max: 20, scaler: "External" } });
    expect(spec).not.toHaveProperty("replicas");
    expect(pick(keda, "ScaledObject")).toMatchObject({
      spec: { scaleTargetRef: { name: "holdfast-public" }, minReplicaCount: 2, maxReplicaCount: 20 },
    });
  });

  it("cannot take from the operator what its selector looks for", async () => {
    for (const name of ["everything about the operator's pods", "names and labels"]) {
      const objects = await helms.latest.template(VALUE_SETS[name] as object);
      const deployment = objects.find(({ kind }) => kind === "Deployment") as Manifest & {
        spec: { selector: { matchLabels: object }; template: Manifest };
      };
      expect(deployment.spec.template.metadata.labels).toMatchObject(deployment.spec.selector.matchLabels);
      expect(deployment.spec.template.metadata.labels).not.toMatchObject({
        "app.kubernetes.io/name": "cannot-be-changed",
      });
    }
  });

  it("keep the definitions when the release goes, unless told otherwise", async () => {
    const policies = async (values: object) =>
      (await helms.latest.template(values))
        .filter(({ kind }) => kind === "CustomResourceDefinition")
        .map(({ metadata }) => metadata.annotations?.["helm.sh/resource-policy"]);
    expect(await policies({})).toEqual(["keep", "keep"]);
    expect(await policies({ crds: { keep: false } })).toEqual([undefined, undefined]);
    expect(await policies({ crds: { enabled: false } })).toEqual([]);
  });

  it("put the operator into a corner: nobody, nothing to write to, no capabilities", async () => {
    const { spec } = pick<Manifest & { spec: { template: { spec: Record<string, unknown> } } }>(
      await helms.latest.template({}),
      "Deployment",
    );
    expect(spec.template.spec).toMatchObject({
      securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
        },
      ],
    });
  });
});

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}
type Role = Manifest & { readonly rules: readonly Rule[] };

describe("the permissions", () => {
  const rolesOf = async (values: object) =>
    (await helms.latest.template(values)).filter(
      ({ kind, metadata }) => kind.endsWith("Role") && metadata.name.endsWith("holdfast-operator"),
    ) as Role[];
  const about = (rules: readonly Rule[], resource: string) =>
    rules.filter(({ resources }) => resources.includes(resource)).flatMap(({ verbs }) => verbs);

  it("let nobody read the Secrets of the cluster, unless told so", async () => {
    const [cluster] = (await rolesOf({})).filter(({ kind }) => kind === "ClusterRole");
    expect(about(cluster?.rules ?? [], "secrets")).toEqual([]);
    const [opened] = (await rolesOf({ rbac: { clusterWideSecrets: true } })).filter(
      ({ kind }) => kind === "ClusterRole",
    );
    expect(about(opened?.rules ?? [], "secrets")).toEqual(["get", "list", "watch"]);
  });

  it("let the cluster-wide role write nothing but statuses and Events", async () => {
    const [cluster] = (await rolesOf({})).filter(({ kind }) => kind === "ClusterRole");
    const writing = (cluster?.rules ?? []).filter(({ verbs }) =>
      verbs.some((verb) => !/^(get|list|watch)$/.test(verb)),
    );
    expect(writing.flatMap(({ resources }) => resources)).toEqual([
      "websocketroutes/status",
      "websocketgateways/status",
      "events",
    ]);
  });

  it("name every verb and resource: no wildcard, no escalate, no bind, no impersonate", async () => {
    const all = (await rolesOf({ rbac: { gatewayNamespaces: ["a"], secretNamespaces: ["b"] } })).flatMap(
      ({ rules }) => rules,
    );
    const words = all.flatMap(({ apiGroups, resources, verbs }) => [...apiGroups, ...resources, ...verbs]);
    for (const word of ["*", "escalate", "bind", "impersonate"]) expect(words).not.toContain(word);
  });

  it("are those of the namespaces that are named", async () => {
    const roles = await rolesOf({ rbac: { gatewayNamespaces: ["edge"], secretNamespaces: ["apps", "edge"] } });
    const secrets = roles.map(({ metadata, rules }) => [metadata.namespace ?? "", about(rules, "secrets").join(" ")]);
    expect(Object.fromEntries(secrets)).toEqual({
      "": "",
      holdfast: "get list watch create patch",
      edge: "get list watch create patch",
      apps: "get list watch",
    });
  });
});

it("has the version of the program", () => {
  const { version } = JSON.parse(readFileSync(resolve(CHART, "../../package.json"), "utf8"));
  const chart = parse(readFileSync(join(CHART, "Chart.yaml"), "utf8"));
  expect(chart).toMatchObject({ version, appVersion: version });
});
