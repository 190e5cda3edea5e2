/**
 * The ports that clients connect to: opened, closed and given new certificates as snapshots swap, without touching the
 * connections of any other port; and the bounds within which a request has to arrive.
 */
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Log } from "../observe/log.ts";
import type { RefusalReason } from "../refusals.ts";
import type { GatewaySettings, Listener, SecretMaterial } from "../snapshot.ts";
import { type Certificate, errorMessage, type PortFailure, readCertificates } from "./certificates.ts";
import { certificateFor, type PortGroup, planPorts } from "./listeners.ts";

/** Bounds on a request before anything is known about it (C12). Milliseconds and bytes. */
export interface RequestLimits {
  /** For the whole head, and for the TLS handshake before it. */
  readonly headTimeout: number;
  readonly maxHeadBytes: number;
  /** How long a connection may wait for a next request. */
  readonly keepAliveTimeout: number;
  /** How often connections are held against `headTimeout`. */
  readonly checkInterval: number;
}

export const REQUEST_LIMITS: RequestLimits = {
  headTimeout: 10_000,
  maxHeadBytes: 16 * 1024,
  keepAliveTimeout: 5000,
  checkInterval: 1000,
};

/** Waiting connections that the kernel may hold for us; a fleet of clients that comes back at once needs more than 511. */
const BACKLOG = 4096;
/** Stream buffer of a client's socket. */
const HIGH_WATER_MARK = 64 * 1024;

export interface UpgradeEvent {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** Bytes that arrived behind the request. */
  readonly head: Buffer;
  readonly port: PortGroup;
  readonly remoteAddress: string;
}

export interface PlainEvent {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly port: PortGroup;
}

export interface ServerHandlers {
  upgrade(event: UpgradeEvent): void;
  plain(event: PlainEvent): void;
  /** A request that could not be read to its end. */
  broken(reason: RefusalReason, socket: Duplex): void;
  /** A connection that was reset before its request was read. */
  reset(): void;
  /** A connection that was closed as it came, since there are too many. */
  dropped(): void;
}

export interface PortsOptions {
  /** Address to bind. */
  readonly host: string;
  /** Port of a listener; 0 for any free one. */
  readonly portOf: (listener: Listener) => number;
  readonly handlers: ServerHandlers;
  readonly log: Log;
  readonly limits?: RequestLimits;
  /** Whether one more connection may be kept; it is closed as it comes otherwise. */
  readonly mayKeep: () => boolean;
}

interface OpenPort {
  readonly server: Server | TlsServer;
  group: PortGroup;
  certificates: readonly Certificate[];
}

/** Node's reason for giving a request up, in our words. */
function brokenReason(code: string | undefined): RefusalReason {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return "HandshakeTimeout";
  if (code === "HPE_HEADER_OVERFLOW") return "HeadersTooLarge";
  return "BadRequest";
}

function failuresOf(group: PortGroup, kind: PortFailure["kind"], message: string): PortFailure[] {
  return group.listeners.map(({ name }) => ({ kind, listener: name, message }));
}

export class Ports {
  readonly #options: PortsOptions;
  readonly #limits: RequestLimits;
  readonly #open = new Map<string, OpenPort>();
  #work: Promise<unknown> = Promise.resolve();
  #stopped = false;
  #clients = 0;

  constructor(options: PortsOptions) {
    this.#options = options;
    this.#limits = options.limits ?? REQUEST_LIMITS;
  }

  /** Client connections that are open now, upgraded or not. */
  get clients(): number {
    return this.#clients;
  }

  /** Port by listener name. */
  get numbers(): ReadonlyMap<string, number> {
    const numbers = new Map<string, number>();
    for (const { server, group } of this.#open.values()) {
      const { port } = server.address() as AddressInfo;
      for (const { name } of group.listeners) numbers.set(name, port);
    }
    return numbers;
  }

  /** Opens, closes and updates ports until they are what the settings say; resolves with what could not be done. */
  apply(settings: GatewaySettings, secrets: SecretMaterial): Promise<PortFailure[]> {
    const work = this.#work.then(() => this.#apply(settings, secrets));
    this.#work = work;
    return work;
  }

  /** Takes no new connection any more; those that are upgraded go on. */
  stop(): void {
    this.#stopped = true;
    for (const id of [...this.#open.keys()]) this.#close(id);
  }

  async #apply(settings: GatewaySettings, secrets: SecretMaterial): Promise<PortFailure[]> {
    if (this.#stopped) return [];
    const { groups, conflicts } = planPorts(settings.listeners, this.#options.portOf);
    const failures: PortFailure[] = conflicts.map(({ name }) => ({
      kind: "conflict",
      listener: name,
      message: "another listener uses its port with another protocol",
    }));
    const wanted = new Set(groups.map(({ id }) => id));
    for (const id of [...this.#open.keys()]) if (!wanted.has(id)) this.#close(id);
    for (const group of groups) {
      try {
        failures.push(...(await this.#bring(group, secrets)));
      } catch (error) {
        failures.push(...failuresOf(group, "port", errorMessage(error)));
      }
    }
    return failures;
  }

  async #bring(group: PortGroup, secrets: SecretMaterial): Promise<PortFailure[]> {
    const open = this.#open.get(group.id);
    const { certificates, failures } = readCertificates(group, secrets, open?.certificates ?? []);
    // A TLS port never goes without a certificate: the old ones serve on.
    const usable = group.protocol === "WS" || certificates.length > 0;
    if (open) {
      open.group = group;
      if (usable) this.#useCertificates(open, certificates);
      return failures;
    }
    if (!usable) {
      return failures.length > 0 ? failures : failuresOf(group, "certificate", "it has no certificate");
    }
    await this.#listen(group, certificates);
    return failures;
  }

  #useCertificates(open: OpenPort, certificates: readonly Certificate[]): void {
    const [first] = certificates;
    const before = open.certificates[0];
    open.certificates = certificates;
    if (!first || (first.cert === before?.cert && first.key === before.key)) return;
    (open.server as TlsServer).setSecureContext({ cert: first.cert, key: first.key, minVersion: "TLSv1.2" });
  }

  async #listen(group: PortGroup, certificates: readonly Certificate[]): Promise<void> {
    const server = group.protocol === "WS" ? createServer(this.#httpOptions()) : this.#tlsServer(group, certificates);
    const open: OpenPort = { server, group, certificates };
    this.#attach(open);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: this.#options.host, port: group.port, backlog: BACKLOG }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    if (this.#stopped) {
      server.close();
      return;
    }
    server.on("error", (error) => this.#options.log.error({ event: "port", err: error }, "a port failed"));
    this.#open.set(group.id, open);
    const names = group.listeners.map(({ name }) => name);
    const { port } = server.address() as AddressInfo;
    this.#options.log.info({ event: "port", port, listeners: names, protocol: group.protocol }, "port opened");
  }

  #httpOptions(): ServerOptions {
    const { headTimeout, maxHeadBytes, keepAliveTimeout, checkInterval } = this.#limits;
    return {
      headersTimeout: headTimeout,
      requestTimeout: headTimeout,
      connectionsCheckingInterval: checkInterval,
      keepAliveTimeout,
      maxHeaderSize: maxHeadBytes,
      highWaterMark: HIGH_WATER_MARK,
      noDelay: true,
      insecureHTTPParser: false,
      // A missing Host is refused by the pipeline, which says so and counts it.
      requireHostHeader: false,
    };
  }

  #tlsServer(group: PortGroup, [first, ...others]: readonly Certificate[]): TlsServer {
    const current = (): readonly Certificate[] =>
      this.#open.get(group.id)?.certificates ?? (first ? [first, ...others] : []);
    const server = createTlsServer({
      ...this.#httpOptions(),
      ...(first && { cert: first.cert, key: first.key }),
      minVersion: "TLSv1.2",
      handshakeTimeout: this.#limits.headTimeout,
      ALPNProtocols: ["http/1.1"],
      SNICallback: (name, done) => done(null, certificateFor(current(), name)?.context),
    });
    server.on("tlsClientError", () => this.#options.handlers.reset());
    return server;
  }

  #attach(open: OpenPort): void {
    const { handlers } = this.#options;
    const { server } = open;
    const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      // First thing: the parser has just taken its own listener off, and a reset now would end the process (C1).
      socket.on("error", () => undefined);
      const remoteAddress = (socket as Socket).remoteAddress ?? "";
      handlers.upgrade({ request, socket, head, port: open.group, remoteAddress });
    };
    server.on("connection", this.#count);
    server.on("upgrade", upgrade);
    server.on("connect", upgrade);
    const plain = (request: IncomingMessage, response: ServerResponse): void =>
      handlers.plain({ request, response, port: open.group });
    server.on("request", plain);
    server.on("checkContinue", plain);
    server.on("checkExpectation", plain);
    server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      const { bytesRead } = socket as Socket;
      if (error.code === "ECONNRESET" || !socket.writable) {
        handlers.reset();
        socket.destroy();
      } else if (bytesRead === 0) {
        socket.destroy();
      } else {
        // The parser is done with this socket; what still comes must not reach it again.
        socket.removeAllListeners("data");
        handlers.broken(brokenReason(error.code), socket);
      }
    });
  }

  readonly #count = (socket: Socket): void => {
    this.#clients += 1;
    socket.on("close", this.#uncount);
    if (this.#options.mayKeep()) return;
    this.#options.handlers.dropped();
    socket.destroy();
  };

  readonly #uncount = (): void => {
    this.#clients -= 1;
  };

  #close(id: string): void {
    const open = this.#open.get(id);
    if (!open) return;
    this.#open.delete(id);
    open.server.close();
    const names = open.group.listeners.map(({ name }) => name);
    this.#options.log.info({ event: "port", listeners: names }, "port closed to new connections");
  }
}
