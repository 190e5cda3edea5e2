import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { type Answer, json, type ScriptedApi, startScriptedApi, status } from "../test/support/scripted-api.ts";
import { createKubeClient, type KubeClient } from "./client.ts";
import { KubeError } from "./error.ts";
import { renewLease } from "./lease.ts";
import { pathOf, RESOURCES } from "./resources.ts";

const CONFIG = { resource: RESOURCES.configMaps, namespace: "apps", name: "a" };
const OBJECT = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", namespace: "apps" } };

let api: ScriptedApi;
let client: KubeClient;
beforeEach(async () => {
  api = await startScriptedApi();
  client = createKubeClient({ kubeconfig: api.kubeconfig });
});
afterEach(async () => {
  client.close();
  await api.stop();
});

const errorOf = (call: Promise<unknown>): Promise<KubeError> =>
  call.then(
    () => {
      throw new Error("the call succeeded");
    },
    (error) => {
      expect(error).toBeInstanceOf(KubeError);
      return error;
    },
  );

describe("paths", () => {
  it.each([
    [CONFIG, "/api/v1/namespaces/apps/configmaps/a"],
    [{ resource: RESOURCES.leases }, "/apis/coordination.k8s.io/v1/leases"],
    [{ resource: RESOURCES.namespaces, namespace: "apps", name: "apps" }, "/api/v1/namespaces/apps"],
    [
      { resource: RESOURCES.webSocketRoutes, namespace: "apps", name: "chat", subresource: "status" as const },
      "/apis/holdfast.dev/v1alpha1/namespaces/apps/websocketroutes/chat/status",
    ],
  ])("of %#", (target, path) => {
    expect(pathOf(target)).toBe(path);
  });
});

describe("the client", () => {
  it("knows the namespace of its context", () => {
    expect(client.namespace).toBe("apps");
  });

  it("applies as JSON, by our name, and takes fields over only when told to", async () => {
    api.script(json(200, OBJECT));
    await client.apply(CONFIG, OBJECT);
    await client.apply(CONFIG, OBJECT, { conflicts: "force" });
    expect(api.requests.map(({ method, path, query }) => [method, path, query.toString()])).toEqual([
      ["PATCH", "/api/v1/namespaces/apps/configmaps/a", "fieldManager=holdfast&force=false"],
      ["PATCH", "/api/v1/namespaces/apps/configmaps/a", "fieldManager=holdfast&force=true"],
    ]);
    expect(api.requests[0]?.headers["content-type"]).toBe("application/apply-patch+yaml");
    expect(JSON.parse(api.requests[0]?.body ?? "")).toEqual(OBJECT);
  });

  it("tells the server's words", async () => {
    api.script(status(409, "Conflict", "the object has been modified"));
    expect(await errorOf(client.get(CONFIG))).toMatchObject({
      status: 409,
      reason: "Conflict",
      message: "the object has been modified",
    });
  });

  it("tells what a proxy in between said, and how long it asked to wait", async () => {
    api.script((response) => response.writeHead(503, { "retry-after": "7" }).end("no healthy upstream"));
    expect(await errorOf(client.get(CONFIG))).toMatchObject({
      status: 503,
      reason: "ServiceUnavailable",
      message: "no healthy upstream",
      retryAfter: 7,
    });
  });

  it("tells when nobody answers", async () => {
    await api.stop();
    expect(await errorOf(client.get(CONFIG))).toMatchObject({ status: 0, reason: "Unreachable" });
  });

  it("tells when the answer was cut", async () => {
    api.script((response) => {
      response.writeHead(200, { "content-length": "100" }).write('{"metadata":');
      setImmediate(() => response.destroy());
    });
    expect(await errorOf(client.get(CONFIG))).toMatchObject({ status: 0, reason: "Unreachable" });
  });

  it("reads its token again after a 401, once", async () => {
    const byToken: Answer = (response, request) =>
      request.headers.authorization === "Bearer token-2"
        ? json(200, OBJECT)(response, request)
        : status(401, "Unauthorized")(response, request);
    api.script(byToken);
    expect(await errorOf(client.get(CONFIG))).toMatchObject({ status: 401, reason: "Unauthorized" });
    expect(api.requests).toHaveLength(2);

    writeFileSync(api.tokenFile, "token-2\n");
    expect(await client.get(CONFIG)).toEqual(OBJECT);
    expect(api.requests.map(({ headers }) => headers.authorization).slice(2)).toEqual([
      "Bearer token-1",
      "Bearer token-2",
    ]);
  });

  it("tries again when the server had closed the idle connection just then", async () => {
    api.script(
      json(200, OBJECT),
      (response) => response.socket?.resetAndDestroy(),
      json(200, { ...OBJECT, metadata: { name: "b" } }),
    );
    await client.get(CONFIG);
    expect(await client.get(CONFIG)).toMatchObject({ metadata: { name: "b" } });
  });

  it("is content when what it deletes is gone already", async () => {
    api.script(status(404, "NotFound"));
    await client.delete(CONFIG, { uid: "u-1" });
    expect(JSON.parse(api.requests[0]?.body ?? "")).toMatchObject({ preconditions: { uid: "u-1" } });
  });

  it("ends a call with its caller's signal", async () => {
    api.script(() => undefined);
    const controller = new AbortController();
    const call = client.get(CONFIG, { signal: controller.signal });
    await api.requested(1);
    controller.abort();
    await expect(call).rejects.toMatchObject({ name: "AbortError" });
  });
});

it("renews a Lease with six digits of time, in one request", async () => {
  api.script(json(200, OBJECT));
  await renewLease(client, {
    namespace: "apps",
    name: "holdfast-public-a",
    annotations: { "holdfast.dev/sequence": "3" },
    holder: "a",
    durationSeconds: 6,
    now: Date.UTC(2026, 10, 22, 1, 2, 3, 45),
    fieldManager: "holdfast-gateway",
  });
  expect(api.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    "PATCH /apis/coordination.k8s.io/v1/namespaces/apps/leases/holdfast-public-a",
  ]);
  expect(JSON.parse(api.requests[0]?.body ?? "").spec).toEqual({
    holderIdentity: "a",
    leaseDurationSeconds: 6,
    renewTime: "2026-11-22T01:02:03.045000Z",
  });
});
