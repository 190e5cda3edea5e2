/** Clients that exchange numbered messages with an echoing backend and notice whatever is lost, reordered or closed. */
import { once } from "node:events";
import { WebSocket } from "ws";
import { eventually } from "./eventually.ts";

export interface TrafficReport {
  /** Connections that ended before `stop`, with their close codes. */
  readonly closes: readonly string[];
  /** Echoes that did not come, or not in order. */
  readonly faults: readonly string[];
  readonly echoes: number;
}

export interface Traffic {
  readonly echoes: number;
  /** The state of now; `stop` gives the final one. */
  report(): TrafficReport;
  /** Waits until every message sent has been answered, then closes all. */
  stop(): Promise<TrafficReport>;
}

class Client {
  readonly socket: WebSocket;
  readonly url: string;
  sent = 0;
  echoed = 0;
  closed: string | undefined;
  fault: string | undefined;

  constructor(url: string, headers: Readonly<Record<string, string>>) {
    this.url = url;
    this.socket = new WebSocket(url, { perMessageDeflate: false, headers });
    this.socket.on("error", (error) => {
      this.closed ??= `${url}: ${error.message}`;
    });
    this.socket.on("close", (code, reason) => {
      this.closed ??= `${url}: closed with ${code} ${reason}`;
    });
    this.socket.on("message", (data) => {
      const expected = String(this.echoed);
      if (String(data) !== expected) this.fault ??= `${url}: got ${data}, expected ${expected}`;
      this.echoed += 1;
    });
  }

  send(): void {
    if (this.closed !== undefined) return;
    this.socket.send(String(this.sent));
    this.sent += 1;
  }
}

export interface TrafficOptions {
  /** Connections are spread over these in turn. */
  readonly urls: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly count: number;
  /** Milliseconds between two messages of one client. */
  readonly period: number;
}

export async function startTraffic({ urls, headers = {}, count, period }: TrafficOptions): Promise<Traffic> {
  const clients: Client[] = [];
  for (let index = 0; index < count; index++) {
    const client = new Client(urls[index % urls.length] ?? "", headers);
    clients.push(client);
    // One after the other in small groups, so that opening is not itself a flood.
    if (index % 25 === 24) await once(client.socket, "open");
  }
  await eventually(
    "every connection is open",
    () => {
      const refused = clients.find(({ closed }) => closed !== undefined);
      if (refused) throw new Error(`a connection was not opened: ${refused.closed}`);
      return clients.every(({ socket }) => socket.readyState === WebSocket.OPEN);
    },
    20_000,
  );
  let turn = 0;
  const slices = 10;
  const timer = setInterval(() => {
    for (let index = turn % slices; index < clients.length; index += slices) clients[index]?.send();
    turn += 1;
  }, period / slices);
  const report = (): TrafficReport => ({
    closes: clients.flatMap(({ closed }) => closed ?? []),
    faults: clients.flatMap(({ fault }) => fault ?? []),
    echoes: clients.reduce((sum, { echoed }) => sum + echoed, 0),
  });
  return {
    get echoes() {
      return report().echoes;
    },
    report,
    async stop() {
      clearInterval(timer);
      const missing = () => clients.filter(({ sent, echoed }) => sent !== echoed);
      await eventually("every message has come back", () => missing().length === 0, 10_000).catch(() => undefined);
      const lost = missing().map(({ url, sent, echoed }) => `${url}: ${sent} sent, ${echoed} came back`);
      const { closes, faults, echoes } = report();
      for (const { socket } of clients) socket.close();
      await Promise.all(clients.map(({ socket }) => socket.readyState === WebSocket.CLOSED || once(socket, "close")));
      return { closes, faults: [...faults, ...lost], echoes };
    },
  };
}

/** One handshake; resolves to `open`, or to the HTTP status or error that it ended with. Closes at once. */
export function tryHandshake(url: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { perMessageDeflate: false, headers });
    socket.on("open", () => {
      resolve("open");
      socket.close();
    });
    socket.on("unexpected-response", (request, response) => {
      response.resume();
      request.destroy();
      resolve(String(response.statusCode));
    });
    socket.on("error", (error) => resolve(error.message));
  });
}
