/** The same Cluster as from the API server, from YAML files: for standalone use, tests and checks. */
import { type FSWatcher, watch } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { API_VERSION, DEFAULT_GATEWAY_ANNOTATION } from "../crds/kinds.ts";
import {
  type ClusterStore,
  createClusterStore,
  type GatewayEntry,
  type Problem,
  type RouteEntry,
  readGateway,
  readRoute,
} from "./cluster.ts";
import {
  type FileProblem,
  type Manifest,
  type ManifestKind,
  type ParsedFile,
  parseManifests,
  problemsAt,
} from "./manifests.ts";
import { type KubernetesObject, namespacedName, type ReferenceGrant } from "./objects.ts";

export interface LoadedFiles {
  readonly cluster: ClusterStore;
  /** In the order of files and lines. What has a problem is left out; the rest is there. */
  readonly problems: readonly FileProblem[];
  /** Files that were read, sorted. */
  readonly files: readonly string[];
  /** Where an object (`namespace/name`), or a field of it, stands; undefined for what is in no file. */
  readonly locate: (
    kind: ManifestKind,
    key: string,
    field?: string,
  ) => { readonly file: string; readonly line: number } | undefined;
}

const EXTENSIONS = new Set([".yaml", ".yml", ".json"]);
const FILE_LIMIT_BYTES = 16 * 1024 * 1024;
/** Editors write a file in several steps. */
const DEBOUNCE_MS = 50;
const SETTLE = { ms: 60, attempts: 10 } as const;
/** For file systems that report nothing (network mounts, full watch tables). */
const RESCAN_MS = 2000;

/** Reads all manifests under the paths: files as they are named, folders with everything in them. Never throws for their content. */
export async function loadFiles(paths: readonly string[]): Promise<LoadedFiles> {
  return assemble(await readAll(paths, new Map()));
}

/**
 * Loads again whenever something under the paths changes and calls `onChange` when the outcome may differ. A file that can no
 * longer be read or parsed, or that has gained an invalid object, stays as it last was, with its problems told.
 *
 * @returns what is there at first; `onChange` gets only what comes after
 */
export async function watchFiles(
  paths: readonly string[],
  onChange: (loaded: LoadedFiles) => void,
  { signal }: { readonly signal: AbortSignal },
): Promise<LoadedFiles> {
  const watching = new FileWatch(paths, onChange);
  signal.addEventListener("abort", () => watching.close(), { once: true });
  return await watching.start();
}

/** What is known of one file: its text as last seen, and what of it is served. */
interface FileState {
  readonly source: string;
  readonly served: ParsedFile;
  /** Problems of a newer text that is not served. */
  readonly pending: readonly FileProblem[];
}

interface Scan {
  readonly files: Map<string, FileState>;
  readonly folders: ReadonlySet<string>;
  readonly problems: readonly FileProblem[];
}

async function readAll(paths: readonly string[], before: ReadonlyMap<string, FileState>): Promise<Scan> {
  const found = { files: new Set<string>(), folders: new Set<string>(), problems: [] as FileProblem[] };
  for (const path of paths) await findFiles(path, found, "named");
  const files = new Map<string, FileState>();
  for (const file of [...found.files].sort()) files.set(file, await readOne(file, before.get(file)));
  return { files, folders: found.folders, problems: found.problems };
}

interface Found {
  readonly files: Set<string>;
  readonly folders: Set<string>;
  readonly problems: FileProblem[];
}

async function findFiles(path: string, found: Found, how: "named" | "within"): Promise<void> {
  try {
    if (!(await stat(path)).isDirectory()) {
      if (how === "within" && !EXTENSIONS.has(extname(path))) return;
      found.files.add(path);
      found.folders.add(dirname(path));
      return;
    }
    found.folders.add(path);
    for (const name of (await readdir(path)).sort()) {
      if (!name.startsWith(".") && name !== "node_modules") await findFiles(join(path, name), found, "within");
    }
  } catch (error) {
    if (how === "named") found.problems.push({ file: path, line: 1, message: `cannot be read: ${codeOf(error)}` });
  }
}

async function readOne(file: string, before: FileState | undefined): Promise<FileState> {
  try {
    await settled(file);
    const source = await readFile(file, "utf8");
    return before?.source === source ? before : stateOf(source, parseManifests(file, source), before);
  } catch (error) {
    const pending = [{ file, line: 1, message: `cannot be read: ${codeOf(error)}` }];
    return { source: "", served: before?.served ?? { manifests: [], problems: [] }, pending };
  }
}

/** Half a file may be valid YAML with half of the objects: one that was written just now is not read yet. */
async function settled(file: string): Promise<void> {
  for (let attempt = 0; attempt < SETTLE.attempts; attempt++) {
    const { size, mtimeMs } = await stat(file);
    if (size > FILE_LIMIT_BYTES) throw new RangeError(`larger than ${FILE_LIMIT_BYTES} bytes`);
    const age = Date.now() - mtimeMs;
    if (age < 0 || age >= SETTLE.ms) return;
    await setTimeout(SETTLE.ms);
  }
}

function stateOf(source: string, parsed: ParsedFile, before: FileState | undefined): FileState {
  const problems = [
    ...parsed.problems,
    ...parsed.manifests.flatMap((manifest) => problemsAt(manifest, problemsOf(manifest))),
  ];
  if (problems.length === 0 || before === undefined) return { source, served: parsed, pending: [] };
  const pending = problems.map((problem) => ({ ...problem, message: `${problem.message} (the file stays as it was)` }));
  return { source, served: before.served, pending };
}

const entries = new WeakMap<Manifest, RouteEntry | GatewayEntry>();

/** The entry of one of our own kinds, read once: a manifest lives as long as the text of its file. */
function entryOf(manifest: Manifest): RouteEntry | GatewayEntry | undefined {
  const { kind, object } = manifest;
  if (kind !== "WebSocketRoute" && kind !== "WebSocketGateway") return undefined;
  const entry = entries.get(manifest) ?? (kind === "WebSocketRoute" ? readRoute(object) : readGateway(object));
  entries.set(manifest, entry);
  return entry;
}

function problemsOf(manifest: Manifest): readonly Problem[] {
  const parsed = entryOf(manifest)?.parsed;
  return parsed === undefined || parsed.ok ? [] : parsed.problems;
}

function codeOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return code === "ENOENT" ? "no such file or folder" : (message ?? String(error));
}

/** Sorts the objects of all files into a Cluster. The first of two objects of one name counts. */
function assemble({ files, problems }: Scan): LoadedFiles {
  const cluster = createClusterStore();
  const grants = new Map<string, ReferenceGrant>();
  const all = [...problems];
  const seen = new Map<string, Manifest>();
  for (const { served, pending } of files.values()) {
    all.push(...served.problems, ...pending);
    for (const manifest of served.manifests) {
      const key = `${manifest.kind} ${namespacedName(manifest.object)}`;
      const first = seen.get(key);
      if (first !== undefined) {
        const message = `${key} is already in ${first.file}:${first.locate("")}; this one is passed over`;
        all.push({ file: manifest.file, line: manifest.locate(""), message });
        continue;
      }
      seen.set(key, manifest);
      add({ cluster, grants, manifest, problems: all });
    }
  }
  cluster.referenceGrants = grants;
  if (cluster.gateways.size === 0) addDefaultGateway(cluster);
  all.sort((a, b) => (a.file === b.file ? a.line - b.line : 0));
  const locate: LoadedFiles["locate"] = (kind, key, field = "") => {
    const manifest = seen.get(`${kind} ${key}`);
    return manifest && { file: manifest.file, line: manifest.locate(field) };
  };
  return { cluster, problems: all, files: [...files.keys()], locate };
}

interface Adding {
  readonly cluster: ClusterStore;
  readonly grants: Map<string, ReferenceGrant>;
  readonly manifest: Manifest;
  readonly problems: FileProblem[];
}

function add({ cluster, grants, manifest, problems }: Adding): void {
  const { kind, object } = manifest;
  const key = namespacedName(object);
  problems.push(...problemsAt(manifest, problemsOf(manifest)));
  const maps: Record<ManifestKind, Map<string, unknown>> = {
    WebSocketRoute: cluster.routes,
    WebSocketGateway: cluster.gateways,
    Service: cluster.services,
    EndpointSlice: cluster.endpointSlices,
    Secret: cluster.secrets,
    ConfigMap: cluster.configMaps,
    Namespace: cluster.namespaces,
    ReferenceGrant: grants,
  };
  maps[kind].set(kind === "Namespace" ? object.metadata.name : key, entryOf(manifest) ?? object);
}

/** Files without a WebSocketGateway are served by one that takes every route on port 8080. */
function addDefaultGateway(cluster: ClusterStore): void {
  const object: KubernetesObject & { readonly spec: unknown } = {
    apiVersion: API_VERSION,
    kind: "WebSocketGateway",
    metadata: {
      name: "standalone",
      namespace: "default",
      annotations: { [DEFAULT_GATEWAY_ANNOTATION]: "true" },
    },
    spec: {
      listeners: [{ name: "ws", port: 8080, protocol: "WS" }],
      allowedRoutes: { namespaces: { from: "All" } },
    },
  };
  cluster.gateways.set(namespacedName(object), readGateway(object));
}

class FileWatch {
  readonly #paths: readonly string[];
  readonly #onChange: (loaded: LoadedFiles) => void;
  readonly #watchers = new Map<string, FSWatcher>();
  #scan: Scan = { files: new Map(), folders: new Set(), problems: [] };
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(paths: readonly string[], onChange: (loaded: LoadedFiles) => void) {
    this.#paths = paths;
    this.#onChange = onChange;
  }

  async start(): Promise<LoadedFiles> {
    this.#scan = await readAll(this.#paths, new Map());
    this.#watchFolders();
    // What changed between the reading and the watching is seen by one more reading.
    this.#schedule(DEBOUNCE_MS);
    return assemble(this.#scan);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #schedule(delay: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = globalThis.setTimeout(() => {
      this.#timer = undefined;
      this.#reading = this.#reading.then(() => this.#reload());
    }, delay);
    if (delay === RESCAN_MS) this.#timer.unref();
  }

  async #reload(): Promise<void> {
    const before = this.#scan;
    const after = await readAll(this.#paths, before.files);
    if (this.#closed) return;
    this.#scan = after;
    if (this.#timer === undefined) this.#schedule(RESCAN_MS);
    this.#watchFolders();
    if (changed(before, after)) this.#onChange(assemble(after));
  }

  /** Folders, not files: an editor replaces the file that it saves, and a watch on the old one would see nothing more. */
  #watchFolders(): void {
    for (const [folder, watcher] of this.#watchers) {
      if (this.#scan.folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of this.#scan.folders) if (!this.#watchers.has(folder)) this.#watchFolder(folder);
  }

  #watchFolder(folder: string): void {
    try {
      const watcher = watch(folder, () => this.#schedule(DEBOUNCE_MS));
      watcher.on("error", () => {
        watcher.close();
        this.#watchers.delete(folder);
      });
      this.#watchers.set(folder, watcher);
    } catch {
      // Gone or not watchable: the rescan sees what becomes of it.
    }
  }
}

function changed(before: Scan, after: Scan): boolean {
  if (before.files.size !== after.files.size || before.problems.length !== after.problems.length) return true;
  for (const [file, state] of after.files) {
    const old = before.files.get(file);
    if (old === undefined || old.source !== state.source || old.pending.length !== state.pending.length) return true;
  }
  return false;
}
