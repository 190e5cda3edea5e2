/** Plays the client of a row byte for byte, and tells how it ended. */
import { closeFrame, maskFrame, textFrame } from "../../gateway/tunnel/frames.ts";
import { eventually } from "./eventually.ts";
import type { Client, Step } from "./policy-table/row.ts";
import { type HttpReply, handshakeText, parseReply, type RawClient, rawConnect } from "./raw-client.ts";

/** How it ended, as the client saw it. */
export type Seen =
  | { readonly kind: "refused"; readonly reply: HttpReply }
  /** The code of the Close frame; 1006 where none came. */
  | { readonly kind: "closed"; readonly code: number }
  | { readonly kind: "open"; readonly protocol: string | undefined }
  /** It reads nothing any more. */
  | { readonly kind: "unseen" };

export interface Stage {
  readonly port: number;
  readonly host: string;
  /** Of the API port. */
  readonly apiUrl: string;
  /** Puts credentials in place of their names. */
  readonly fill: (text: string) => Promise<string>;
  /** Whether the row expects the connection to end. */
  readonly waits: "for its end" | "for nothing";
  /** Told of everything that a client or a server is answered. */
  readonly onAnswer: (text: string) => void;
}

export interface Played {
  readonly seen: Seen;
  /** Closes what is still open, this client and the earlier ones, as clients do. */
  leave(): Promise<void>;
}

const MASK = Buffer.from([1, 2, 3, 4]);

export async function play(client: Client, stage: Stage): Promise<Played> {
  const open: Connection[] = [];
  for (const step of client.before ?? []) await perform(step, undefined, stage);
  for (let number = 0; number <= (client.earlier ?? 0); number++) {
    const connection = await Connection.open(client, stage);
    stage.onAnswer(connection.text);
    if (connection.reply.status !== 101) {
      connection.raw.socket.destroy();
      if (number !== (client.earlier ?? 0)) throw new Error(`an earlier client was answered ${connection.text}`);
      return { seen: { kind: "refused", reply: connection.reply }, leave: () => leave(open) };
    }
    open.push(connection);
  }
  const last = open.at(-1) as Connection;
  for (const step of client.steps ?? []) await perform(step, last, stage);
  return { seen: await outcome(last, client, stage), leave: () => leave(open) };
}

async function leave(open: readonly Connection[]): Promise<void> {
  await Promise.all(open.map((connection) => connection.leave()));
}

async function outcome(connection: Connection, { steps = [] }: Client, { waits }: Stage): Promise<Seen> {
  if (steps.some((step) => "stops" in step)) return { kind: "unseen" };
  if (waits === "for its end") return { kind: "closed", code: await connection.closeCode() };
  // Whatever would have ended it has been seen when a round trip is over.
  return connection.isOver
    ? { kind: "closed", code: await connection.closeCode() }
    : { kind: "open", protocol: connection.protocol };
}

async function perform(step: Step, connection: Connection | undefined, stage: Stage): Promise<void> {
  if ("api" in step) return askApi(step, connection?.reply.headers.get("holdfast-connection-id") ?? "", stage);
  if (connection === undefined) throw new Error("only requests to the API come before a connection");
  if ("send" in step) connection.send(maskFrame(textFrame(await stage.fill(step.send)), MASK));
  else if ("raw" in step) connection.send(Buffer.from(step.raw.replaceAll(" ", ""), "hex"));
  else if ("gets" in step) await connection.gets(step.gets);
  else connection.raw.socket.pause();
}

async function askApi({ api, body }: { api: string; body: string }, id: string, stage: Stage): Promise<void> {
  const response = await fetch(stage.apiUrl + api.replace("{id}", encodeURIComponent(id)), {
    method: "POST",
    headers: {
      Authorization: await stage.fill("Bearer <api-token>"),
      "Content-Type": body.startsWith("{") ? "application/json" : "text/plain",
    },
    body: await stage.fill(body),
  });
  const text = await response.text();
  stage.onAnswer(text);
  if (!response.ok) throw new Error(`${api}: ${response.status} ${text}`);
}

interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}
const TEXT = 0x1;
const CLOSE = 0x8;

class Connection {
  readonly raw: RawClient;
  readonly reply: HttpReply;
  /** The whole answer. */
  readonly text: string;
  #taken = 0;

  private constructor(raw: RawClient, head: Buffer) {
    this.raw = raw;
    this.text = head.toString("latin1");
    this.reply = parseReply(head);
  }

  /** Resolves when the handshake has been answered, whatever the answer is. */
  static async open(client: Client, { port, host, fill }: Stage): Promise<Connection> {
    const { method, target = "/", headers = {} } = client;
    const filled: Record<string, string | undefined> = { Host: host };
    for (const [name, value] of Object.entries(headers))
      filled[name] = value === undefined ? undefined : await fill(value);
    const raw = await rawConnect(port);
    const text = handshakeText({ ...(method && { method }), target: await fill(target), headers: filled });
    raw.socket.write(text, "latin1");
    const bytes = await raw.until((soFar) => soFar.includes("\r\n\r\n"));
    if (!bytes.toString("latin1", 0, 12).endsWith("101")) return new Connection(raw, await raw.rest());
    return new Connection(raw, bytes.subarray(0, bytes.indexOf("\r\n\r\n") + 4));
  }

  get protocol(): string | undefined {
    return this.reply.headers.get("sec-websocket-protocol");
  }

  get isOver(): boolean {
    return (
      this.raw.socket.readableEnded ||
      this.raw.socket.destroyed ||
      this.#frames().some(({ opcode }) => opcode === CLOSE)
    );
  }

  send(bytes: Buffer): void {
    this.raw.socket.write(bytes);
  }

  /** Waits for one more message that holds `text`. */
  async gets(text: string): Promise<void> {
    let messages: string[] = [];
    await this.raw.until(() => {
      messages = this.#messages();
      return messages.length > this.#taken || this.isOver;
    });
    const message = messages[this.#taken++] ?? "nothing";
    if (!message.includes(text)) throw new Error(`expected ${text}, got ${message}`);
  }

  async closeCode(): Promise<number> {
    await this.raw.until(() => this.isOver);
    const close = this.#frames().find(({ opcode }) => opcode === CLOSE);
    this.raw.socket.end();
    return close === undefined ? 1006 : close.payload.readUInt16BE(0);
  }

  async leave(): Promise<void> {
    const { socket } = this.raw;
    if (!this.isOver && !socket.isPaused()) {
      this.send(maskFrame(closeFrame(1000), MASK));
      await eventually("the gateway answers the Close", () => this.isOver);
    }
    socket.destroy();
  }

  #messages(): string[] {
    return this.#frames()
      .filter(({ opcode }) => opcode === TEXT)
      .map(({ payload }) => payload.toString());
  }

  /** All whole frames so far. */
  #frames(): Frame[] {
    const bytes = this.raw.received().subarray(this.text.length);
    const frames: Frame[] = [];
    for (let at = 0; at + 2 <= bytes.length; ) {
      const short = bytes.readUInt8(at + 1);
      const head = short === 127 ? 10 : short === 126 ? 4 : 2;
      if (at + head > bytes.length) break;
      const length =
        short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short === 126 ? bytes.readUInt16BE(at + 2) : short;
      if (at + head + length > bytes.length) break;
      frames.push({ opcode: bytes.readUInt8(at) & 0x0f, payload: bytes.subarray(at + head, at + head + length) });
      at += head + length;
    }
    return frames;
  }
}
