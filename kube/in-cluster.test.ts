import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { inClusterCredentials } from "./in-cluster.ts";

const ENV = { KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT: "6443" };

describe("a pod's service account", () => {
  let folder: string;
  const put = (name: string, text: string) => writeFileSync(join(folder, name), text);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-account-"));
    put("namespace", "holdfast");
    put("ca.crt", "the authority");
    put("token", "token-1\n");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("names server, namespace, authority and token", async () => {
    const source = inClusterCredentials({ env: ENV, folder });
    expect([source?.server.href, source?.namespace]).toEqual(["https://10.96.0.1:6443/", "holdfast"]);
    expect(await source?.credentials()).toEqual({
      headers: { Authorization: "Bearer token-1" },
      tls: { ca: "the authority" },
      agent: undefined,
    });
  });

  it("reads a rotated token again after a 401", async () => {
    const source = inClusterCredentials({ env: ENV, folder });
    await source?.credentials();
    put("token", "token-2");
    source?.reload();
    expect((await source?.credentials())?.headers).toEqual({ Authorization: "Bearer token-2" });
  });

  it("writes an IPv6 address as a URL does", () => {
    const env = { KUBERNETES_SERVICE_HOST: "fd00::1" };
    expect(inClusterCredentials({ env, folder })?.server.href).toBe("https://[fd00::1]/");
  });

  it.each([
    ["outside of a pod", {}],
    ["where KUBECONFIG names another cluster", { ...ENV, KUBECONFIG: "/tmp/other" }],
  ])("is not there %s", (_where, env) => {
    expect(inClusterCredentials({ env, folder })).toBeUndefined();
  });

  it("is not there in a pod without one", () => {
    expect(inClusterCredentials({ env: ENV, folder: join(folder, "none") })).toBeUndefined();
  });
});
