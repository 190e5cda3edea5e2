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
/**
 * The text of a part that holds more than one item stays under this while there are slots left: small enough that a gateway
 * reads a changed part between two of its connections' events.
 */
const PART_TEXT_LIMIT = 128 * KIBI;
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
  /** The pieces of its name. */
  readonly nameOf: (item: T) => readonly string[];
  readonly owner: PartOwner;
}

export interface PartOwner {
  /** Equal exactly when everything else here is. */
  readonly id: string;
  readonly prefix: string;
  readonly metadata: Omit<ObjectMeta, "name">;
}

/** The parts, in the order of their slots; empty slots have none. Those that hold the same items as in `before` are taken over. */
export function cutIntoParts<T extends object>(cut: Cut<T>, before: PartMemory): readonly Part[] {
  return before.cut(cut, () => cutAnew(cut, before));
}

function cutAnew<T extends object>(cut: Cut<T>, before: PartMemory): Part[] {
  const name: CutName = { owner: cut.owner, kind: cut.kind, field: cut.field };
  const hashes = Uint32Array.from(cut.items, (item) => hashOf(cut.nameOf(item)));
  const count = slotsFor(before.lengths(name, fill(cut.items, hashes, SLOTS.most)));
  return fill(cut.items, hashes, count).flatMap((items, slot) =>
    items.length === 0 ? [] : [before.part({ name, slot, items })],
  );
}

function fill<T extends object>(items: readonly T[], hashes: Uint32Array, slots: number): T[][] {
  const filled: T[][] = Array.from({ length: slots }, () => []);
  for (const [index, item] of items.entries()) filled[(hashes[index] ?? 0) & (slots - 1)]?.push(item);
  return filled;
}

/** What one of the most slots holds. */
interface SlotLength {
  readonly items: number;
  /** Characters of its items' texts, with a comma after each. */
  readonly text: number;
}

/** The fewest slots with which no part that could be cut further is too long: each is made of every `slots`-th of the most. */
function slotsFor(finest: readonly SlotLength[]): number {
  for (let slots: number = SLOTS.first; slots < SLOTS.most; slots *= 2) {
    const items = new Array<number>(slots).fill(0);
    const text = new Array<number>(slots).fill(0);
    for (const [index, length] of finest.entries()) {
      const slot = index & (slots - 1);
      items[slot] = (items[slot] ?? 0) + length.items;
      text[slot] = (text[slot] ?? 0) + length.text;
    }
    if (text.every((length, slot) => length <= PART_TEXT_LIMIT || (items[slot] ?? 0) < 2)) return slots;
  }
  return SLOTS.most;
}

function textOf({ field }: CutName, items: readonly object[]): string {
  return `{${JSON.stringify(field)}:${JSON.stringify(items)}}`;
}

/** FNV-1a, 32 bits, folded: stable for ever, since it decides where an item is looked for. */
function hashOf(pieces: readonly string[]): number {
  let hash = 0x811c9dc5;
  for (const piece of pieces) {
    for (let index = 0; index < piece.length; index++) hash = Math.imul(hash ^ piece.charCodeAt(index), 0x01000193);
  }
  return (hash ^ (hash >>> 16)) >>> 0;
}

type CutName = Pick<Cut<object>, "owner" | "kind" | "field">;

interface Remembered<T> {
  readonly items: readonly object[];
  readonly value: T;
}

interface Slot {
  readonly name: CutName;
  readonly slot: number;
  readonly items: readonly object[];
}

/** The parts that were rendered last, and how long they were. Only time is saved by it. */
export class PartMemory {
  readonly #cuts = new Map<string, Remembered<readonly Part[]>>();
  readonly #parts = new Map<string, Remembered<Part>>();
  readonly #lengths = new Map<string, Remembered<SlotLength>>();

  /** Of a gateway's items of one kind; a list that is the same object holds the same. */
  cut({ kind, owner, items }: Pick<Cut<object>, "kind" | "owner" | "items">, make: () => Part[]): readonly Part[] {
    const key = `${owner.id} ${kind}`;
    const known = this.#cuts.get(key);
    if (known?.items === items) return known.value;
    const value = make();
    this.#cuts.set(key, { items, value });
    return value;
  }

  part(slot: Slot): Part {
    return remember(this.#parts, slot, () => makePart(slot.name, textOf(slot.name, slot.items), slot.slot));
  }

  lengths(name: CutName, slots: readonly (readonly object[])[]): SlotLength[] {
    return slots.map((items, slot) =>
      remember(this.#lengths, { name, slot, items }, () => ({
        items: items.length,
        text: items.length === 0 ? 0 : JSON.stringify(items).length - 1,
      })),
    );
  }
}

/** By gateway, kind and slot, for as long as the slot has the same items. */
function remember<T>(memory: Map<string, Remembered<T>>, { name, slot, items }: Slot, make: () => T): T {
  const key = `${name.owner.id} ${name.kind} ${slot}`;
  const known = memory.get(key);
  if (known !== undefined && sameItems(known.items, items)) return known.value;
  const value = make();
  memory.set(key, { items, value });
  return value;
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
