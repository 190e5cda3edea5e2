/** What values.yaml says about itself: each value with its default and its comment. Pure. */
import { isMap, isScalar, type Pair, parseDocument, type YAMLMap } from "yaml";

export interface ChartValue {
  /** Such as `operator.replicas`. */
  readonly path: string;
  readonly fallback: unknown;
  readonly description: string;
}

/** The values that have a comment, in the file's order. @throws Error naming a value that nobody describes. */
export function readValues(yaml: string): readonly ChartValue[] {
  const { contents } = parseDocument(yaml);
  if (!isMap(contents)) throw new Error("values.yaml holds no map");
  // The comment above the first key belongs to the map; the file's own stands above it, with a blank line between.
  const opening = (contents.commentBefore ?? "").split(/\n\s*\n/).at(-1);
  return [...collect(contents, { prefix: "", opening })];
}

interface Place {
  readonly prefix: string;
  /** The comment of the map's first key. */
  readonly opening: string | undefined;
}

function* collect(map: YAMLMap, { prefix, opening }: Place): Generator<ChartValue> {
  for (const [index, pair] of map.items.entries()) {
    const key = isScalar(pair.key) ? pair.key : undefined;
    const path = `${prefix}${String(key?.value)}`;
    const description = oneLine(key?.commentBefore ?? (index === 0 ? opening : undefined));
    const { value } = pair as Pair<unknown, unknown>;
    if (description === "") {
      if (!isMap(value) || value.items.length === 0) throw new Error(`values.yaml: ${path} has no comment`);
      yield* collect(value, { prefix: `${path}.`, opening: value.commentBefore ?? undefined });
    } else {
      yield { path, fallback: isMap(value) || !isScalar(value) ? toJson(value) : value.value, description };
    }
  }
}

function toJson(node: unknown): unknown {
  return (node as { toJSON(): unknown } | null)?.toJSON() ?? null;
}

function oneLine(comment: string | undefined): string {
  return (comment ?? "")
    .split("\n")
    .map((line) => line.trim())
    .join(" ")
    .trim();
}

/** The table of README.md. */
export function valuesTable(values: readonly ChartValue[]): string {
  const cell = (content: string) => content.replaceAll("|", "\\|");
  const rows = values.map(
    ({ path, fallback, description }) =>
      `| \`${path}\` | \`${cell(JSON.stringify(fallback))}\` | ${cell(description)} |`,
  );
  return ["| Value | Default | Meaning |", "| --- | --- | --- |", ...rows].join("\n");
}
