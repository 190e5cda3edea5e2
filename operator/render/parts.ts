/**
 * Cuts routes or endpoints into parts. The slot of an item is a hash of its name, so that a change of one item touches one part;
 * a part's name carries the hash of its content, so that a part never changes and a reader never sees half of a change.
 */
import { gzipSync } from "node:zlib";
import { type PartReference, partHash, SNAPSHOT_OBJECTS } from "../../gateway/snapshot.ts";
import type { ConfigMap, ObjectMeta } from "../objects.ts";
import { sameItems } from "../same-items.ts";

/** Slots to begin with, and the most that two hex digits can name. Both powers of two. */
const SLOTS = { first: 16, most: 256 } as const;
const KIBI = 1024;
/** The text of a part that holds more than one item stays under this while there are slots left. */
const PART_TEXT_LIMIT = 512 * KIBI;
const GZIP_ABOVE = 256 * KIBI;
/** What a ConfigMap may carry: the API server allows 1 MiB for all its data. */
export const OBJECT_DATA_LIMIT = 1_000_000;

export interface Part {
  readonly reference: PartReference;
  readonly object: ConfigMap;
  /** Characters of data in the object, to be held against OBJECT_DATA_LIMIT. */
  readonly size: number;
}

export interface Cut<T extends object> {
  readonly kind: PartReference["kind"];
  /** The field of the part's JSON that holds the items. */
  readonly field: string;
  readonly items: readonly T[];
  readonly nameOf: (item: T) => string;
  readonly owner: PartOwner;
}

export interface PartOwner {
  /** Equal exactly when everything else here is. */
  readonly id: string;
  readonly prefix: string;
  readonly metadata: Omit<ObjectMeta, "name">;
}

/** The parts, in the order of their slots; empty slots have none. Those that hold the same items as in `before` are taken over. */
export function cutIntoParts<T extends object>(cut: Cut<T>, before: PartMemory): Part[] {
  const name: CutName = { owner: cut.owner, kind: cut.kind };
  let slots: number = SLOTS.first;
  let filled = fill(cut, slots);
  while (slots < SLOTS.most && filled.some((items, slot) => overflows(items, before.get(memoryKey(name, slot))))) {
    slots *= 2;
    filled = fill(cut, slots);
  }
  return filled.flatMap((items, slot) => (items.length === 0 ? [] : [partOf({ cut, items, slot, before })]));
}

function fill<T extends object>(cut: Cut<T>, slots: number): T[][] {
  const filled: T[][] = Array.from({ length: slots }, () => []);
  for (const item of cut.items) filled[hashOf(cut.nameOf(item)) & (slots - 1)]?.push(item);
  return filled;
}

function overflows(items: readonly object[], known: Remembered | undefined): boolean {
  if (items.length < 2) return false;
  if (known !== undefined && sameItems(known.items, items)) return known.overflows;
  return textOf(items).length > PART_TEXT_LIMIT;
}

function textOf(items: readonly object[]): string {
  return JSON.stringify(items);
}

/** FNV-1a, 32 bits, folded: stable for ever, since it decides where an item is looked for. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  return (hash ^ (hash >>> 16)) >>> 0;
}

interface Remembered {
  readonly items: readonly object[];
  readonly overflows: boolean;
  readonly part: Part;
}

/** The parts that were rendered last, by gateway, kind and slot. Only time is saved by it. */
export class PartMemory {
  readonly #parts = new Map<string, Remembered>();

  get(key: string): Remembered | undefined {
    return this.#parts.get(key);
  }

  set(key: string, part: Remembered): void {
    this.#parts.set(key, part);
  }
}

type CutName = Pick<Cut<object>, "owner" | "kind">;

function memoryKey({ owner, kind }: CutName, slot: number): string {
  return `${owner.id} ${kind} ${slot}`;
}

interface Filled<T extends object> {
  readonly cut: Cut<T>;
  readonly items: readonly T[];
  readonly slot: number;
  readonly before: PartMemory;
}

function partOf<T extends object>({ cut, items, slot, before }: Filled<T>): Part {
  const name: CutName = { owner: cut.owner, kind: cut.kind };
  const remembered = before.get(memoryKey(name, slot));
  if (remembered !== undefined && sameItems(remembered.items, items)) return remembered.part;
  const text = `{${JSON.stringify(cut.field)}:${textOf(items)}}`;
  const part = makePart(name, text, slot);
  before.set(memoryKey(name, slot), { items, overflows: text.length > PART_TEXT_LIMIT, part });
  return part;
}

function makePart({ kind, owner }: CutName, text: string, slot: number): Part {
  const hash = partHash(text);
  const name = `${owner.prefix}-${kind.charAt(0)}${slot.toString(16).padStart(2, "0")}-${hash.slice(0, 10)}`;
  const carried =
    Buffer.byteLength(text) > GZIP_ABOVE
      ? { binaryData: { [SNAPSHOT_OBJECTS.partGzipKey]: gzip(text) } }
      : { data: { [SNAPSHOT_OBJECTS.partKey]: text } };
  const object: ConfigMap = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, ...owner.metadata },
    ...carried,
    immutable: true,
  };
  const size = Object.values(carried.binaryData ?? carried.data).reduce(
    (sum, value) => sum + Buffer.byteLength(value),
    0,
  );
  return { reference: { kind, object: name, hash }, object, size };
}

/** Base64 of the gzip form. The header's system byte is fixed, so that the same text gives the same bytes everywhere. */
function gzip(text: string): string {
  const zipped = gzipSync(text, { level: 6 });
  zipped[9] = 0xff;
  return zipped.toString("base64");
}
