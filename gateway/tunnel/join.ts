/** What happens on a tunnel's sockets, told to the tunnel. The handlers are shared, so that a connection costs no closures. */
import type { Duplex } from "node:stream";
import type { Lane } from "./lane.ts";

/** Each is told of the lane whose `from` it happened to. */
export interface LaneEvents {
  receive(lane: Lane, chunk: Buffer): void;
  /** FIN: nothing more comes. */
  ended(lane: Lane): void;
  /** The socket is gone, with an error or without. */
  gone(lane: Lane): void;
  /** The socket, which is some lane's `to`, has taken all that was written to it. */
  drained(socket: Duplex): void;
}

/** The marks on a socket. */
const LANE = Symbol("holdfast.lane");
const EVENTS = Symbol("holdfast.tunnel");
interface Joined extends Duplex {
  [LANE]: Lane;
  [EVENTS]: LaneEvents;
}

/** Tells of everything from now on, also that the socket is gone already; then in a later turn. */
export function join(events: LaneEvents, lane: Lane): void {
  const socket = lane.from as Joined;
  socket[LANE] = lane;
  socket[EVENTS] = events;
  socket.on("error", onError).on("close", onClose).on("end", onEnd).on("drain", onDrain).on("data", onData);
  if (socket.destroyed) {
    process.nextTick(onClose.bind(socket));
  } else {
    socket.resume();
  }
}

function onData(this: Joined, chunk: Buffer): void {
  const lane = this[LANE];
  this[EVENTS].receive(lane, chunk);
  lane.recycle(chunk);
}
function onDrain(this: Joined): void {
  this[EVENTS].drained(this);
}
function onEnd(this: Joined): void {
  this[EVENTS].ended(this[LANE]);
}
function onClose(this: Joined): void {
  this[EVENTS].gone(this[LANE]);
}
/** `close` follows every error and says all that matters. */
function onError(): void {}
