import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { runCommand } from "./command.ts";

const SCRIPT = fileURLToPath(new URL("../../controlplane/build.sh", import.meta.url));
const ALL = ["etcd", "helm", "kube-apiserver", "kube-controller-manager", "kubectl"];

// Stands for the Go compiler, whose real run takes minutes: notes what it was asked for and writes a file.
const COMPILER = `#!/bin/sh
for package; do :; done
echo "$package" >> "$COMPILED"
while [ "$1" != -o ]; do shift; done
sleep 0.1
echo "$package" > "$2"
chmod +x "$2"
`;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "holdfast-binaries-"));
  mkdirSync(join(dir, "tools"));
  mkdirSync(join(dir, "assets"));
});
afterEach(() => rmSync(dir, { recursive: true }));

function program(folder: string, name: string, content: string): void {
  writeFileSync(join(dir, folder, name), content);
  chmodSync(join(dir, folder, name), 0o755);
}

const build = (env: Record<string, string> = {}, tools: readonly string[] = []) =>
  runCommand(SCRIPT, tools, {
    env: {
      PATH: `${join(dir, "tools")}:/usr/bin:/bin`,
      HOLDFAST_CACHE: join(dir, "cache"),
      COMPILED: join(dir, "compiled"),
      KUBEBUILDER_ASSETS: "",
      ...env,
    },
  });
const lastLine = (stdout: string) => stdout.trimEnd().split("\n").at(-1)!;
const compiled = () => readFileSync(join(dir, "compiled"), "utf8").trimEnd().split("\n");

describe("build.sh", () => {
  it("builds each program once, even when two runs start together, and prints their folder", async () => {
    program("tools", "go", COMPILER);

    const [first, second] = await Promise.all([build(), build()]);

    expect([first.code, second.code]).toEqual([0, 0]);
    expect(lastLine(first.stdout)).toBe(lastLine(second.stdout));
    expect(readdirSync(lastLine(first.stdout)).sort()).toEqual(ALL);
    expect(compiled()).toHaveLength(ALL.length);
  });

  it("builds only what is missing", async () => {
    program("tools", "go", COMPILER);
    const bin = lastLine((await build()).stdout);
    rmSync(join(bin, "etcd"));
    rmSync(join(dir, "compiled"));

    await build();

    expect(compiled()).toEqual(["go.etcd.io/etcd/server/v3"]);
    expect(readdirSync(bin).sort()).toEqual(ALL);
  });

  it("builds just the named tools, and says which there are when a name is wrong", async () => {
    program("tools", "go", COMPILER);

    const named = await build({}, ["kubelet", "etcd"]);
    const unknown = await build({}, ["kubelet", "kubeproxy"]);

    expect(readdirSync(lastLine(named.stdout)).sort()).toEqual(["etcd", "kubelet"]);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain("unknown tool among 'kubelet kubeproxy': known are kube-apiserver");
  });

  it("leaves no program behind when the compiler fails, and fails itself", async () => {
    program("tools", "go", "#!/bin/sh\necho 'no space left on device' >&2\nexit 1\n");

    const { code, stderr } = await build();

    expect(code).toBe(1);
    expect(stderr).toContain("no space left on device");
    expect(stderr).toContain("building kube-apiserver failed");
  });

  it("says what to install when there is no Go", async () => {
    for (const name of ["awk", "cat", "cut", "dirname", "flock", "mkdir", "rm", "sha256sum"]) {
      const found = await runCommand("/bin/sh", ["-c", `command -v ${name}`]);
      symlinkSync(found.stdout.trim(), join(dir, "tools", name));
    }
    const { code, stderr } = await runCommand("/bin/bash", [SCRIPT], {
      env: { PATH: join(dir, "tools"), HOLDFAST_CACHE: join(dir, "cache"), KUBEBUILDER_ASSETS: "" },
    });

    expect(code).toBe(1);
    expect(stderr).toMatch(/there is no 'go' on the PATH: install Go 1\.\d+\.\d+ or newer/);
  });

  it("takes from KUBEBUILDER_ASSETS what is there and builds the rest", async () => {
    program("tools", "go", COMPILER);
    const assets = join(dir, "assets");
    for (const name of ["etcd", "kube-apiserver", "kubectl"]) program("assets", name, "from the assets");

    const { code, stdout } = await build({ KUBEBUILDER_ASSETS: assets });

    expect(code).toBe(0);
    const bin = lastLine(stdout);
    expect(readdirSync(bin).sort()).toEqual(ALL);
    expect(realpathSync(join(bin, "etcd"))).toBe(realpathSync(join(assets, "etcd")));
    expect(readFileSync(join(bin, "helm"), "utf8")).toBe("helm.sh/helm/v4/cmd/helm\n");
    expect(compiled()).toHaveLength(2);
  });

  it("names the folder when KUBEBUILDER_ASSETS leads nowhere", async () => {
    const { code, stderr } = await build({ KUBEBUILDER_ASSETS: join(dir, "nowhere") });

    expect(code).toBe(1);
    expect(stderr).toContain(`KUBEBUILDER_ASSETS names ${join(dir, "nowhere")}, which is no folder`);
  });
});
