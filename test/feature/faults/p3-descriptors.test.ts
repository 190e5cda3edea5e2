import { describe, expect, it } from "@jest/globals";
import { descriptorBudget } from "../../../gateway/ports/descriptors.ts";
import { eventually } from "../../support/eventually.ts";
import { startGatewayProcess } from "../../support/gateway-process.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, rawConnect, rawRequest } from "../../support/raw-client.ts";
import { type Client, createRig, openClient } from "../../support/rig.ts";

const rig = createRig();
const MAX_FILES = 300;
const { full, spent } = descriptorBudget(MAX_FILES);
/** Each takes two descriptors: its own and its backend's. */
const SERVED = full / 2;

describe("P3: file descriptors run out", () => {
  it("for clients first: they are told to come back, the admin port answers, and room is used again", async () => {
    const echo = await rig.backend();
    const holdfast = await startGatewayProcess({ backends: { [CHAT]: [echo.port] } }, { maxFiles: MAX_FILES });
    rig.use(holdfast, (part) => part.stop());
    const clients: Client[] = [];
    rig.use(clients, (all) => {
      for (const { socket } of all) socket.terminate();
    });
    while (clients.length < SERVED) clients.push(await openClient(holdfast.url()));
    const reply = await rawRequest(holdfast.port, handshakeText());
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([503, "Overloaded"]);
    expect(Number(reply.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    // Far more than there are descriptors, all at once and saying nothing.
    const flood = await Promise.all(Array.from({ length: 2 * MAX_FILES }, () => rawConnect(holdfast.port)));
    rig.use(flood, (all) => {
      for (const { socket } of all) socket.destroy();
    });
    const dropped = 2 * MAX_FILES - (spent - full);
    await eventually(
      "the rest is dropped",
      async () => (await holdfast.metric("holdfast_client_drops_total")) >= dropped,
    );
    expect((await fetch(`http://127.0.0.1:${holdfast.adminPort}/healthz`)).status).toBe(200);
    for (const client of clients) expect((await client.ask("still here")).toString()).toBe("still here");
    expect(await holdfast.metric("process_open_fds")).toBeLessThan(MAX_FILES);
    for (const { socket } of flood) socket.destroy();
    for (const client of clients.splice(0, 10)) await client.close();
    await eventually("there is room again", async () => {
      const { status } = await rawRequestHead(holdfast.port);
      return status === 101;
    });
  });
});

/** The status of a handshake whose connection is dropped at once. */
async function rawRequestHead(port: number): Promise<{ status: number }> {
  const client = await rawConnect(port);
  client.socket.write(handshakeText());
  const head = await client.head();
  client.socket.destroy();
  return { status: Number(head.split(" ")[1]) };
}
