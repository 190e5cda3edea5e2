// What `helm test` runs in the gateway's own image: a client connects, a server sends, the client gets it.
import { request } from "node:http";
import { createRequire } from "node:module";

const { WebSocket } = createRequire("/app/")("ws");
const { GATEWAY_URL, GATEWAY_HOST, API_URL, API_TOKEN } = process.env;
const TRY_FOR_MS = 60_000;
const MAX_SENDS = 30;
const started = Date.now();
const after = () => `after ${((Date.now() - started) / 1000).toFixed(1)} s`;
const pause = () => new Promise((resolve) => setTimeout(resolve, 1_000));

/** Resolves to an open connection, or to why there is none yet. */
function connect() {
  const headers = GATEWAY_HOST ? { Host: GATEWAY_HOST } : {};
  // The certificate is for the clients' name of the gateway, not for the cluster's.
  const socket = new WebSocket(GATEWAY_URL, { headers, rejectUnauthorized: false, handshakeTimeout: 5_000 });
  return new Promise((resolve) => {
    socket.on("open", () => resolve(socket)).on("error", (error) => resolve(error.message));
  });
}

async function open() {
  for (;;) {
    const socket = await connect();
    if (typeof socket !== "string") return socket;
    if (Date.now() > started + TRY_FOR_MS) throw new Error(`no connection to ${GATEWAY_URL}: ${socket}`);
    await pause();
  }
}

const socket = await open();
console.log(`connected to ${GATEWAY_URL} ${after()}`);
const text = `hello from helm test ${started}`;
const received = new Promise((resolve, reject) => {
  socket.on("message", (data) => String(data) === text && resolve());
  socket.on("close", (code) => reject(new Error(`the gateway closed with ${code}`)));
});

/** Each time by a new connection, which may lead to another pod: without Redis, only the client's own pod knows the client. */
function send() {
  const headers = { Authorization: `Bearer ${API_TOKEN}`, "Content-Type": "text/plain" };
  return new Promise((resolve, reject) => {
    const sending = request(API_URL, { method: "POST", headers, agent: false, timeout: 10_000 }, (answer) => {
      answer.resume();
      if (answer.statusCode === 202) resolve();
      else reject(new Error(`${API_URL} answered ${answer.statusCode}`));
    });
    sending.on("timeout", () => sending.destroy(new Error(`${API_URL} does not answer`))).on("error", reject);
    sending.end(text);
  });
}

let arrived = false;
void received.then(() => {
  arrived = true;
});
for (let sent = 0; !arrived; sent++) {
  if (sent === MAX_SENDS) throw new Error(`of ${sent} messages none arrived`);
  await send();
  await Promise.race([received, pause()]);
}
console.log(`a message went through the gateway ${after()}`);
process.exit(0);
