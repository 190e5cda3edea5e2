// What `helm test` runs, against a real gateway: it passes when messages go through, and fails in words when they do not.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { findHelms, HELM_TIMEOUT_MS, type Helms, type Manifest, pick } from "../support/chart.ts";
import { type CommandResult, runCommand } from "../support/controlplane/command.ts";
import { type HoldfastProcess, startHoldfast } from "../support/holdfast.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const TOKEN = "token-of-this-test";

type TestPod = Manifest & {
  readonly spec: {
    readonly containers: readonly [
      { readonly command: readonly string[]; readonly args: readonly string[]; readonly env: readonly Env[] },
    ];
  };
};
interface Env {
  readonly name: string;
  readonly value?: string;
}
interface Started {
  readonly listeners: Readonly<Record<string, number>>;
  readonly api: number;
}

let helms: Helms;
let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "holdfast-helm-test-"));
  helms = await findHelms();
}, HELM_TIMEOUT_MS);
afterAll(() => {
  helms?.clean();
  rmSync(dir, { recursive: true, force: true });
});

describe.each([
  ["any host", undefined],
  ["a wildcard host", "*.example.com"],
])("helm test of a gateway for %s", (_what, hostname) => {
  let gateway: HoldfastProcess;
  let started: Started;
  let pod: TestPod;
  beforeAll(async () => {
    const listener = { name: "ws", port: 8080, protocol: "WS", ...(hostname === undefined ? {} : { hostname }) };
    const objects = await helms.latest.template({ gateway: { listeners: [listener] } });
    pod = pick(objects, "Pod");
    const source = pick<Manifest & { data: Record<string, string> }>(objects, "ConfigMap", "holdfast-default-gateway");
    const route = pick(objects, "WebSocketRoute");
    const file = join(dir, "manifests.yaml");
    // Standalone runs no pods, and so takes no number of them.
    const manifest = (source.data["gateway.yaml"] ?? "").replace(/^ *replicas: .*\n?/m, "");
    writeFileSync(file, `${manifest}\n---\n${JSON.stringify(route)}\n`);
    const ports = ["--port=0", "--api-port=0", "--admin-port=0", `--api-token=${TOKEN}`];
    gateway = await startHoldfast({ name: "gateway", args: ["run", "--filename", file, ...ports], dir });
    started = (await gateway.line("that it serves", ({ event }) => event === "started")) as unknown as Started;
  }, 30_000);
  afterAll(() => gateway?.kill());

  /** The pod's command with the addresses of this gateway, and this checkout in place of the image's folder. */
  function test(token: string): Promise<CommandResult> {
    const [{ command, args, env }] = pod.spec.containers;
    const at = (url: string, port: number | undefined) => url.replace(/\/\/[^/]+/, `//127.0.0.1:${port}`);
    const given = Object.fromEntries(env.map(({ name, value = "" }) => [name, value]));
    const addresses = {
      GATEWAY_URL: at(given.GATEWAY_URL ?? "", started.listeners.ws),
      API_URL: at(given.API_URL ?? "", started.api),
      API_TOKEN: token,
    };
    const [program, ...flags] = command;
    expect(program).toBe("/usr/local/bin/node");
    const script = args.map((text) => text.replaceAll('"/app/"', JSON.stringify(`${ROOT}/`)));
    return runCommand(process.execPath, [...flags, ...script], { env: { ...given, ...addresses } });
  }

  it("passes when a message goes through", async () => {
    const { code, stdout, stderr } = await test(TOKEN);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/connected to .*\na message went through the gateway/);
  }, 30_000);

  it("fails when the API does not take it, and says so", async () => {
    const { code, stderr } = await test("another");
    expect(code).toBe(1);
    expect(stderr).toContain("answered 401");
  }, 30_000);
});
