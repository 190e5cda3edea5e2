// What a status says of a fleet that the operator runs, through whole passes.
import { describe, expect, it } from "@jest/globals";
import type { WebSocketGatewayStatus } from "../../crds/websocketgateway.ts";
import {
  GATEWAY,
  gatewayObject,
  lease,
  makeCluster,
  putGateway,
  routeObject,
} from "../../test/support/make-cluster.ts";
import { emptyMemory, type PassResult, pass } from "../pass.ts";
import type { FleetFacts, FleetView } from "./facts.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");

interface Setting {
  readonly facts?: Partial<FleetFacts>;
  readonly objection?: FleetView["objection"];
  /** Name to when its Lease was seen to be renewed; all serve the first snapshot. */
  readonly leases?: Readonly<Record<string, number>>;
}

/** One pass over a gateway with a route, whose pods have what the first snapshot holds. */
function passed({ facts, objection, leases = {} }: Setting): PassResult {
  const cluster = makeCluster(routeObject("chat"));
  putGateway(cluster, gatewayObject({ replicas: 3 }));
  for (const [pod, seen] of Object.entries(leases))
    cluster.leases.set(`holdfast/holdfast-public-${pod}`, lease(pod, { sequence: 1 }, seen));
  const known = {
    desired: 3,
    pods: new Set(["a", "b", "c"]),
    unready: new Set<string>(),
    trouble: undefined,
    rollout: undefined,
    addresses: [],
  };
  const view: FleetView = { facts: facts && { ...known, ...facts }, objection };
  return pass({
    cluster,
    memory: emptyMemory(),
    fleets: new Map([[GATEWAY, view]]),
    options: { externalNames: "Refuse", fleet: "Run" },
    now: NOW,
    random: (bytes) => Buffer.alloc(bytes, 1),
  });
}

function said(setting: Setting) {
  const { routeStatuses, gatewayStatuses } = passed(setting);
  const gateway = gatewayStatuses[0]?.status as WebSocketGatewayStatus;
  const of = (conditions: WebSocketGatewayStatus["conditions"], type: string) => {
    const { status, reason, message } = conditions?.find((condition) => condition.type === type) ?? {};
    return `${status} ${reason}: ${message}`;
  };
  return {
    gateway,
    programmed: of(gateway.conditions, "Programmed"),
    ready: of(gateway.conditions, "Ready"),
    route: routeStatuses[0]?.status,
    routeReady: of(routeStatuses[0]?.status.conditions, "Ready"),
  };
}

describe("the status of a fleet", () => {
  it("is ready when all pods that there should be serve", () => {
    const { gateway, programmed, ready } = said({ facts: {}, leases: { a: NOW, b: NOW, c: NOW } });
    expect(gateway.pods).toBe("3/3");
    expect(programmed).toBe("True Programmed: 3/3 gateway pods serve generation 1");
    expect(ready).toBe("True Ready: 3/3 gateway pods serve generation 1");
  });

  it("counts the pods that have not come up, and says what keeps them", () => {
    const facts = { trouble: "c: ImagePullBackOff: no such image" };
    const { gateway, programmed, ready, route, routeReady } = said({ facts, leases: { a: NOW, b: NOW } });
    const missing = "1 of 3 pods have not started to report (c: ImagePullBackOff: no such image)";
    expect([gateway.pods, route?.pods]).toEqual(["2/3", "2/3"]);
    expect(programmed).toBe("True Programmed: 2/2 ready gateway pods serve generation 1");
    expect(ready).toBe(`False PodsUnavailable: ${missing}`);
    expect(routeReady).toBe(`False PodsUnavailable: ${missing}`);
  });

  it("misses a pod that fell silent, and none that its Deployment has replaced", () => {
    const silent = NOW - 60_000;
    const leases = { a: NOW, b: NOW, c: NOW, d: silent };
    expect(said({ facts: {}, leases }).gateway.pods).toBe("3/3");
    const { gateway, ready } = said({ facts: { pods: new Set(["a", "b", "c", "d"]) }, leases });
    expect(gateway.pods).toBe("3/4");
    expect(ready).toBe("False PodsUnavailable: d has stopped reporting");
  });

  it("tells a rollout while everybody is served", () => {
    const facts = { rollout: "1/3 pods are of the newest template" };
    const { programmed } = said({ facts, leases: { a: NOW, b: NOW, c: NOW } });
    expect(programmed).toBe(
      "True Programmed: 3/3 gateway pods serve generation 1; 1/3 pods are of the newest template",
    );
  });

  it("says why a fleet cannot be as it should; routes that are served stay so", () => {
    const objection = { reason: "FleetRefused", message: "Deployment holdfast/holdfast-public: no" } as const;
    const { programmed, routeReady } = said({ facts: {}, objection, leases: { a: NOW, b: NOW, c: NOW } });
    expect(programmed).toBe("False FleetRefused: Deployment holdfast/holdfast-public: no");
    expect(routeReady).toBe("True Ready: 3/3 gateway pods serve generation 1");
  });

  it("has the addresses of its Service", () => {
    const addresses = [{ type: "IPAddress", value: "192.0.2.1" }] as const;
    expect(said({ facts: { addresses } }).gateway.addresses).toEqual(addresses);
  });

  it("knows no number of pods before there is a Deployment", () => {
    expect(said({}).gateway.pods).toBe("0/0");
  });
});
