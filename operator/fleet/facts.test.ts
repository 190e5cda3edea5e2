import { describe, expect, it } from "@jest/globals";
import { SNAPSHOT_OBJECTS } from "../../gateway/snapshot.ts";
import type { KubernetesObject } from "../objects.ts";
import { fleetFacts } from "./facts.ts";
import { kindAndName, type LivePod, leanPod } from "./objects.ts";

const metadata = (name = "holdfast-public") => ({
  name,
  namespace: "edge",
  generation: 2,
  labels: { [SNAPSHOT_OBJECTS.gatewayLabel]: "public" },
});
const deployment = (status: object = {}): KubernetesObject =>
  ({
    kind: "Deployment",
    metadata: metadata(),
    spec: { replicas: 3 },
    status: { observedGeneration: 2, replicas: 3, updatedReplicas: 3, ...status },
  }) as KubernetesObject;
const service = (spec: object, ingress: readonly object[] = [], name?: string): KubernetesObject =>
  ({ kind: "Service", metadata: metadata(name), spec, status: { loadBalancer: { ingress } } }) as KubernetesObject;
const pod = (name: string, status: LivePod["status"] = {}) =>
  leanPod({ kind: "Pod", metadata: metadata(name), status });
const waiting = (reason: string, message = "") => ({
  containerStatuses: [{ state: { waiting: { reason, message } } }],
});

function factsOf(objects: readonly KubernetesObject[], pods = [pod("a")]) {
  const facts = fleetFacts({
    objects: new Map(objects.map((object) => [kindAndName(object), object])),
    pods: new Map(pods.map((each) => [each.metadata.name, each])),
  });
  return facts.get("edge/public");
}

describe("what is known of a fleet", () => {
  it("is nothing before it has a Deployment", () => {
    expect(factsOf([service({ type: "ClusterIP", clusterIPs: ["10.0.0.1"] })])).toBeUndefined();
  });

  it("is how many pods there should be, and which there are", () => {
    const conditions = [{ type: "Ready", status: "False" }];
    const facts = factsOf([deployment()], [pod("a"), pod("b", { conditions })]);
    expect(facts).toMatchObject({ desired: 3, pods: new Set(["a", "b"]), rollout: undefined, trouble: undefined });
    expect(facts?.unready).toEqual(new Set(["b"]));
  });

  it.each([
    [
      "of a load balancer are what it gave",
      "LoadBalancer",
      [{ ip: "192.0.2.1" }, { hostname: "lb.example.com" }],
      ["IPAddress 192.0.2.1", "Hostname lb.example.com"],
    ],
    ["of a load balancer that gave none yet are none", "LoadBalancer", [], []],
    ["inside the cluster are the Service's", "ClusterIP", [], ["IPAddress 10.0.0.1", "IPAddress fd00::1"]],
  ])("addresses %s", (_what, type, ingress, expected) => {
    const front = service({ type, clusterIPs: ["10.0.0.1", "fd00::1"] }, ingress);
    const other = service({ type: "ClusterIP", clusterIPs: ["10.0.0.9"] }, [], "holdfast-public-api");
    const addresses = factsOf([deployment(), other, front])?.addresses.map(({ type, value }) => `${type} ${value}`);
    expect(addresses).toEqual(expected);
  });
});

describe("a rollout", () => {
  it("is told with how far it has come", () => {
    expect(factsOf([deployment({ updatedReplicas: 1 })])?.rollout).toBe("1/3 pods are of the newest template");
  });

  it("is told with what holds it up", () => {
    const stuck = {
      type: "Progressing",
      status: "False",
      reason: "ProgressDeadlineExceeded",
      message: "timed out progressing",
    };
    const status = { updatedReplicas: 1, conditions: [stuck] };
    expect(factsOf([deployment(status)])?.rollout).toBe("1/3 pods are of the newest template; timed out progressing");
  });

  it("is not told from a status that is about an older template", () => {
    expect(factsOf([deployment({ updatedReplicas: 1, observedGeneration: 1 })])?.rollout).toBeUndefined();
  });
});

describe("trouble", () => {
  it.each([
    ["an image that cannot be had", waiting("ImagePullBackOff", "no such image"), "a: ImagePullBackOff: no such image"],
    ["a container that ends again and again", waiting("CrashLoopBackOff"), "a: CrashLoopBackOff"],
    [
      "a pod that fits on no node",
      {
        conditions: [
          { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes are available" },
        ],
      },
      "a: Unschedulable: 0/3 nodes are available",
    ],
    ["nothing while a container is made", waiting("ContainerCreating"), undefined],
  ])("is %s", (_what, status, expected) => {
    expect(factsOf([deployment()], [pod("b", waiting("ErrImagePull")), pod("a", status)])?.trouble).toBe(
      expected ?? "b: ErrImagePull",
    );
  });

  it("is why there are no pods", () => {
    const conditions = [{ type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: "exceeded quota" }];
    expect(factsOf([deployment({ conditions })], [])?.trouble).toBe("exceeded quota");
  });
});
