import { once } from "node:events";
import { connect, type PeerCertificate, type TLSSocket } from "node:tls";
import { describe, expect, it } from "@jest/globals";
import type { Listener } from "../../gateway/snapshot.ts";
import { makeCertificate } from "../support/certificate.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { makeRoute } from "../support/make-route.ts";
import { CHAT } from "../support/make-snapshot.ts";
import { rawConnect } from "../support/raw-client.ts";
import { createRig } from "../support/rig.ts";

const rig = createRig();

const listener = (name: string, more: Partial<Listener> = {}): Listener => ({
  name,
  port: 8080,
  protocol: "WS",
  certificates: [],
  ...more,
});
const certificate = (name: string, ...hostnames: string[]) => ({ cert: `${name}.crt`, key: `${name}.key`, hostnames });
const secretsOf = (name: string, { cert, key }: { cert: string; key: string }) => ({
  [`${name}.crt`]: cert,
  [`${name}.key`]: key,
});

async function peerCertificate(port: number, servername: string): Promise<PeerCertificate> {
  const socket: TLSSocket = connect({ port, host: "127.0.0.1", servername, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const found = socket.getPeerCertificate();
  socket.destroy();
  return found;
}

describe("listeners", () => {
  it("come and go with the snapshot, and take no connection with them", async () => {
    const echo = await rig.backend();
    const backends = { [CHAT]: [echo.port] };
    const routes = [makeRoute({ listeners: ["ws", "more"] })];
    const settings = (...names: string[]) => ({ listeners: names.map((name) => listener(name)) });
    const holdfast = await rig.gateway({ routes, backends, settings: settings("ws") });
    const first = await rig.client(holdfast.url());
    await holdfast.offer({ routes, backends, settings: settings("ws", "more") });
    const port = await eventually("the new port is open", () => holdfast.gateway.ports.listeners.get("more"));
    const second = await rig.client(`ws://127.0.0.1:${port}/`);
    await holdfast.offer({ routes, backends, settings: settings("more") });
    await eventually("the old port is closed", () => !holdfast.gateway.ports.listeners.has("ws"));
    const refused = await rawConnect(holdfast.port).catch((error) => error.code);
    expect(refused).toBe("ECONNREFUSED");
    expect((await first.ask("on a closed port")).toString()).toBe("on a closed port");
    expect((await second.ask("on the new one")).toString()).toBe("on the new one");
    expect(holdfast.gateway.connections).toBe(2);
  });

  it("share a port and are told apart by host", async () => {
    const [one, two] = [await rig.backend(), await rig.backend()];
    const routes = [
      makeRoute({ name: "one", listeners: ["one"], backends: [{ id: "one", weight: 1 }] }),
      makeRoute({ name: "two", order: 1, listeners: ["two"], backends: [{ id: "two", weight: 1 }] }),
    ];
    const listeners = [
      listener("one", { hostname: "one.example.com" }),
      listener("two", { hostname: "*.example.com" }),
    ];
    const port = await freePort();
    const holdfast = await rig.gateway({
      routes,
      backends: { one: [one.port], two: [two.port] },
      settings: { listeners },
      gateway: {
        listen: { host: "127.0.0.1", portOf: () => port, apiPort: 0, adminHost: "127.0.0.1", adminPort: 0 },
      },
    });
    await rig.client(holdfast.url(), { headers: { Host: "one.example.com" } });
    await rig.client(holdfast.url(), { headers: { Host: "other.example.com" } });
    expect([one.requests.length, two.requests.length]).toEqual([1, 1]);
    await expect(rig.client(holdfast.url(), { headers: { Host: "example.org" } })).rejects.toThrow("404");
  });

  it("whose port is taken are tried again, and leave the others alone", async () => {
    const echo = await rig.backend();
    const backends = { [CHAT]: [echo.port] };
    const listeners = [listener("ws", { port: 0 }), listener("taken", { port: echo.port })];
    const listen = {
      host: "127.0.0.1",
      portOf: ({ port }: Listener) => port,
      apiPort: 0,
      adminHost: "127.0.0.1",
      adminPort: 0,
    };
    const settings = { listeners: listeners.slice(0, 1) };
    const holdfast = await rig.gateway({ backends, settings, gateway: { listen } });
    const client = await rig.client(holdfast.url());
    const ready = async () => {
      const response = await fetch(`http://127.0.0.1:${holdfast.adminPort}/readyz`);
      return (await response.json()) as { ready: boolean; problems: string[] };
    };
    expect(await ready()).toEqual({ ready: true, because: [], problems: [] });
    await holdfast.offer({ backends, settings: { listeners } });
    await eventually("the failure is told", async () => (await ready()).problems.length === 1);
    const { ready: isReady, problems } = await ready();
    expect(isReady).toBe(true);
    expect(problems[0]).toMatch(/^listener taken: .*EADDRINUSE/);
    expect((await client.ask("still here")).toString()).toBe("still here");
    client.socket.terminate();
    await echo.stop();
    await eventually("the port is tried again", () => holdfast.gateway.ports.listeners.get("taken") === echo.port);
    await eventually("nothing is wrong any more", async () => (await ready()).problems.length === 0);
    expect(holdfast.lines("port").filter(({ level }) => level === 50)).toHaveLength(1);
  });
});

describe("a gateway that starts", () => {
  it("with a port that is taken says which listener wants it, and leaves nothing open", async () => {
    const echo = await rig.backend();
    const listen = { host: "127.0.0.1", portOf: () => echo.port, apiPort: 0, adminHost: "127.0.0.1", adminPort: 0 };
    await expect(rig.gateway({ gateway: { listen } })).rejects.toThrow(/^listener ws: .*EADDRINUSE/);
  });

  it("with a listener that has no certificate serves the others", async () => {
    const echo = await rig.backend();
    const bad = listener("wss", { protocol: "WSS", port: 8443, certificates: [certificate("gone")] });
    const settings = { listeners: [listener("ws"), bad] };
    const holdfast = await rig.gateway({ backends: { [CHAT]: [echo.port] }, settings });
    const client = await rig.client(holdfast.url());
    expect((await client.ask("hello")).toString()).toBe("hello");
    const readiness = await fetch(`http://127.0.0.1:${holdfast.adminPort}/readyz`);
    expect(readiness.status).toBe(200);
    expect(await readiness.json()).toMatchObject({ problems: ["listener wss: the certificate gone.crt is missing"] });
  });
});

describe("a TLS listener", () => {
  const wss = (...certificates: Listener["certificates"]) => ({
    listeners: [listener("ws", { protocol: "WSS", port: 8443, certificates })],
  });

  it("serves each name with its certificate, and says wss to client and backend", async () => {
    const echo = await rig.backend();
    const holdfast = await rig.gateway({
      backends: { [CHAT]: [echo.port] },
      settings: wss(certificate("a", "a.example.com"), certificate("b", "*.b.example.com")),
      secrets: {
        ...secretsOf("a", makeCertificate("a.example.com")),
        ...secretsOf("b", makeCertificate("*.b.example.com")),
      },
    });
    expect((await peerCertificate(holdfast.port, "a.example.com")).subject.CN).toBe("a.example.com");
    expect((await peerCertificate(holdfast.port, "x.b.example.com")).subject.CN).toBe("*.b.example.com");
    expect((await peerCertificate(holdfast.port, "unknown.net")).subject.CN).toBe("a.example.com");
    const client = await rig.client(`wss://127.0.0.1:${holdfast.port}/`, { rejectUnauthorized: false });
    expect((await client.ask("hello")).toString()).toBe("hello");
    expect(client.headers["set-cookie"]?.[0]).toContain("Secure");
    expect(echo.requests[0]?.headers["x-forwarded-proto"]).toBe("https");
  });

  it("takes a new certificate for new clients while the others stay connected", async () => {
    const echo = await rig.backend();
    const backends = { [CHAT]: [echo.port] };
    const settings = wss(certificate("a", "a.example.com"));
    const before = makeCertificate("a.example.com", "before");
    const holdfast = await rig.gateway({ backends, settings, secrets: secretsOf("a", before) });
    const client = await rig.client(`wss://127.0.0.1:${holdfast.port}/`, { rejectUnauthorized: false });
    await holdfast.offer({ backends, settings, secrets: secretsOf("a", makeCertificate("a.example.com", "after")) });
    await eventually("the new certificate is served", async () => {
      const { subjectaltname } = await peerCertificate(holdfast.port, "a.example.com");
      return subjectaltname?.includes("after");
    });
    // A certificate that cannot be used leaves the last good one in place.
    await holdfast.offer({ backends, settings, secrets: { "a.crt": "no PEM", "a.key": "no PEM" } });
    await eventually("the failure is logged", () => holdfast.lines("port").some((line) => line.listener === "ws"));
    expect((await peerCertificate(holdfast.port, "a.example.com")).subjectaltname).toContain("after");
    expect((await client.ask("still here")).toString()).toBe("still here");
  });

  it("closes a client that never finishes its handshake", async () => {
    const holdfast = await rig.gateway({
      settings: wss(certificate("a")),
      secrets: secretsOf("a", makeCertificate("a.example.com")),
      gateway: { requestLimits: { headTimeout: 200, maxHeadBytes: 4096, keepAliveTimeout: 200, checkInterval: 50 } },
    });
    const client = await rawConnect(holdfast.port);
    client.socket.write(Buffer.from([0x16, 0x03, 0x01]));
    expect(await client.rest()).toHaveLength(0);
    await eventually("it is counted", () => holdfast.metric("holdfast_client_resets_total"));
  });
});
