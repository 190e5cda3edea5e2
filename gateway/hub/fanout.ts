/**
 * Writes one message to many clients without holding up everybody else: in slices of a few milliseconds, first in first
 * out, with the messages that a group got since the last turn in one write.
 */

export interface Receiver {
  /** Takes `bytes`, which hold `messages` whole frames. */
  deliver(bytes: Buffer, messages: number): boolean;
}

interface Job {
  /** Read when the job runs: who has left gets nothing, who has just joined may get a message sent just before. */
  readonly receivers: ReadonlySet<Receiver>;
  readonly frames: Buffer[];
  bytes: number;
}

/** Milliseconds that a slice may hold the event loop. */
const SLICE = 4;
/** Deliveries between two looks at the time; a write to a socket takes some ten microseconds. */
const LOOK_EVERY = 32;
/** Frames of one group go out together up to this many bytes. */
const MAX_TOGETHER = 16 * 1024;
/** Bytes of frames that may wait for their turn. */
const MAX_WAITING = 64 * 1024 * 1024;

export class Fanout {
  #jobs: Job[] = [];
  #waitingBytes = 0;
  #running = false;
  readonly #maxWaiting: number;

  constructor(maxWaiting: number = MAX_WAITING) {
    this.#maxWaiting = maxWaiting;
  }

  /** Whether `size` more bytes may wait; `send` does not ask. */
  hasRoom(size: number): boolean {
    return this.#waitingBytes === 0 || this.#waitingBytes + size <= this.#maxWaiting;
  }

  /** Queues one frame for all receivers. */
  send(receivers: ReadonlySet<Receiver>, frame: Buffer): void {
    this.#waitingBytes += frame.length;
    const last = this.#jobs.at(-1);
    if (last?.receivers === receivers && last.bytes + frame.length <= MAX_TOGETHER) {
      last.frames.push(frame);
      last.bytes += frame.length;
      return;
    }
    this.#jobs.push({ receivers, frames: [frame], bytes: frame.length });
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Waits for the end of this turn, so that what arrives together goes out together.
    await nextTurn();
    while (this.#jobs.length > 0) {
      const jobs = this.#jobs;
      this.#jobs = [];
      for (const job of jobs) await this.#deliver(job);
    }
    this.#running = false;
  }

  async #deliver({ receivers, frames, bytes }: Job): Promise<void> {
    const [first = Buffer.alloc(0)] = frames;
    const together = frames.length === 1 ? first : Buffer.concat(frames, bytes);
    let sliceStart = performance.now();
    let visited = 0;
    for (const receiver of receivers) {
      receiver.deliver(together, frames.length);
      visited += 1;
      if (visited % LOOK_EVERY === 0 && performance.now() - sliceStart >= SLICE) {
        await nextTurn();
        sliceStart = performance.now();
      }
    }
    this.#waitingBytes -= bytes;
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
