/** From handshake to open WebSocket: `ws` writes the 101 with what the pipeline has decided. */
import type { IncomingMessage } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";
import type { HubAcceptance } from "../upgrade.ts";

/** Fragments that one message of a client may have; browsers send one. */
const MAX_FRAGMENTS = 1_024;
/** Milliseconds for the closing handshake, after which the socket is destroyed (C4). */
const CLOSE_WITHIN = 4_500;
/** Servers that are kept, one for each size limit in use; they hold no connection and no port. */
const MAX_SERVERS = 64;

/** A request whose protocol is decided, with what its 101 says beside. */
interface Decided extends IncomingMessage {
  readonly responseHeaders: HubAcceptance["responseHeaders"];
}

export class Switch {
  readonly #servers = new Map<number, WebSocketServer>();

  /**
   * Writes the 101 and returns the open WebSocket; the socket has had an error listener all the time.
   * @throws Error when `ws` finds the handshake invalid, after answering it; the pipeline has checked all that it checks.
   */
  accept({ request, socket, head, route, protocol, responseHeaders }: HubAcceptance): WebSocket {
    // Left to itself, `ws` would choose the first protocol that the client offers.
    const headers = { ...request.headers };
    if (protocol === undefined) delete headers["sec-websocket-protocol"];
    else headers["sec-websocket-protocol"] = protocol;
    const decided = Object.create(request, {
      headers: { value: headers },
      responseHeaders: { value: responseHeaders },
    });
    let opened = undefined as WebSocket | undefined; // set before `handleUpgrade` returns
    this.#server(route.limits.maxMessageSize).handleUpgrade(decided, socket, head, (webSocket) => {
      opened = webSocket;
    });
    if (opened === undefined) throw new Error("ws refused a handshake that had been found valid");
    return opened;
  }

  #server(maxMessageSize: number): WebSocketServer {
    let server = this.#servers.get(maxMessageSize);
    if (server === undefined) {
      if (this.#servers.size === MAX_SERVERS) this.#servers.clear();
      server = createServer(maxMessageSize);
      this.#servers.set(maxMessageSize, server);
    }
    return server;
  }
}

function createServer(maxMessageSize: number): WebSocketServer {
  const options = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: Math.max(1, maxMessageSize), // 0 would mean "no limit"
    maxFragments: MAX_FRAGMENTS,
    closeTimeout: CLOSE_WITHIN,
  };
  const server = new WebSocketServer(options);
  server.on("headers", (lines, request) => {
    for (const [name, value] of (request as Decided).responseHeaders) lines.push(`${name}: ${value}`);
  });
  return server;
}
