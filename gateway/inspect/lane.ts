/**
 * One direction of an inspected connection. The walker checks frames as on a tunnel; what it lets through is taken apart into
 * messages, decided about, and written as whole frames, so that what goes out always stands at a boundary.
 */
import { isUtf8 } from "node:buffer";
import type { Duplex } from "node:stream";
import type { Meter } from "../limits/meter.ts";
import type { FrameRules, Violation } from "../tunnel/frames.ts";
import { Lane } from "../tunnel/lane.ts";
import { deflate, inflate } from "./deflate.ts";
import type { Decision } from "./inspector.ts";
import { encodeMessage, type Item, type Message, MessageReader, TEXT } from "./messages.ts";

export interface InspectedLaneOptions {
  readonly from: Duplex;
  readonly to: Duplex;
  readonly rules: FrameRules;
  readonly meter?: Meter | undefined;
  /** Whether messages to `to` may be compressed, and are masked. */
  readonly output: { readonly deflates: boolean; readonly isMasked: boolean };
  /** Bytes that wait for `to` from which on no message is worked on. */
  readonly stopAt: number;
  /** Whether text messages are read; else `decide` gets an empty text. */
  readonly reads: boolean;
  decide(kind: "text" | "binary", text: string): Decision;
  /** Units that the last decision cost. */
  cost(): number;
}

/** Units of work in one turn of the event loop: about two milliseconds. */
const SLICE = 20_000;
/** What a message costs whatever is in it, and bytes that cost one unit more. */
const MESSAGE_UNITS = 20;
const BYTES_A_UNIT = 64;
const NOTHING = Buffer.alloc(0);

export class InspectedLane extends Lane {
  readonly #options: InspectedLaneOptions;
  readonly #reader = new MessageReader();
  /** What has come and is not decided about yet. */
  #queue: Item[] = [];
  #violation: Violation | undefined;

  constructor(options: InspectedLaneOptions) {
    super(options, options.rules, options.meter);
    this.#options = options;
  }

  override get violation(): Violation | undefined {
    return this.#violation ?? (this.hasBacklog ? undefined : this.walker.violation);
  }

  override get closeCode(): number {
    return this.hasBacklog ? 0 : this.walker.closeCode;
  }

  override get atFrameBoundary(): boolean {
    return true;
  }

  override get atMessageBoundary(): boolean {
    return true;
  }

  override get hasBacklog(): boolean {
    return this.#queue.length > 0;
  }

  override get isBlocked(): boolean {
    return this.to.writableLength >= Math.max(this.#options.stopAt, this.to.writableHighWaterMark);
  }

  /** Payload is kept until its message is whole. */
  override recycle(): void {}

  protected override pass(chunk: Buffer): boolean {
    const { walker } = this;
    const passed = walker.walk(chunk);
    if (this.closed) {
      this.#queue = [];
      return true;
    }
    const rest = passed === 0 ? NOTHING : chunk.subarray(0, passed);
    this.#reader.read(walker.released === undefined ? rest : Buffer.concat([walker.released, rest]), this.#queue);
    this.#work();
    return !this.to.writableNeedDrain;
  }

  #work(): void {
    const queue = this.#queue;
    let units = 0;
    let done = 0;
    this.to.cork();
    while (done < queue.length && units < SLICE && this.#violation === undefined && !this.isBlocked) {
      units += this.#handle(queue[done] as Item);
      done += 1;
    }
    this.#queue = this.#violation === undefined ? queue.slice(done) : [];
    this.to.uncork();
  }

  /** Returns the units that it cost. */
  #handle(item: Item): number {
    if ("control" in item) {
      this.to.write(item.control);
      return 1;
    }
    const { rules, decide, reads, cost } = this.#options;
    const read = item.isCompressed ? inflate(item.payload, rules.maxMessageSize) : item;
    if ("violation" in read) {
      this.#violation = read.violation;
      return 0;
    }
    const { payload } = read;
    const isText = item.opcode === TEXT;
    if (isText && !isUtf8(payload)) {
      this.#violation = "InvalidPayload";
      return 0;
    }
    const decision = decide(isText ? "text" : "binary", isText && reads ? payload.toString("utf8") : "");
    this.#follow(decision, { ...item, payload });
    return MESSAGE_UNITS + payload.length / BYTES_A_UNIT + (reads ? cost() : 0);
  }

  #follow(decision: Decision, message: Message): void {
    if (decision === "drop") return;
    if (decision === "pass") this.#write(message.opcode, message.payload);
    else if ("violation" in decision) this.#violation = decision.violation;
    else this.#write(TEXT, Buffer.from(decision.text));
  }

  #write(opcode: Message["opcode"], payload: Buffer): void {
    const { deflates, isMasked } = this.#options.output;
    const compressed = deflates ? deflate(payload) : undefined;
    const isCompressed = compressed !== undefined;
    this.to.write(encodeMessage({ opcode, isCompressed, payload: compressed ?? payload, isMasked }));
  }
}
