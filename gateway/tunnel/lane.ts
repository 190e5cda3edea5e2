/**
 * One direction of a tunnel: what the walker lets through is written on, and the gateway's own frames go in between at
 * boundaries. Knows nothing of why a connection ends.
 */
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Meter } from "../limits/meter.ts";
import type { FrameRules, Violation } from "./frames.ts";
import { FrameWalker } from "./walker.ts";

export class Lane {
  readonly from: Duplex;
  readonly to: Duplex;
  readonly walker: FrameWalker;
  /** Whether the other end got a Close frame, or a FIN: nothing is written from then on. */
  closed = false;
  /** Whether `from` ended its stream or is gone. */
  ended = false;
  /** Whether the `from` socket is gone altogether. */
  gone = false;
  private ending = false;
  private control: Buffer | undefined = undefined;
  private messages: Buffer[] | undefined = undefined;
  /** The Close frame that waits for a boundary, and what to call when it is written. */
  private close: { readonly frame: Buffer; readonly written: () => void } | undefined = undefined;

  /** What waits for its rate: nothing of `from` passes before it. */
  private stalled: Buffer | undefined = undefined;

  constructor(sockets: { from: Duplex; to: Duplex }, rules: FrameRules, meter?: Meter) {
    this.from = sockets.from;
    this.to = sockets.to;
    this.walker = new FrameWalker(rules, meter);
  }

  get isStalled(): boolean {
    return this.stalled !== undefined;
  }

  /** Set once all before it has been dealt with. */
  get violation(): Violation | undefined {
    return this.walker.violation;
  }

  /** The code of the Close frame that was passed on, else 0. */
  get closeCode(): number {
    return this.walker.closeCode;
  }

  /** Whether a control frame may be written behind what was written so far. */
  get atFrameBoundary(): boolean {
    return this.walker.atFrameBoundary;
  }

  get atMessageBoundary(): boolean {
    return this.walker.atMessageBoundary;
  }

  /** Whether something that has come is left for a later turn; the tunnel itself looks at everything at once. */
  get hasBacklog(): boolean {
    return false;
  }

  /** Whether a backlog has to wait for `to` to drain. */
  get isBlocked(): boolean {
    return false;
  }

  /** Bytes that `to` has not taken yet, and messages that wait for a boundary. */
  get queuedBytes(): number {
    const queued = this.to.writableLength;
    return this.messages === undefined ? queued : queued + this.messages.reduce((sum, frame) => sum + frame.length, 0);
  }

  /** Walks a chunk and writes on what may pass. Returns false when `to` wants no more for now. */
  receive(chunk: Buffer): boolean {
    const { walker } = this;
    if (walker.meter === undefined && this.stalled === undefined) {
      return this.pass(chunk);
    }
    return this.receiveMetered(chunk);
  }

  /** Around what is left out, and as far as the rate allows. */
  private receiveMetered(chunk: Buffer): boolean {
    const { walker } = this;
    let rest = this.stalled === undefined ? chunk : Buffer.concat([this.stalled, chunk]);
    this.stalled = undefined;
    for (;;) {
      const taken = this.pass(rest);
      if (walker.stalledAt >= 0) {
        this.stalled = rest.subarray(walker.stalledAt);
      }
      if (walker.resumeAt < 0 || walker.resumeAt === rest.length) {
        return taken && !this.to.writableNeedDrain;
      }
      rest = rest.subarray(walker.resumeAt);
    }
  }

  protected pass(chunk: Buffer): boolean {
    const { walker, to } = this;
    const passed = walker.walk(chunk);
    if (this.closed) {
      return true;
    }
    if (walker.released !== undefined || this.waits()) {
      this.receiveAround(chunk, passed);
      return !to.writableNeedDrain;
    }
    return passed === 0 || to.write(passed === chunk.length ? chunk : chunk.subarray(0, passed));
  }

  /**
   * Gives back the memory of a chunk that `from` has just emitted, unless a part of it waits. Node reads into
   * fresh memory each time; left to the garbage collector it piles up outside the heap until that forces full collections,
   * which at 16 KiB a message cost as much as everything else together.
   */
  recycle(chunk: Buffer): void {
    const { from, to } = this;
    const { buffer } = chunk;
    // A chunk that is all of its memory is the only one there: a slice of a pool never is.
    const whole = from instanceof Socket && buffer.byteLength === chunk.length && "transfer" in buffer;
    if (whole && to.writableLength === 0 && this.stalled === undefined && !to.destroyed) {
      buffer.transfer(0);
    }
  }

  /** Inserts a ping or pong at the next frame boundary; a later one replaces one that still waits. */
  insertControl(frame: Buffer): void {
    if (this.closed) {
      return;
    }
    if (this.atFrameBoundary) {
      this.write(frame);
    } else {
      this.control = frame;
    }
  }

  /** Inserts a whole data message at the next message boundary. */
  insertMessage(frame: Buffer): void {
    if (this.closed) {
      return;
    }
    if (this.atMessageBoundary) {
      this.writeMessage(frame);
    } else {
      this.messages ??= [];
      this.messages.push(frame);
    }
  }

  /** Writes a Close at the next frame boundary, calls `written`, and lets nothing pass behind it. */
  insertClose(frame: Buffer, written: () => void): void {
    if (this.closed || this.close !== undefined) {
      return;
    }
    this.close = { frame, written };
    if (this.atFrameBoundary) {
      this.writeClose();
    }
  }

  /** Sends FIN behind everything that is queued. */
  end(): void {
    this.closed = true;
    if (!this.ending) {
      this.ending = true;
      this.to.end();
    }
  }

  private waits(): boolean {
    return this.control !== undefined || this.messages !== undefined || this.close !== undefined;
  }

  /** The rare path: bytes that were held back, or frames that wait for a boundary within this chunk. */
  private receiveAround(chunk: Buffer, passed: number): void {
    const { walker, to } = this;
    to.cork();
    if (walker.released !== undefined) {
      to.write(walker.released);
    }
    let at = 0;
    if (walker.frameBoundary >= 0 && (this.control !== undefined || this.close !== undefined)) {
      at = this.writePart(chunk, at, walker.frameBoundary);
      this.writeControl();
    }
    if (walker.messageBoundary >= 0 && this.messages !== undefined && !this.closed) {
      at = this.writePart(chunk, at, walker.messageBoundary);
      this.writeMessages(this.messages);
    }
    if (!this.closed) {
      this.writePart(chunk, at, passed);
    }
    to.uncork();
  }

  private writePart(chunk: Buffer, from: number, to: number): number {
    if (to > from) {
      this.to.write(chunk.subarray(from, to));
    }
    return to;
  }

  private writeControl(): void {
    if (this.control !== undefined) {
      this.write(this.control);
      this.control = undefined;
    }
    this.writeClose();
  }

  private writeClose(): void {
    if (this.close === undefined) {
      return;
    }
    const { frame, written } = this.close;
    this.write(frame);
    this.closed = true;
    this.close = undefined;
    this.messages = undefined;
    written();
  }

  private writeMessages(frames: readonly Buffer[]): void {
    this.messages = undefined;
    for (const frame of frames) {
      this.writeMessage(frame);
    }
  }

  private writeMessage(frame: Buffer): void {
    this.walker.messages += 1;
    this.write(frame);
  }

  private write(frame: Buffer): void {
    this.walker.bytes += frame.length;
    this.to.write(frame);
  }
}
