/** YAML text to the objects that Holdfast reads, each problem with its line and field. Pure; `files.ts` has the disk. */
import { type Document, isMap, isNode, isSeq, LineCounter, type Node, parseAllDocuments } from "yaml";
import { z } from "zod";
import { API_VERSION } from "../crds/kinds.ts";
import type { Problem } from "./cluster.ts";
import type { KubernetesObject } from "./objects.ts";

/** A problem in a file, for people: `file:line: message`. `line` counts from 1. */
export interface FileProblem {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** One object of a file. `locate` gives the line of a field path, or of its nearest parent that exists. */
export interface Manifest {
  readonly file: string;
  readonly kind: ManifestKind;
  readonly object: KubernetesObject;
  readonly locate: (path: string) => number;
}

export interface ParsedFile {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly FileProblem[];
}

const text = z.string();
const metadata = z.looseObject({
  name: text.min(1).max(253),
  namespace: text.max(63).optional(),
  generation: z.int().min(0).optional(),
  creationTimestamp: z.iso.datetime().optional(),
  labels: z.record(text, text).optional(),
  annotations: z.record(text, text).optional(),
});
const port = z.int().min(1).max(65535);
const base64 = z.base64();

/**
 * Shapes that the API server would make sure of. Our own two kinds are read for their metadata only: `crds/parse.ts` knows the
 * rest of them.
 */
const SHAPES = {
  WebSocketRoute: { apiVersion: API_VERSION, shape: z.looseObject({ metadata }) },
  WebSocketGateway: { apiVersion: API_VERSION, shape: z.looseObject({ metadata }) },
  Service: {
    apiVersion: "v1",
    shape: z.looseObject({
      metadata,
      spec: z.looseObject({
        type: text.optional(),
        externalName: text.optional(),
        ports: z
          .array(z.looseObject({ name: text.optional(), port, targetPort: z.union([port, text]).optional() }))
          .optional(),
      }),
    }),
  },
  EndpointSlice: {
    apiVersion: "discovery.k8s.io/v1",
    shape: z.looseObject({
      metadata,
      addressType: z.enum(["IPv4", "IPv6", "FQDN"]),
      endpoints: z
        .array(
          z.looseObject({
            addresses: z.array(text).min(1),
            conditions: z.looseObject({ ready: z.boolean().optional() }).optional(),
          }),
        )
        .nullish(),
      ports: z.array(z.looseObject({ name: text.optional(), port: port.optional() })).nullish(),
    }),
  },
  Secret: {
    apiVersion: "v1",
    shape: z.looseObject({
      metadata,
      data: z.record(text, base64).optional(),
      stringData: z.record(text, text).optional(),
    }),
  },
  ConfigMap: {
    apiVersion: "v1",
    shape: z.looseObject({
      metadata,
      data: z.record(text, text).optional(),
      binaryData: z.record(text, base64).optional(),
    }),
  },
  Namespace: { apiVersion: "v1", shape: z.looseObject({ metadata }) },
  ReferenceGrant: {
    apiVersion: "gateway.networking.k8s.io/v1beta1",
    shape: z.looseObject({
      metadata,
      spec: z.looseObject({
        from: z.array(z.looseObject({ group: text, kind: text, namespace: text })).min(1),
        to: z.array(z.looseObject({ group: text, kind: text, name: text.optional() })).min(1),
      }),
    }),
  },
} as const satisfies Record<string, { apiVersion: string; shape: z.ZodType }>;

export type ManifestKind = keyof typeof SHAPES;

const KINDS_IN_LOWER_CASE = new Map(Object.keys(SHAPES).map((kind) => [kind.toLowerCase(), kind as ManifestKind]));

/** Every object of every document in a file; documents of other kinds are passed over, since they often stand beside ours. */
export function parseManifests(file: string, source: string): ParsedFile {
  const lines = new LineCounter();
  const manifests: Manifest[] = [];
  const problems: FileProblem[] = [];
  const documents = parseAllDocuments(source, { lineCounter: lines });
  for (const document of Array.isArray(documents) ? documents : []) {
    for (const error of document.errors) {
      const message = (error.message.split("\n", 1)[0] ?? "").replace(/ at line \d+, column \d+:?$/, "");
      problems.push({ file, line: lines.linePos(error.pos[0]).line, message: `not valid YAML: ${message}` });
    }
    if (document.errors.length > 0) continue;
    readDocument({ file, lines, manifests, problems, document });
  }
  return { manifests, problems };
}

interface Reading {
  readonly file: string;
  readonly lines: LineCounter;
  readonly manifests: Manifest[];
  readonly problems: FileProblem[];
  readonly document: Document;
}

function readDocument(reading: Reading): void {
  const { document, file, problems } = reading;
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    problems.push({
      file,
      line: 1,
      message: `not valid YAML: ${error instanceof Error ? error.message : String(error)}`,
    });
    return;
  }
  if (value === null || value === undefined) return;
  const items = (value as { kind?: unknown }).kind === "List" ? (value as { items?: unknown }).items : undefined;
  if (Array.isArray(items)) for (const [index, item] of items.entries()) readObject(reading, item, ["items", index]);
  else readObject(reading, value, []);
}

function readObject(reading: Reading, value: unknown, prefix: readonly (string | number)[]): void {
  const { file, problems, manifests } = reading;
  const locate = (path: string): number => lineOf(reading, [...prefix, ...segments(path)]);
  const complain = (path: string, message: string): void => {
    problems.push({ file, line: locate(path), message });
  };
  const { kind: written, apiVersion } = Object(value) as { kind?: unknown; apiVersion?: unknown };
  if (typeof written !== "string") {
    complain("", "not a Kubernetes object: it has no kind");
    return;
  }
  const kind = KINDS_IN_LOWER_CASE.get(written.toLowerCase());
  if (kind === undefined) return;
  const known = SHAPES[kind];
  if (written !== kind) {
    complain("kind", `kind: ${written} is not known; write ${kind}`);
    return;
  }
  if (apiVersion !== known.apiVersion) {
    complain("apiVersion", `${kind}: apiVersion must be ${known.apiVersion}`);
    return;
  }
  const parsed = known.shape.safeParse(value);
  if (parsed.success) {
    manifests.push({ file, kind, object: withNamespace(kind, parsed.data as unknown as KubernetesObject), locate });
    return;
  }
  for (const issue of parsed.error.issues) {
    const path = pathText(issue.path);
    complain(path, `${kind} ${nameOf(value)}: ${path}: ${issue.message}`);
  }
}

/** As the API server does for an object without a namespace. */
function withNamespace(kind: ManifestKind, object: KubernetesObject): KubernetesObject {
  if (kind === "Namespace" || object.metadata.namespace !== undefined) return object;
  return { ...object, metadata: { ...object.metadata, namespace: "default" } };
}

function nameOf(value: unknown): string {
  const { metadata } = value as { metadata?: { name?: unknown; namespace?: unknown } };
  return `${metadata?.namespace ?? "default"}/${metadata?.name ?? "(no name)"}`;
}

/** Problems of an object that `crds/parse.ts` found, as problems of its file. */
export function problemsAt(manifest: Manifest, problems: readonly Problem[]): FileProblem[] {
  return problems.map(({ path, message }) => ({
    file: manifest.file,
    line: manifest.locate(path),
    message: `${manifest.kind} ${nameOf(manifest.object)}: ${path === "" ? "" : `${path}: `}${message}`,
  }));
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((segment) => (typeof segment === "number" ? `[${segment}]` : `.${String(segment)}`))
    .join("")
    .replace(/^\./, "");
}

/** `spec.matches[0].path` as `["spec", "matches", 0, "path"]`. */
function segments(path: string): (string | number)[] {
  return [...path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, key]) =>
    index === undefined ? (key ?? "") : Number(index),
  );
}

function lineOf({ document, lines }: Reading, path: readonly (string | number)[]): number {
  let node: unknown = document.contents;
  let offset = rangeStart(node);
  for (const segment of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String(key) === String(segment));
      offset = rangeStart(pair?.key) ?? offset;
      node = pair?.value;
    } else if (isSeq(node)) {
      node = node.items[Number(segment)];
      offset = rangeStart(node) ?? offset;
    } else break;
  }
  return offset === undefined ? 1 : lines.linePos(offset).line;
}

function rangeStart(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}
