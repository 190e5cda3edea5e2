// From `helm install` to `helm uninstall`, in the order that people do it.
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { WebSocket } from "ws";
import type { Condition } from "../../crds/status.ts";
import { createKubeClient } from "../../kube/client.ts";
import { systemClock } from "../../kube/clock.ts";
import { listWatch } from "../../kube/listwatch.ts";
import type { KubeObject } from "../../kube/objects.ts";
import { RESOURCES, type Resource } from "../../kube/resources.ts";
import { until } from "../support/controlplane/apiserver-client.ts";
import { NODE_TIMEOUT_MS } from "./node.ts";
import { echoed, GATEWAY, NAMESPACE, OPERATOR, packageVersion, Release } from "./release.ts";

const CLIENTS = 40;

interface WithConditions extends KubeObject {
  readonly status?: { readonly conditions?: readonly Condition[] };
}

describe("the chart on a node", () => {
  let release: Release;
  beforeAll(async () => {
    release = await Release.prepare();
    await release.deploy("install");
    await release.own("wait", "--for=condition=Ready", "wsg/public", "--timeout=60s");
    await release.applyApps();
    await release.apps("wait", "--for=condition=Available", "deployment/echo", "--timeout=60s");
  }, NODE_TIMEOUT_MS);
  afterAll(() => release?.node.stop());

  const lease = async (field: string) => release.own("get", `lease/${OPERATOR}`, `--output=jsonpath={.spec.${field}}`);
  const open = () => Promise.all(Array.from({ length: CLIENTS }, () => release.connect("/echo")));

  /** Every status that the objects of a kind had while `work` ran, as `type status reason`. */
  async function seenDuring(resource: Resource, work: () => Promise<void>): Promise<Set<string>> {
    const client = createKubeClient({ kubeconfig: release.node.plane.kubeconfig });
    const stopping = new AbortController();
    const seen = new Set<string>();
    const take = ({ status }: WithConditions) => {
      for (const { type, status: holds, reason } of status?.conditions ?? []) seen.add(`${type} ${holds} ${reason}`);
    };
    const watching = listWatch<WithConditions>({
      client,
      resource,
      onSync: (objects) => objects.forEach(take),
      onEvent: ({ object }) => take(object),
      clock: systemClock,
      random: Math.random,
      signal: stopping.signal,
    });
    await work().finally(() => stopping.abort());
    await watching;
    client.close();
    return seen;
  }

  /** Clients that come back whenever they are sent away; resolves to the codes when each has been and has come back. */
  function comeBack(sockets: readonly WebSocket[]): Promise<number[]> {
    return Promise.all(
      sockets.map(async (socket) => {
        const [code] = (await once(socket, "close")) as [number];
        const again = await release.connect("/echo");
        expect(await echoed(again, "again")).toBe("again");
        again.terminate();
        return code;
      }),
    );
  }

  it("runs as nobody, from a file system that it cannot write to", async () => {
    for (const name of [OPERATOR, GATEWAY]) {
      const exec = (...args: string[]) => release.own("exec", `deployment/${name}`, "--", ...args);
      expect(await exec("holdfast", "--version")).toBe(`${packageVersion()}\n`);
      expect(await exec("node", "--print", "process.getuid() + ':' + process.getgid()")).toBe("65532:65532\n");
      await expect(exec("node", "--eval", "fs.writeFileSync('/app/x', '')")).rejects.toThrow("EROFS");
    }
  }, 60_000);

  it("serves a route through the Service once its status says that both pods do", async () => {
    await release.apps("wait", "--for=condition=Ready", "wsr", "--all", "--timeout=20s");
    expect(await release.apps("get", "wsr/echo", "--output=jsonpath={.status.pods}")).toBe("2/2");
    const clusterIP = await release.own("get", `service/${GATEWAY}`, "--output=jsonpath={.spec.clusterIP}");
    expect(await release.own("get", "wsg/public", "--output=jsonpath={.status.addresses[*].value}")).toBe(clusterIP);

    const socket = await release.connect("/echo");
    expect(await echoed(socket, "through the node")).toBe("through the node");
    socket.close();
    await once(socket, "close");
  }, 60_000);

  it("passes `helm test`", async () => {
    expect(await release.helm("test", "--timeout=90s")).toMatch(/Phase:\s+Succeeded/);
  }, 120_000);

  it("rolls its gateways over: every client is told to come back and does; no status says less than the truth", async () => {
    const version = () => release.apps("get", "wsr/echo", "--output=jsonpath={.metadata.resourceVersion}");
    const [before, back] = [await version(), comeBack(await open())];
    let gateways = new Set<string>();
    const routes = await seenDuring(RESOURCES.webSocketRoutes, async () => {
      gateways = await seenDuring(RESOURCES.webSocketGateways, async () => {
        await release.own("rollout", "restart", `deployment/${GATEWAY}`);
        await release.own("rollout", "status", `deployment/${GATEWAY}`, "--timeout=120s");
        expect(await back).toEqual(Array(CLIENTS).fill(1012));
        await release.own("wait", "--for=condition=Draining=False", "wsg/public", "--timeout=60s");
      });
    });
    expect([...routes].filter((said) => !said.includes("True"))).toEqual([]);
    expect([...gateways].filter((said) => !said.includes("True"))).toEqual(["Draining False Drained"]);
    expect(gateways).toContain("Draining True Draining");
    expect(await version()).toBe(before); // a rollout is no news for a route
  }, 240_000);

  it("keeps every connection over a `helm upgrade` that concerns the operator and policies; another operator leads then", async () => {
    const sockets = await open();
    let closed = 0;
    for (const socket of sockets) socket.on("close", () => closed++);
    const [pods, leader] = [await release.gatewayPods(), await lease("holderIdentity")];

    await release.deploy("upgrade", "operator.logLevel=debug", "gateway.defaults.keepAlive.interval=20s");
    await until("another operator leads", 30_000, async () => {
      return ![leader, ""].includes(await lease("holderIdentity"));
    });
    await until("the pods serve the upgraded gateway", 30_000, async () => {
      const programmed = (await release.conditions("wsg/public", NAMESPACE)).get("Programmed");
      return programmed?.status === "True" && programmed.observedGeneration === 2;
    });
    expect(await release.gatewayPods()).toEqual(pods);
    expect(await Promise.all(sockets.map((socket) => echoed(socket, "still here")))).toEqual(
      Array(CLIENTS).fill("still here"),
    );
    expect(closed).toBe(0);
    for (const socket of sockets) socket.terminate();
  }, 240_000);

  it("lets a deleted route go: nobody new gets in, and who is in stays", async () => {
    const socket = await release.connect("/echo");
    await release.apps("delete", "wsr/echo");
    await until("the route is gone", 20_000, async () => {
      const refused = await release.connect("/echo").catch((error: Error) => error);
      if (refused instanceof Error) return refused.message.includes("404");
      refused.terminate();
      return false;
    });
    expect(await echoed(socket, "still here")).toBe("still here");
    socket.terminate();
  }, 60_000);

  it("goes with `helm uninstall`: clients are told, nothing stays but the definitions and what people made", async () => {
    const socket = await release.connect("/news");
    const closed = once(socket, "close");
    await release.helm("uninstall", "--wait", "--timeout=120s");
    expect((await closed)[0]).toBe(1012);

    await until("the namespace is empty", 90_000, async () => (await leftovers()).length === 0).catch(async (error) => {
      throw new Error(`${error.message}; there are still ${(await leftovers()).join(", ")}`);
    });
    expect(await release.kubectl("get", "crd", "--output=name")).toContain("websocketroutes.holdfast.dev");
    expect(await release.apps("get", "wsr", "--output=name")).toBe("websocketroute.holdfast.dev/news\n");
    const everywhere = "clusterroles,clusterrolebindings";
    expect(
      await release.kubectl("get", everywhere, "--selector=app.kubernetes.io/instance=holdfast", "--output=name"),
    ).toBe("");
  }, 240_000);

  /** What is in the release's namespace that is not in every namespace. */
  async function leftovers(): Promise<string[]> {
    const kinds = await release.kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name");
    const listed = kinds.split("\n").filter((kind) => kind !== "" && !kind.startsWith("events"));
    const objects = await release.own("get", listed.join(","), "--output=name");
    const everywhere = ["configmap/kube-root-ca.crt", "serviceaccount/default"];
    return objects.split("\n").filter((name) => name !== "" && !everywhere.includes(name));
  }
});
