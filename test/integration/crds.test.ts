import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { DEFINITIONS } from "../../crds/definitions.ts";
import { GROUP, KINDS } from "../../crds/kinds.ts";
import { CONTROL_PLANE_TIMEOUT_MS, type ControlPlane, startControlPlane } from "../support/controlplane.ts";
import { type Case, INVALID, INVALID_BY_TYPE, manifestOf, VALID } from "../support/crd-cases.ts";
import { fullGateway, fullRoute } from "../support/full-examples.ts";

const CRDS = new URL("../../crds/", import.meta.url).pathname;
const NAMES = DEFINITIONS.map(({ kind }) => `crd/${KINDS[kind].plural}.${GROUP}`);

let plane: ControlPlane;
let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "holdfast-crds-"));
  plane = await startControlPlane();
}, CONTROL_PLANE_TIMEOUT_MS);
afterAll(async () => {
  await plane?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** What the API server says about each example, by the example's name; all in one call, since kubectl is slow to start. */
async function answers(examples: readonly Case[]): Promise<Map<string, string>> {
  const file = join(dir, "examples.json");
  writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: examples.map((c) => manifestOf(c)) }));
  const { stderr } = await plane.kubectl(["create", "--dry-run=server", "--validate=ignore", `--filename=${file}`]);
  const said = new Map<string, string>();
  for (const line of stderr.split("\n").filter((text) => text !== "")) {
    const [, name = "", problem = line] = /"([^"]+)" is invalid: (.*)$/.exec(line) ?? [];
    said.set(name, problem);
  }
  return said;
}

/** `path: Invalid value: "text": message`, where only texts and numbers are shown again. */
function problemIn(answer: string): { path: string; message: string } | string {
  const [, path, message] = /^(\S+): Invalid value: (?:"(?:[^"\\]|\\.)*": |-?\d+: )?(.*)$/.exec(answer) ?? [];
  if (path === undefined || message === undefined) return answer;
  return { path: path === "<nil>" ? "" : path, message };
}

describe("the custom resource definitions on a real API server", () => {
  it("apply without a warning and are established", async () => {
    const applied = await plane.kubectl(["apply", "--server-side", `--filename=${CRDS}`]);
    expect(applied).toMatchObject({ code: 0, stderr: "" });

    const established = await plane.kubectl(["wait", "--for=condition=Established", "--timeout=20s", ...NAMES]);
    expect(established).toMatchObject({ code: 0, stderr: "" });

    const { stdout } = await plane.kubectl(["get", ...NAMES, "--output=json"]);
    const conditions = JSON.parse(stdout).items.map(
      (crd: { status: { conditions: { type: string; status: string }[] } }) =>
        crd.status.conditions.filter(({ status }) => status === "True").map(({ type }) => type),
    );
    // NonStructuralSchema would be among them.
    expect(conditions).toEqual(NAMES.map(() => expect.arrayContaining(["NamesAccepted", "Established"])));
    expect(conditions.flat()).not.toContain("NonStructuralSchema");
  });

  it("apply as kubectl does it by default, too", async () => {
    const applied = await plane.kubectl(["apply", "--dry-run=server", `--filename=${CRDS}`]);
    expect(applied.code).toBe(0);
  });

  describe("reject", () => {
    let said: Map<string, string>;
    beforeAll(async () => {
      said = await answers([...INVALID, ...INVALID_BY_TYPE]);
    });

    it.each(INVALID)("$name: $message", ({ name, path, message }) => {
      // Nothing before or after it: one rule, one problem.
      expect(problemIn(said.get(name) ?? "")).toEqual({ path, message });
    });

    it.each(INVALID_BY_TYPE)("$name at $path", ({ name, path }) => {
      expect(said.get(name)).toContain(path);
    });

    it("a field that does not exist", async () => {
      const object = { ...manifestOf(VALID[0] as Case), spec: { hub: {}, limit: {} } };
      const { code, stderr } = await plane.kubectl(
        ["create", "--dry-run=server", "--validate=strict", "--filename=-"],
        {
          stdin: JSON.stringify(object),
        },
      );
      expect(code).toBe(1);
      expect(stderr).toContain('unknown field "spec.limit"');
    });
  });

  it("accept what is close to a rule and right", async () => {
    expect(await answers(VALID)).toEqual(new Map());
  });

  it("accept every field of the API and keep it, with the defaults filled in", async () => {
    for (const object of [fullRoute("default"), fullGateway("default")]) {
      const { code, stdout, stderr } = await plane.kubectl(
        ["create", "--validate=strict", "--output=json", "--filename=-"],
        { stdin: JSON.stringify(object) },
      );
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(JSON.parse(stdout).spec).toEqual(object.spec);
    }
    const bare = {
      ...manifestOf({ name: "bare", kind: "WebSocketRoute", spec: { backendRefs: [{ name: "a", port: 1 }] } }),
    };
    const { stdout } = await plane.kubectl(["create", "--output=json", "--filename=-"], {
      stdin: JSON.stringify(bare),
    });
    expect(JSON.parse(stdout).spec).toEqual({
      matches: [{ path: { type: "PathPrefix", value: "/" } }],
      backendRefs: [{ name: "a", port: 1, weight: 1 }],
    });
  });

  it("explain themselves", async () => {
    const { code, stdout } = await plane.kubectl(["explain", "wsr.spec.limits"]);
    expect(code).toBe(0);
    expect(stdout).toContain("Bounds on what clients may use.");
    expect(stdout).toContain("Largest message in either direction");
  });

  it("show the columns that people ask for", async () => {
    const status = {
      conditions: [
        {
          type: "Ready",
          status: "True",
          reason: "Ready",
          message: "",
          observedGeneration: 1,
          lastTransitionTime: "2026-01-01T00:00:00Z",
        },
      ],
      pods: "3/3",
      backends: "chat:3000",
    };
    const patched = await plane.kubectl([
      "patch",
      "wsr/full",
      "--subresource=status",
      "--type=merge",
      `--patch=${JSON.stringify({ status })}`,
    ]);
    expect(patched.code).toBe(0);

    const [head, row] = await columns(["get", "wsr/full"]);
    expect(head).toEqual(["NAME", "HOSTNAMES", "READY", "PODS", "AGE"]);
    expect(row?.slice(0, 4)).toEqual(["full", '["chat.example.com","*.chat.example.com"]', "True", "3/3"]);

    const [wideHead, wideRow] = await columns(["get", "wsr/full", "--output=wide"]);
    expect(wideHead).toEqual(["NAME", "HOSTNAMES", "READY", "PODS", "REASON", "BACKENDS", "AGE"]);
    expect(wideRow?.slice(2, 6)).toEqual(["True", "3/3", "Ready", "chat:3000"]);

    const [gatewayHead] = await columns(["get", "wsg", "--output=wide"]);
    expect(gatewayHead).toEqual(["NAME", "READY", "PODS", "ROUTES", "CONNECTIONS", "REASON", "REVISION", "AGE"]);
    expect((await plane.kubectl(["get", "holdfast", "--output=name"])).stdout).toContain("/full");
  });

  it("do not let a change of status change the spec's generation", async () => {
    const { stdout } = await plane.kubectl(["get", "wsr/full", "--output=jsonpath={.metadata.generation}"]);
    expect(stdout).toBe("1");
  });
});

async function columns(args: readonly string[]): Promise<string[][]> {
  const { stdout } = await plane.kubectl(args);
  return stdout
    .trim()
    .split("\n")
    .map((line) => line.split(/\s{2,}/));
}
