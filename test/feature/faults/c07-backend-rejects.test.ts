import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "@jest/globals";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, parseReply, rawConnect } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();

describe("C7: the backend answers something else than 101", () => {
  it("has its answer relayed once, and the connection closed", async () => {
    let asked = 0;
    const backend = createServer().listen(0, "127.0.0.1");
    rig.use(backend, (server) => {
      server.close();
      server.closeAllConnections();
    });
    backend.on("upgrade", (_request, socket) => {
      asked += 1;
      const headers =
        "Content-Type: text/plain\r\nX-Why: maintenance\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive";
      socket.write(`HTTP/1.1 403 Not Today\r\n${headers}\r\nContent-Length: 7\r\n\r\nnot nowHTTP/1.1 200 OK\r\n\r\n`);
      socket.on("error", () => undefined);
    });
    await once(backend, "listening");
    const { port } = backend.address() as AddressInfo;
    const holdfast = await rig.gateway({ backends: { [CHAT]: [port] } });
    const client = rig.use(await rawConnect(holdfast.port), ({ socket }) => socket.destroy());
    client.socket.write(handshakeText());
    const reply = parseReply(await client.rest());
    expect(reply.status).toBe(403);
    expect(reply.body).toBe("not now");
    expect(reply.headers.get("x-why")).toBe("maintenance");
    expect(reply.headers.get("connection")).toBe("close");
    expect(reply.headers.has("keep-alive")).toBe(false);
    expect(asked).toBe(1);
    const labels = { route: "apps/chat", code: "403", reason: "BackendRejected" };
    expect(await holdfast.metric("holdfast_handshakes_total", labels)).toBe(1);
    expect(holdfast.gateway.connections).toBe(0);
  });
});
