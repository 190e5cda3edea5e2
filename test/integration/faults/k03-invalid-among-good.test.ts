// K3, the operator's half: what is wrong with one route or one snapshot is said there, and nothing else suffers.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { CONTROL_PLANE_TIMEOUT_MS } from "../../support/controlplane.ts";
import { conditionOf, gatewayTarget } from "../../support/operator.ts";
import { type OperatorRig, startOperatorRig } from "../../support/operator-rig.ts";

let rig: OperatorRig;

beforeAll(async () => {
  rig = await startOperatorRig("a");
  const { gateway, route, service, endpoints } = rig.manifests;
  await rig.apply(gateway(), service(), endpoints(), route("good"));
  await rig.routeIs("good", { type: "Ready", status: "True" });
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(() => rig?.stop());

const route = (name: string, spec: object = {}) => rig.manifests.route(name, spec);

describe("an invalid route among good ones", () => {
  it("is not accepted, with the field named, and the others are served", async () => {
    const regex = { path: { type: "RegularExpression", value: "/a(b" } };
    await rig.apply(route("broken", { matches: [regex] }), route("other"));
    const broken = await rig.routeIs("broken", { type: "Accepted", status: "False" });
    expect(conditionOf(broken, "Accepted")).toMatchObject({ reason: "Invalid" });
    expect(conditionOf(broken, "Accepted")?.message).toContain("spec.matches[0].path.value");
    await rig.routeIs("other", { type: "Ready", status: "True" });
    const { routes } = await rig.snapshot();
    expect([...routes.keys()].sort()).toEqual(["good", "other"]);
  });

  it("that asks for what this release does not do is told so, and is not served without it", async () => {
    const health = { passive: { consecutiveFailures: 3, ejectFor: "30s" } };
    await rig.apply(route("later", { health }));
    const later = await rig.routeIs("later", { type: "Accepted", status: "False" });
    expect(conditionOf(later, "Accepted")).toMatchObject({ reason: "UnsupportedValue" });
    expect(conditionOf(later, "Accepted")?.message).toContain("spec.health");
    expect((await rig.snapshot()).routes.has("later")).toBe(false);
  });
});

describe("a snapshot that a gateway refuses", () => {
  it("is told in the gateway's words, and Programmed comes back when it takes the next one", async () => {
    rig.pods.get("a")?.refuse("listener ws: port 8080 is in use");
    await rig.apply(route("good", { hostnames: ["new.example.com"] }));
    const refused = await rig.routeIs("good", {
      type: "Programmed",
      status: "False",
      reason: "SnapshotRefused",
    });
    expect(conditionOf(refused, "Programmed")?.message).toContain("listener ws: port 8080 is in use");
    expect(conditionOf(await rig.client.get(gatewayTarget(rig.namespace)), "Programmed")).toMatchObject({
      status: "True",
    });

    await rig.pods.get("a")?.leave();
    rig.addPod("a");
    await rig.routeIs("good", { type: "Programmed", status: "True" });
  });
});
