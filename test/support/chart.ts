// The chart through both Helms: what they render, and what they say when they refuse.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseAllDocuments } from "yaml";
import { findBinaries } from "./controlplane/binaries.ts";
import { type CommandResult, runCommand } from "./controlplane/command.ts";

const ROOT = resolve(import.meta.dirname, "../..");
export const CHART = join(ROOT, "charts/holdfast");
export const RELEASE = "holdfast";
export const NAMESPACE = "holdfast";

/** Building Helm 3 takes minutes where it is not built yet. */
export const HELM_TIMEOUT_MS = 600_000;

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

export interface Helm {
  readonly version: "3" | "4";
  run(args: readonly string[], options?: { stdin?: string; kubeconfig?: string }): Promise<CommandResult>;
  /** The chart's objects with these values. @throws Error with Helm's words when it refuses. */
  template(values: object): Promise<readonly Manifest[]>;
  /** Helm's words about values that it refuses. @throws Error when it takes them. */
  refusal(values: object): Promise<string>;
}

export interface Helms {
  readonly both: readonly [Helm, Helm];
  /** Helm 4. */
  readonly latest: Helm;
  clean(): void;
}

/** Both Helms with folders of their own. Builds what is not built yet. */
export async function findHelms(): Promise<Helms> {
  const built = await runCommand(join(ROOT, "test/controlplane/helm3/build.sh"), []);
  if (built.code !== 0) throw new Error(built.stderr);
  const folder = mkdtempSync(join(tmpdir(), "holdfast-helm-"));
  const helm3 = helmOf("3", built.stdout.trimEnd().split("\n").at(-1) ?? "", folder);
  const helm4 = helmOf("4", join(await findBinaries(), "helm"), folder);
  return { both: [helm3, helm4], latest: helm4, clean: () => rmSync(folder, { recursive: true, force: true }) };
}

function helmOf(version: Helm["version"], program: string, folder: string): Helm {
  const homes = Object.fromEntries(
    ["CACHE", "CONFIG", "DATA"].map((home) => [`HELM_${home}_HOME`, join(folder, version, home)]),
  );
  const run: Helm["run"] = (args, { stdin = "", kubeconfig = "/dev/null" } = {}) =>
    runCommand(program, args, { stdin, env: { ...homes, KUBECONFIG: kubeconfig } });
  const template = (values: object) =>
    run(["template", RELEASE, CHART, `--namespace=${NAMESPACE}`, "--values=-"], { stdin: JSON.stringify(values) });
  return {
    version,
    run,
    async template(values) {
      const { code, stdout, stderr } = await template(values);
      if (code !== 0) throw new Error(stderr);
      return manifestsOf(stdout);
    },
    async refusal(values) {
      const { code, stderr } = await template(values);
      if (code === 0) throw new Error("helm took these values");
      return stderr;
    },
  };
}

/** @throws Error for what is not YAML. */
export function manifestsOf(text: string): readonly Manifest[] {
  return parseAllDocuments(text)
    .map((document) => {
      if (document.errors.length > 0) throw document.errors[0];
      return document.toJS() as Manifest | null;
    })
    .filter((object) => object !== null);
}

/** The one object of a kind, or of a kind and name. @throws Error when there is none. */
export function pick<T extends Manifest>(objects: readonly Manifest[], kind: string, name?: string): T {
  const found = objects.filter(
    (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
  );
  if (found.length !== 1) throw new Error(`${found.length} objects are ${kind} ${name ?? ""}`);
  return found[0] as T;
}
