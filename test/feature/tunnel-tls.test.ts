import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { afterEach, expect, it } from "@jest/globals";
import type { SessionEnd } from "../../gateway/session.ts";
import { binaryFrame, closeFrame, maskFrame } from "../../gateway/tunnel/frames.ts";
import { openTunnel } from "../../gateway/tunnel/tunnel.ts";
import { makeCertificate } from "../support/certificate.ts";
import { Peer } from "../support/tunnel-rig.ts";

const KEY = Buffer.from("01020304", "hex");
const open: Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

const portOf = (server: { address(): unknown }): number => (server.address() as { port: number }).port;

/** A tunnel whose client speaks TLS, as on a WSS listener. */
async function openTlsRig() {
  const certificate = makeCertificate("localhost");
  const tls = createTlsServer({ ...certificate, allowHalfOpen: true }).listen(0, "127.0.0.1");
  const tcp = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await Promise.all([once(tls, "listening"), once(tcp, "listening")]);
  const farClient = connectTls({
    port: portOf(tls),
    host: "127.0.0.1",
    servername: "localhost",
    ca: certificate.cert,
  });
  const backend = connect({ port: portOf(tcp), host: "127.0.0.1", allowHalfOpen: true });
  const [[client], [farBackend]] = (await Promise.all([
    once(tls, "secureConnection"),
    once(tcp, "connection"),
    once(farClient, "secureConnect"),
    once(backend, "connect"),
  ])) as [[TLSSocket], [Socket], unknown, unknown];
  tls.close();
  tcp.close();
  open.push(client, farClient, backend, farBackend);
  const { promise: ended, resolve: onEnd } = Promise.withResolvers<SessionEnd>();
  openTunnel({
    client,
    backend,
    clientHead: Buffer.alloc(0),
    backendHead: Buffer.alloc(0),
    limits: { maxMessageSize: 1 << 20, maxQueuedBytes: 1 << 20, onSlowClient: "Pause" },
    rsv: 0,
    clock: Date,
    onEnd,
  });
  return { client: new Peer(farClient), backend: new Peer(farBackend), ended };
}

it("carries megabytes both ways over TLS without a byte changed", async () => {
  const { client, backend } = await openTlsRig();
  const message = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
  const up = Buffer.concat(Array<Buffer>(20).fill(maskFrame(binaryFrame(message), KEY)));
  const down = Buffer.concat(Array<Buffer>(20).fill(binaryFrame(message)));
  client.send(up);
  backend.send(down);
  expect((await backend.got(up.length)).equals(up)).toBe(true);
  expect((await client.got(down.length)).equals(down)).toBe(true);
});

it("carries the Close handshake over TLS, and both sockets are gone behind it", async () => {
  const { client, backend, ended } = await openTlsRig();
  client.send(maskFrame(closeFrame(1000), KEY));
  await backend.got(8);
  backend.send(closeFrame(1000));
  backend.socket.end();
  expect(await client.got(4)).toEqual(closeFrame(1000));
  client.socket.end();
  expect(await ended).toEqual({ reason: "ClientClosed", code: 1000 });
});
