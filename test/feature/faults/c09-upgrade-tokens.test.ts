import { describe, expect, it } from "@jest/globals";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, rawConnect, rawRequest } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();

describe("C9: what stands in Upgrade and Connection", () => {
  it.each([
    ["two tokens in Upgrade", { Upgrade: "websocket, h2c" }],
    ["h2c", { Upgrade: "h2c" }],
    ["h2c with its settings", { Upgrade: "h2c", Connection: "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABk" }],
  ])("%s: 400", async (_, headers) => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({ backends: { [CHAT]: [echo.port] } });
    const reply = await rawRequest(holdfast.port, handshakeText({ headers }));
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([400, "BadUpgrade"]);
    expect(echo.requests).toHaveLength(0);
  });

  it("Upgrade without Connection: 400", async () => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({ backends: { [CHAT]: [echo.port] } });
    const reply = await rawRequest(holdfast.port, handshakeText({ headers: { Connection: "close" } }));
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([400, "BadUpgrade"]);
    expect(echo.requests).toHaveLength(0);
  });

  it("hop-by-hop headers are rebuilt, never forwarded", async () => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({ backends: { [CHAT]: [echo.port] } });
    const client = rig.use(await rawConnect(holdfast.port), ({ socket }) => socket.destroy());
    const headers = {
      Connection: "keep-alive, Upgrade, X-Secret",
      "Keep-Alive": "timeout=5",
      "X-Secret": "1",
      "Proxy-Authorization": "Basic eDp5",
      TE: "trailers",
      "X-Kept": "yes",
    };
    client.socket.write(handshakeText({ headers }));
    expect(await client.head()).toContain(" 101 ");
    const [request] = echo.requests;
    expect(request?.headers).toMatchObject({ connection: "Upgrade", upgrade: "websocket", "x-kept": "yes" });
    for (const name of ["keep-alive", "x-secret", "proxy-authorization", "te"]) {
      expect(request?.headers).not.toHaveProperty(name);
    }
  });
});
