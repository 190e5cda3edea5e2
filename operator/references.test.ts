import { describe, expect, it } from "@jest/globals";
import { gatewayObject, makeCluster, putGateway, putRoute, routeObject } from "../test/support/make-cluster.ts";
import { References, referencedNames } from "./references.ts";

const keysIn = (namespace: string) => ({ authentication: { apiKeys: { secretRef: { name: "keys", namespace } } } });

describe("referencedNames", () => {
  it("names the gateways' own Secrets, certificates, Redis, API keys and Services, each once", () => {
    const cluster = makeCluster(routeObject("a", keysIn("apps")), routeObject("b", keysIn("apps")));
    const tls = { certificateRefs: [{ name: "cert" }] };
    putGateway(
      cluster,
      gatewayObject(
        {
          listeners: [{ name: "wss", port: 8443, protocol: "WSS", tls }],
          redis: { secretRef: { name: "redis" } },
          defaults: { authentication: { apiKeys: { secretRef: { name: "house" } } } },
        },
        { generation: 2 },
      ),
    );
    expect(referencedNames(cluster)).toEqual({
      secrets: ["apps/keys", "holdfast/cert", "holdfast/holdfast-public", "holdfast/house", "holdfast/redis"],
      configMaps: [],
      services: ["apps/chat"],
    });
  });

  it("leaves out what no grant allows, so that nothing is read from there", () => {
    const cluster = makeCluster(
      routeObject("a", { ...keysIn("vault"), backendRefs: [{ name: "far", namespace: "other", port: 80 }] }),
    );
    expect(referencedNames(cluster)).toMatchObject({ secrets: ["holdfast/holdfast-public"], services: [] });
    const grant = (namespace: string, kind: string) => ({
      metadata: { name: "g", namespace },
      spec: { from: [{ group: "holdfast.dev", kind: "WebSocketRoute", namespace: "apps" }], to: [{ group: "", kind }] },
    });
    cluster.referenceGrants = new Map([
      ["vault/g", grant("vault", "Secret")],
      ["other/g", grant("other", "Secret")],
    ]);
    expect(referencedNames(cluster)).toMatchObject({
      secrets: ["holdfast/holdfast-public", "vault/keys"],
      services: [],
    });
  });

  it("asks for nothing that a broken object names, but for a broken gateway's own Secret", () => {
    const cluster = makeCluster(routeObject("a", { ...keysIn("apps"), limitz: {} }));
    putGateway(cluster, gatewayObject({ listeners: [] }, { generation: 2 }));
    expect(referencedNames(cluster)).toEqual({ secrets: ["holdfast/holdfast-public"], configMaps: [], services: [] });
  });
});

describe("References", () => {
  it("gives the same answer while no spec and no grant is another, and the new one at once", () => {
    const cluster = makeCluster(routeObject("a"));
    const references = new References();
    const before = references.of(cluster);
    const entry = cluster.routes.get("apps/a");
    if (entry !== undefined) cluster.routes.set("apps/a", { ...entry, status: { pods: "1/1" } });
    expect(references.of(cluster)).toBe(before);
    putRoute(cluster, routeObject("a", keysIn("apps"), { generation: 2 }));
    expect(references.of(cluster)).toEqual(referencedNames(cluster));
    putRoute(
      cluster,
      routeObject("a", { backendRefs: [{ name: "far", namespace: "other", port: 80 }] }, { generation: 3 }),
    );
    const from = [{ group: "holdfast.dev", kind: "WebSocketRoute", namespace: "apps" }];
    const grant = { metadata: { name: "g", namespace: "other" }, spec: { from, to: [{ group: "", kind: "Service" }] } };
    cluster.referenceGrants = new Map();
    expect(references.of(cluster).services).toEqual([]);
    cluster.referenceGrants.set("other/g", grant);
    expect(references.of(cluster).services).toEqual(["other/far"]);
  });
});
