import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "@jest/globals";
import { acceptFor } from "../../../gateway/backend/switching.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, rawRequest } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();

async function backendAnswering(answer: (accept: string) => string): Promise<number> {
  const backend = createServer().listen(0, "127.0.0.1");
  rig.use(backend, (server) => {
    server.close();
    server.closeAllConnections();
  });
  backend.on("upgrade", (request, socket) => {
    socket.on("error", () => undefined);
    const lines = ["HTTP/1.1 101 Switching Protocols", answer(acceptFor(request.headers["sec-websocket-key"] ?? ""))];
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  });
  await once(backend, "listening");
  return (backend.address() as AddressInfo).port;
}

const GOOD = "Upgrade: websocket\r\nConnection: Upgrade";

describe("C8: the backend's 101 is not valid", () => {
  it.each([
    ["a wrong Sec-WebSocket-Accept", () => `${GOOD}\r\nSec-WebSocket-Accept: ${acceptFor("x")}`],
    ["no Sec-WebSocket-Accept", () => GOOD],
    [
      "a protocol that nobody offered",
      (accept: string) => `${GOOD}\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: chat`,
    ],
    [
      "an extension that nobody offered",
      (accept: string) => `${GOOD}\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Extensions: permessage-deflate`,
    ],
    [
      "another protocol than WebSocket",
      (accept: string) => `Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}`,
    ],
  ])("%s: 502, and never a tunnel", async (_, answer) => {
    const holdfast = await rig.gateway({ backends: { [CHAT]: [await backendAnswering(answer)] } });
    const reply = await rawRequest(holdfast.port, handshakeText());
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([502, "BackendBadHandshake"]);
    expect(reply.headers.has("retry-after")).toBe(false);
  });

  it("a valid one passes, so that the cases above prove something", async () => {
    const answer = (accept: string) => `${GOOD}\r\nSec-WebSocket-Accept: ${accept}\r\nX-Backend: a`;
    const holdfast = await rig.gateway({ backends: { [CHAT]: [await backendAnswering(answer)] } });
    const client = await rig.client(holdfast.url());
    expect(client.headers["x-backend"]).toBe("a");
  });
});
