import { describe, expect, it } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import { makeRoute } from "../../support/make-route.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { handshakeText, rawRequest } from "../../support/raw-client.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();

const limited = (connections: { total?: number; perClientIP?: number }) =>
  makeRoute({ limits: { ...makeRoute().limits, connections } });

describe("C16: a limit of connections is reached", () => {
  it("refuses the next with 503 and a jittered Retry-After, and touches nobody who is connected", async () => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({ routes: [limited({ total: 2 })], backends: { [CHAT]: [echo.port] } });
    const clients = [await rig.client(holdfast.url()), await rig.client(holdfast.url())];
    const waits = new Set<string | undefined>();
    for (let i = 0; i < 40; i += 1) {
      const reply = await rawRequest(holdfast.port, handshakeText());
      expect([reply.status, JSON.parse(reply.body).reason]).toEqual([503, "TooManyConnections"]);
      waits.add(reply.headers.get("retry-after"));
    }
    expect(waits.size).toBeGreaterThan(1);
    expect([...waits].every((seconds) => Number(seconds) >= 1 && Number(seconds) <= 10)).toBe(true);
    for (const client of clients) expect((await client.ask("still here")).toString()).toBe("still here");
    await clients[0]!.close();
    await eventually("the permit is back", () => holdfast.gateway.connections === 1);
    await rig.client(holdfast.url());
  });

  it("of one client address: 429", async () => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({
      routes: [limited({ perClientIP: 1 })],
      backends: { [CHAT]: [echo.port] },
      settings: { trustedProxies: ["127.0.0.1/32"] },
    });
    const from = (ip: string) => ({ headers: { "X-Forwarded-For": ip } });
    const first = await rig.client(holdfast.url(), from("192.0.2.1"));
    const reply = await rawRequest(holdfast.port, handshakeText(from("192.0.2.1")));
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([429, "TooManyConnectionsPerClient"]);
    await rig.client(holdfast.url(), from("192.0.2.2"));
    expect((await first.ask("hello")).toString()).toBe("hello");
  });
});
