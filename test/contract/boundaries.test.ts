/** Who may know whom: the architecture as a table, held against every import in the tree. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";

const ROOT = resolve(import.meta.dirname, "../..");

/** For each house folder, what its files may import from the tree, as path prefixes. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  crds: ["crds/"],
  kube: ["kube/"],
  policy: ["policy/"],
  operator: ["operator/", "crds/", "kube/", "policy/", "gateway/snapshot.ts"],
  gateway: ["gateway/", "kube/", "policy/"],
  cli: ["cli/", "crds/", "kube/", "operator/", "gateway/"],
};

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .map((file) => join(folder, file));
}

function localImports(file: string): string[] {
  const text = readFileSync(join(ROOT, file), "utf8");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*["'](\.[^"']+)["']/g)].map(([, target]) =>
    relative(ROOT, resolve(ROOT, dirname(file), target ?? "")),
  );
}

describe.each(Object.entries(MAY_IMPORT))("%s", (folder, allowed) => {
  it(`imports only ${allowed.join(", ")}`, () => {
    const files = sources(folder);
    expect(files.length).toBeGreaterThan(0);
    const strangers = files.flatMap((file) =>
      localImports(file)
        .filter((target) => !allowed.some((prefix) => target.startsWith(prefix)))
        .map((target) => `${file} -> ${target}`),
    );
    expect(strangers).toEqual([]);
  });
});
