import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, it } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import { makeRoute } from "../../support/make-route.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, rawConnect } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();

/** One connection is allowed, so that a permit that is not given back would be seen. */
const limits = {
  connections: { total: 1 },
  maxMessageSize: 65_536,
  maxQueuedBytes: 65_536,
  onSlowClient: "Close" as const,
};

describe("C1: a client resets", () => {
  it("with its handshake still in the socket: nothing happens but a count", async () => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({ backends: { [CHAT]: [echo.port] } });
    for (let i = 0; i < 200; i += 1) {
      const { socket } = await rawConnect(holdfast.port);
      socket.write(handshakeText(), () => socket.resetAndDestroy());
    }
    const counted = async () =>
      (await holdfast.metric("holdfast_handshakes_total")) + (await holdfast.metric("holdfast_client_resets_total"));
    await eventually("every reset is counted, once", async () => (await counted()) === 200);
    await eventually("nothing is left open", async () => holdfast.gateway.connections === 0);
    const client = await rig.client(holdfast.url());
    expect((await client.ask("still here")).toString()).toBe("still here");
  });

  it("while its backend is dialled: the dial is given up and the permit given back", async () => {
    const silent = rig.use(createServer().listen(0, "127.0.0.1"), (server) => server.close());
    await once(silent, "listening");
    const dialled = once(silent, "connection");
    const { port } = silent.address() as { port: number };
    const holdfast = await rig.gateway({ routes: [makeRoute({ limits })], backends: { [CHAT]: [port] } });
    const { socket } = await rawConnect(holdfast.port);
    socket.write(handshakeText());
    const [backendSocket] = await dialled;
    const gone = once(backendSocket.resume(), "close");
    backendSocket.on("error", () => undefined);
    socket.resetAndDestroy();
    await gone;
    await eventually("the attempt is counted", () =>
      holdfast.metric("holdfast_handshakes_total", { reason: "ClientGone" }),
    );
    const echo = await rig.backend();
    await holdfast.offer({ routes: [makeRoute({ limits })], backends: { [CHAT]: [echo.port] } });
    const client = await rig.client(holdfast.url());
    expect((await client.ask("hello")).toString()).toBe("hello");
  });
});
