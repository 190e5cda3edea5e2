/** Writes a last answer to a socket and closes it so that the peer can read that answer. */
import type { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";

/** Milliseconds that a peer gets to read the answer and close. */
const LINGER = 2000;
/** Bytes of unread input that are discarded for a peer that is still sending. */
const MAX_DISCARDED = 256 * 1024;

/**
 * Sends `answer`, then FIN, and discards input until the peer closes, within bounds. Closing with input unread would make
 * the kernel send a reset, which can overtake and erase the answer (RFC 9112 §9.6).
 */
export function answerAndClose(socket: Duplex, answer: Buffer, clock: Clock): void {
  if (socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const cancel = clock.after(LINGER, () => socket.destroy());
  let discarded = 0;
  socket.on("data", (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > MAX_DISCARDED) socket.destroy();
  });
  socket.once("close", cancel);
  socket.end(answer);
  socket.resume();
}
