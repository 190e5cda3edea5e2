// What people see of the operator with kubectl: conditions that tell the truth, Events, and objects that go with their gateway.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { createKubeClient, type KubeClient } from "../../kube/client.ts";
import { RESOURCES } from "../../kube/resources.ts";
import { CONTROL_PLANE_TIMEOUT_MS, type ControlPlane, startControlPlane } from "../support/controlplane.ts";
import { eventually } from "../support/eventually.ts";
import {
  apply,
  condition,
  conditionOf,
  gatewayTarget,
  installDefinitions,
  manifestsIn,
  type PretendedPod,
  pretendPod,
  readSnapshot,
  routeTarget,
  startTestOperator,
  type TestOperator,
} from "../support/operator.ts";

let plane: ControlPlane;
let client: KubeClient;
let operator: TestOperator;
let pods: PretendedPod[];

beforeAll(async () => {
  plane = await startControlPlane({ controllerManager: "on" });
  client = createKubeClient({ kubeconfig: plane.kubeconfig });
  await installDefinitions(plane);
  operator = await startTestOperator(client);
}, CONTROL_PLANE_TIMEOUT_MS);
beforeEach(() => {
  pods = [];
});
afterEach(() => leave());
afterAll(async () => {
  await operator?.stop();
  client?.close();
  await plane?.stop();
});

/** A namespace with a gateway, two pods and a Service, and a kubectl in it. */
async function scene() {
  const namespace = await plane.newNamespace();
  const manifests = manifestsIn(namespace);
  pods = ["a", "b"].map((name) => pretendPod({ client, namespace, gateway: "public", name }));
  await apply(plane, manifests.gateway(), manifests.service(), manifests.endpoints());
  const kubectl = async (...args: string[]) => {
    const { stdout, stderr } = await plane.kubectl([...args, `--namespace=${namespace}`]);
    return stdout + stderr;
  };
  return { namespace, ...manifests, kubectl };
}

const leave = () => Promise.all(pods.map((pod) => pod.leave()));

describe("a route that is in order", () => {
  it("gets ready, and kubectl says so in each of its ways", async () => {
    const { route, kubectl, namespace } = await scene();
    await apply(plane, route("chat"));
    expect(await kubectl("wait", "--for=condition=Ready", "wsr/chat", "--timeout=10s")).toContain("condition met");
    const [heading, row] = (await kubectl("get", "wsr", "--output=wide")).split("\n");
    expect(heading).toMatch(/NAME +HOSTNAMES +READY +PODS +REASON +BACKENDS +AGE/);
    expect(row).toMatch(/chat +\["chat.example.com"\] +True +2\/2 +Ready +chat:3000 /);
    const described = await eventually("the Event is there", async () => {
      const text = await kubectl("describe", "wsr/chat");
      return text.includes("Events:\n") ? text : undefined;
    });
    expect(described).toMatch(/Normal +Ready .*holdfast-operator +2\/2 gateway pods serve generation 1/);
    await leave();
    expect(operator.log.filter(({ level }) => Number(level) >= 50)).toEqual([]);
    expect(
      await condition(client, gatewayTarget(namespace), { type: "Programmed", status: "False", reason: "NoPods" }),
    ).toBeDefined();
  });

  it("tells when a pod has crashed, while the others serve", async () => {
    const { route, namespace } = await scene();
    await apply(plane, route("chat"));
    await condition(client, routeTarget(namespace, "chat"), { type: "Ready", status: "True" });
    await pods[1]?.kill();
    const told = await condition(client, routeTarget(namespace, "chat"), { type: "Ready", status: "False" }, 10_000);
    expect(conditionOf(told, "Ready")).toMatchObject({ reason: "PodsUnavailable", message: "b has stopped reporting" });
    expect(conditionOf(told, "Programmed")).toMatchObject({ status: "True" });
    expect(told.status?.pods).toBe("1/2");
    await leave();
    await eventually("it is ready again", async () => {
      const { status } = await client.get<typeof told>(routeTarget(namespace, "chat"));
      return status?.pods === "0/0";
    });
  }, 30_000);
});

describe("routes that are not in order", () => {
  it("each show their condition, reason and object, and the others are served", async () => {
    const { route, namespace } = await scene();
    const foreign = await plane.newNamespace();
    await apply(plane, manifestsIn(foreign).service(), route("good"));
    await condition(client, routeTarget(namespace, "good"), { type: "Ready", status: "True" });
    const apiKeys = { secretRef: { name: "keys" }, sources: [{ header: "X-Api-Key" }] };
    await apply(
      plane,
      route("no-service", { backendRefs: [{ name: "nowhere", port: 3000 }] }),
      route("no-port", { backendRefs: [{ name: "chat", port: 9 }] }),
      route("no-secret", { authentication: { apiKeys } }),
      route("foreign", { backendRefs: [{ name: "chat", namespace: foreign, port: 3000 }] }),
      route("same-host", { hostnames: ["good.example.com"] }),
      route("no-parent", { parentRefs: [{ name: "absent" }] }),
      route("unsupported", { health: { passive: { consecutiveFailures: 3, ejectFor: "30s" } } }),
    );
    const wanted: [string, string, string, string][] = [
      ["no-service", "ResolvedRefs", "BackendNotFound", `${namespace}/nowhere`],
      ["no-port", "ResolvedRefs", "BackendNotFound", "9"],
      ["no-secret", "ResolvedRefs", "SecretNotFound", `${namespace}/keys`],
      ["foreign", "ResolvedRefs", "RefNotPermitted", `${foreign}/chat`],
      ["same-host", "Accepted", "Conflicted", `${namespace}/good`],
      ["no-parent", "Accepted", "NoMatchingParent", "absent"],
      ["unsupported", "Accepted", "UnsupportedValue", "spec.health"],
    ];
    for (const [name, type, reason, word] of wanted) {
      const object = await condition(client, routeTarget(namespace, name), { type, status: "False", reason });
      expect(conditionOf(object, type)?.message).toContain(word);
      expect(conditionOf(object, "Ready")?.status).toBe("False");
    }
    const { routes } = await readSnapshot(client, namespace, "public");
    const served = [...routes.values()].filter(({ unavailable }) => unavailable === undefined).map(({ name }) => name);
    expect(served).toEqual(["good"]);
    expect(conditionOf(await client.get(routeTarget(namespace, "good")), "Ready")?.status).toBe("True");
  });
});

describe("somebody else's object where ours should be", () => {
  it("is left alone and named, and ours comes when it goes", async () => {
    const namespace = await plane.newNamespace();
    const { gateway, route, service, endpoints, secret } = manifestsIn(namespace);
    await apply(plane, secret("holdfast-public", { mine: "precious" }));
    await apply(plane, gateway(), service(), endpoints(), route("chat"));
    const blocked = await condition(client, gatewayTarget(namespace), { type: "Programmed", reason: "ObjectNotOwned" });
    expect(conditionOf(blocked, "Programmed")?.message).toContain(`Secret ${namespace}/holdfast-public exists`);
    const target = { resource: RESOURCES.secrets, namespace, name: "holdfast-public" };
    expect(await client.get(target)).toMatchObject({ data: { mine: Buffer.from("precious").toString("base64") } });

    await client.delete(target);
    await condition(client, gatewayTarget(namespace), { type: "Programmed", reason: "NoPods" });
    expect((await readSnapshot(client, namespace, "public")).routes.has("chat")).toBe(true);
  });
});

describe("a gateway that is deleted", () => {
  it("takes everything with it that the operator made for it", async () => {
    const { route, namespace, kubectl } = await scene();
    await apply(plane, route("chat"));
    await condition(client, routeTarget(namespace, "chat"), { type: "Ready", status: "True" });
    await leave();
    await kubectl("delete", "wsg/public");
    const selector = { labelSelector: "holdfast.dev/gateway=public" };
    const left = async () => {
      const lists = [RESOURCES.configMaps, RESOURCES.secrets].map((resource) =>
        client.list({ resource, namespace }, selector),
      );
      return (await Promise.all(lists)).flatMap(({ items }) => items.map(({ metadata }) => metadata.name));
    };
    // The garbage collector looks for new kinds, such as ours, every 30 s only.
    await eventually("nothing is left", async () => (await left()).length === 0, 45_000);
    await condition(client, routeTarget(namespace, "chat"), {
      type: "Accepted",
      status: "False",
      reason: "NoMatchingParent",
    });
  }, 60_000);
});

describe("the admin port", () => {
  it("serves probes and figures", async () => {
    expect(await operator.get("/healthz")).toEqual({ status: 200, text: "ok\n" });
    expect(await operator.get("/readyz")).toEqual({ status: 200, text: "ok\n" });
    expect((await operator.get("/")).status).toBe(404);
    const { text } = await operator.get("/metrics");
    for (const name of [
      "pass_duration_seconds_count",
      "writes_total",
      "watch_failures_total",
      "status_queue_depth",
      "routes",
    ]) {
      expect(text).toMatch(new RegExp(`^(# TYPE )?holdfast_operator_${name}`, "m"));
    }
  });
});
