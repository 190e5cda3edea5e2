import { appendFileSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { type LoadedFiles, loadFiles, watchFiles } from "./files.ts";

let folder: string;
let stop: AbortController;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-files-"));
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  await rm(folder, { recursive: true, force: true });
});

const route = (name: string, path = "/ws") => `apiVersion: holdfast.dev/v1alpha1
kind: WebSocketRoute
metadata:
  name: ${name}
spec:
  matches:
    - path:
        value: ${path}
  hub: {}
`;

async function put(file: string, ...documents: readonly string[]): Promise<string> {
  const path = join(folder, file);
  await writeFile(path, documents.join("---\n"));
  return path;
}

function problemsOf({ problems }: LoadedFiles): string[] {
  return problems.map(({ file, line, message }) => `${file.slice(folder.length + 1)}:${line}: ${message}`);
}

describe("loadFiles", () => {
  it("reads files, folders with their subfolders, several documents, Lists and JSON", async () => {
    await mkdir(join(folder, "sub"));
    await put("a.yaml", route("a"), route("b"));
    await put("sub/list.yml", "kind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {}}\n");
    await put("sub/c.json", JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } }));
    const named = await put("d.txt", route("d"));
    await put("ignored.txt", route("ignored"));
    await put(".hidden.yaml", route("hidden"));
    const { cluster, problems } = await loadFiles([folder, named]);
    expect([...cluster.routes.keys()]).toEqual(["default/a", "default/b", "default/d"]);
    expect([...cluster.services.keys()]).toEqual(["default/s"]);
    expect([...cluster.configMaps.keys()]).toEqual(["default/c"]);
    expect(problems).toEqual([]);
  });

  it("adds a gateway that takes everything on port 8080 where the files have none", async () => {
    await put("a.yaml", route("a"));
    const { cluster } = await loadFiles([folder]);
    const [entry] = cluster.gateways.values();
    expect(entry?.parsed).toMatchObject({
      ok: true,
      value: { spec: { listeners: [{ port: 8080, protocol: "WS" }], allowedRoutes: { namespaces: { from: "All" } } } },
    });
  });

  it("tells each problem with file, line and field, and loads the rest", async () => {
    await put("bad.yaml", route("good"), route("bad", "no-slash").replace("hub: {}", "hub: {}\n  limitz: 1"));
    await put("broken.yaml", "kind: [\n");
    await put("shape.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n  ports:\n  - port: none\n");
    await put("strange.yaml", "just: text\n");
    const loaded = await loadFiles([folder, join(folder, "missing")]);
    expect(problemsOf(loaded)).toEqual([
      "missing:1: cannot be read: no such file or folder",
      "bad.yaml:18: WebSocketRoute default/bad: spec.matches[0].path.value: must start with /",
      "bad.yaml:20: WebSocketRoute default/bad: spec.limitz: is not a known field",
      expect.stringMatching(/^broken\.yaml:2: not valid YAML: /),
      expect.stringMatching(/^shape\.yaml:6: Service default\/s: spec\.ports\[0\]\.port: /),
      "strange.yaml:1: not a Kubernetes object: it has no kind",
    ]);
    expect([...loaded.cluster.routes].map(([key, { parsed }]) => [key, parsed.ok])).toEqual([
      ["default/good", true],
      ["default/bad", false],
    ]);
  });

  it("counts the first of two objects of one name", async () => {
    await put("a.yaml", route("chat", "/first"));
    await put("b.yaml", "# a comment\n", route("chat", "/second"));
    const loaded = await loadFiles([folder]);
    expect(problemsOf(loaded)).toEqual([
      `b.yaml:3: WebSocketRoute default/chat is already in ${join(folder, "a.yaml")}:1; this one is passed over`,
    ]);
    expect(JSON.stringify(loaded.cluster.routes.get("default/chat")?.parsed)).toContain("/first");
  });

  it("does not take half a file for the whole of it", async () => {
    const file = join(folder, "a.yaml");
    writeFileSync(file, route("a"));
    const loading = loadFiles([folder]);
    await setTimeout(5);
    appendFileSync(file, `---\n${route("b")}`);
    expect([...(await loading).cluster.routes.keys()]).toEqual(["default/a", "default/b"]);
  });

  it("survives an alias bomb", async () => {
    const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(", ")}]`);
    await put("bomb.yaml", ["l0: &l0 [x]", ...levels].join("\n"));
    const loaded = await loadFiles([folder]);
    expect(problemsOf(loaded)).toEqual([expect.stringMatching(/^bomb\.yaml:1: not valid YAML: .*alias/i)]);
  });
});

/** What a watch tells, to be waited for. */
class Told {
  readonly #waiting: ((loaded: LoadedFiles) => void)[] = [];
  readonly #unread: LoadedFiles[] = [];

  readonly push = (loaded: LoadedFiles): void => {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#unread.push(loaded);
    else waiting(loaded);
  };

  next(): Promise<LoadedFiles> {
    const [unread] = this.#unread.splice(0, 1);
    return unread === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(unread);
  }
}

describe("watchFiles", () => {
  async function watched(): Promise<{ first: LoadedFiles; told: Told }> {
    const told = new Told();
    const first = await watchFiles([folder], told.push, { signal: stop.signal });
    return { first, told };
  }

  it("tells of a change within a second, with unchanged objects as they were", async () => {
    await put("a.yaml", route("a"));
    await put("b.yaml", route("b"));
    const { first, told } = await watched();
    const began = performance.now();
    await put("a.yaml", route("a", "/changed"));
    const after = await told.next();
    expect(performance.now() - began).toBeLessThan(1000);
    expect(JSON.stringify(after.cluster.routes.get("default/a")?.parsed)).toContain("/changed");
    expect(after.cluster.routes.get("default/b")).toBe(first.cluster.routes.get("default/b"));
  });

  it("sees a file that an editor replaces, twice", async () => {
    await put("a.yaml", route("a"));
    const { told } = await watched();
    for (const path of ["/one", "/two"]) {
      const written = await put(".a.swp", route("a", path));
      await rename(written, join(folder, "a.yaml"));
      expect(JSON.stringify((await told.next()).cluster.routes.get("default/a")?.parsed)).toContain(path);
    }
  });

  it("sees new folders, and files that go", async () => {
    await put("a.yaml", route("a"));
    const { told } = await watched();
    await mkdir(join(folder, "new"));
    await put("new/b.yaml", route("b"));
    expect([...(await told.next()).cluster.routes.keys()]).toEqual(["default/a", "default/b"]);
    await rm(join(folder, "a.yaml"));
    expect([...(await told.next()).cluster.routes.keys()]).toEqual(["default/b"]);
  });

  it("sees the swap of the links by which Kubernetes mounts a ConfigMap", async () => {
    for (const version of ["one", "two"]) {
      await mkdir(join(folder, `..${version}`));
      await put(`..${version}/a.yaml`, route("a", `/${version}`));
    }
    await symlink("..one", join(folder, "..data"));
    await symlink(join("..data", "a.yaml"), join(folder, "a.yaml"));
    const { first, told } = await watched();
    expect(JSON.stringify(first.cluster.routes.get("default/a")?.parsed)).toContain("/one");
    await symlink("..two", join(folder, "..tmp"));
    await rename(join(folder, "..tmp"), join(folder, "..data"));
    expect(JSON.stringify((await told.next()).cluster.routes.get("default/a")?.parsed)).toContain("/two");
  });

  it.each([
    ["that is no YAML any more", "kind: [\n", "a.yaml:2: not valid YAML"],
    ["with an object that is not valid any more", route("a", "no-slash"), "a.yaml:8: WebSocketRoute default/a: spec.m"],
  ])("keeps a file %s as it was, and says so", async (_what, broken, problem) => {
    await put("a.yaml", route("a"));
    const { first, told } = await watched();
    await put("a.yaml", broken);
    const after = await told.next();
    expect(after.cluster.routes.get("default/a")).toBe(first.cluster.routes.get("default/a"));
    expect(problemsOf(after)[0]?.startsWith(problem)).toBe(true);
    expect(problemsOf(after)[0]).toMatch(/\(the file stays as it was\)$/);
    await put("a.yaml", route("a", "/mended"));
    const mended = await told.next();
    expect(mended.problems).toEqual([]);
    expect(JSON.stringify(mended.cluster.routes.get("default/a")?.parsed)).toContain("/mended");
  });
});
