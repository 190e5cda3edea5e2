import { once } from "node:events";
import { describe, expect, it } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, rawConnect } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();

describe("C2: a client sends FIN in a tunnel", () => {
  it("has it passed on, then both sockets are gone, within a bound, although the client stays half open", async () => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({ backends: { [CHAT]: [echo.port] } });
    const client = await rawConnect(holdfast.port, { allowHalfOpen: true });
    rig.use(client, ({ socket }) => socket.destroy());
    client.socket.write(handshakeText());
    expect(await client.head()).toContain(" 101 ");
    const [backendSocket] = echo.sockets;
    const told = echo.nextClose();
    const gone = once(backendSocket!, "close");
    client.socket.end();
    expect(await told).toBe(1001);
    await gone;
    const line = await holdfast.line("connection");
    expect(line).toMatchObject({ reason: "ClientLost", side: "client" });
    expect(holdfast.gateway.connections).toBe(0);
    await eventually("the client's socket has ended", () => client.socket.readableEnded);
  });
});
