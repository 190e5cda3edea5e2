/**
 * What one gateway process has to tell the others of about access: revocations, and tokens for connections that it does not
 * hold itself. Everything on the bus is sealed, for a Redis is often shared.
 *
 * A process that starts, or whose bus comes back, says which revocations it knows; who knows more answers with its own.
 */
import { z } from "zod";
import { type Bus, BusUnavailable } from "../bus/bus.ts";
import type { Clock } from "../clock.ts";
import type { SnapshotSource } from "../config/source.ts";
import { withoutSignature } from "../handshake/connection-id.ts";
import type { LiveConnection, LiveConnections } from "../live/live.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Random } from "../random.ts";
import { SNAPSHOT_OBJECTS } from "../snapshot.ts";
import type { TokenReason } from "./jwt.ts";
import { Revocation, type Revocations } from "./revocations.ts";
import { open, seal, sealingKey } from "./seal.ts";
import { hasRequiredClaims, type Tokens } from "./tokens.ts";

export interface ControlOptions {
  readonly source: SnapshotSource;
  readonly bus: Bus;
  readonly live: LiveConnections;
  readonly clock: Clock;
  readonly random: Random;
  readonly revocations: Revocations;
  readonly tokens: Tokens;
  readonly metrics: Metrics;
  readonly log: Log;
  /** ms since the epoch. */
  readonly wall: () => number;
}

const CHANNEL = "control";
/** Milliseconds that the process which holds a connection gets to answer. */
const ANSWER_WITHIN = 7_000;
/** Milliseconds after which a process that holds the connection has at least said so. */
const HOLDER_WITHIN = 1_500;
/** Revocations in one message. */
const BATCH = 1_000;

export type RenewalFailure = TokenReason | "ClaimsInsufficient" | "Revoked" | "SubjectChanged" | "NoSuchConnection";

/** `expiresAt` in ms since the epoch, the tolerated difference of clocks included; null for never. */
export type Renewal =
  | { readonly ok: true; readonly expiresAt: number | null }
  | { readonly ok: false; readonly reason: RenewalFailure };

const Message = z.discriminatedUnion("type", [
  z.object({ type: z.literal("hello"), from: z.string(), entries: z.array(Revocation) }),
  z.object({
    type: z.literal("revoke"),
    from: z.string(),
    entries: z.array(Revocation),
    connections: z.array(z.string()),
  }),
  z.object({
    type: z.literal("renew"),
    from: z.string(),
    question: z.string(),
    connection: z.string(),
    token: z.string(),
  }),
  z.object({ type: z.literal("held"), from: z.string(), to: z.string(), question: z.string() }),
  z.object({ type: z.literal("renewed"), from: z.string(), to: z.string(), question: z.string(), answer: z.unknown() }),
]);
type Message = z.infer<typeof Message>;

interface Question {
  held: boolean;
  readonly settle: (renewal: Renewal) => void;
}

export interface RevocationRequest {
  readonly entries: readonly Revocation[];
  /** IDs of connections to end. */
  readonly connections: readonly string[];
}

export class Control {
  readonly #options: ControlOptions;
  /** Marks what this process has sent, since the bus brings it back. */
  readonly #name: string;
  readonly #ownSecret: Buffer;
  readonly #questions = new Map<string, Question>();
  #secret: string | undefined;
  #key: Buffer | undefined;
  #unsubscribe: () => void = () => undefined;
  #closed = false;

  constructor(options: ControlOptions) {
    this.#options = options;
    this.#name = options.random.bytes(9).toString("base64url");
    this.#ownSecret = options.random.bytes(32);
  }

  /** To be called when the secrets may have changed: what was said under another key was heard by nobody. */
  follow(): void {
    const before = this.#key;
    if (this.#sealingKey() !== before) void this.#hello();
  }

  /** Begins to listen to the others, and asks what they know. */
  start(): void {
    const { bus } = this.#options;
    bus.onState((state) => {
      if (state === "up" && !this.#closed) void this.#hello();
    });
    bus
      .subscribe(CHANNEL, (payload) => this.#receive(payload))
      .then(
        (subscription) => {
          this.#unsubscribe = () => void subscription.unsubscribe().catch(() => undefined);
          if (this.#closed) this.#unsubscribe();
          else void this.#hello();
        },
        // Rejects only when the bus is closed for good.
        () => undefined,
      );
  }

  close(): void {
    this.#closed = true;
    this.#unsubscribe();
    for (const { settle } of this.#questions.values()) settle({ ok: false, reason: "NoSuchConnection" });
  }

  /**
   * Revokes here at once and tells the others. Resolves with `full` when there is no room for it.
   * @throws BusUnavailable when the others were not told; they are when the bus is back.
   */
  async revoke(request: RevocationRequest): Promise<"done" | "full"> {
    if (!this.#take(request)) return "full";
    await this.#send({
      type: "revoke",
      from: this.#name,
      entries: [...request.entries],
      connections: [...request.connections],
    });
    return "done";
  }

  /**
   * Puts a newer token in the place of the one that a connection came with, on whichever process holds it.
   * @throws BusUnavailable when it is not held here and the others cannot be asked.
   */
  async renew(connection: string, token: string): Promise<Renewal> {
    const own = this.#options.live.withToken(connection);
    if (own) return this.#renewOwn(own, token);
    const question = this.#options.random.bytes(9).toString("base64url");
    const answer = this.#await(question);
    try {
      await this.#send({ type: "renew", from: this.#name, question, connection, token });
    } catch (error) {
      this.#questions.get(question)?.settle({ ok: false, reason: "NoSuchConnection" });
      throw error;
    }
    return answer;
  }

  #await(question: string): Promise<Renewal> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const settle = (renewal: Renewal): void => {
        this.#questions.delete(question);
        cancelShort();
        cancelLong();
        resolve(renewal);
      };
      const entry: Question = { held: false, settle };
      this.#questions.set(question, entry);
      const nobody: Renewal = { ok: false, reason: "NoSuchConnection" };
      const cancelShort = clock.after(HOLDER_WITHIN, () => entry.held || settle(nobody));
      const cancelLong = clock.after(ANSWER_WITHIN, () => settle({ ok: false, reason: "KeysUnavailable" }));
    });
  }

  async #renewOwn(connection: LiveConnection, text: string): Promise<Renewal> {
    const { tokens, revocations, live, source } = this.#options;
    const { jwt } = connection.facts.route;
    const secrets = source.current?.secrets;
    if (!jwt || !secrets) return { ok: false, reason: "NoSuchConnection" };
    const token = await tokens.verify(text, jwt, secrets);
    if ("problem" in token) return { ok: false, reason: token.problem };
    const before = connection.principal.token;
    // Limits, groups and the backend go by who the client was: it cannot become another one.
    if (token.subject !== before?.subject || token.issuer !== before?.issuer)
      return { ok: false, reason: "SubjectChanged" };
    if (jwt.mode === "Enforce" && !hasRequiredClaims(token, jwt)) return { ok: false, reason: "ClaimsInsufficient" };
    if (revocations.has({ user: connection.principal.user, token })) return { ok: false, reason: "Revoked" };
    live.renewToken(connection, token);
    return { ok: true, expiresAt: Number.isFinite(token.expiresAt) ? token.expiresAt : null };
  }

  /** Takes revocations up and ends the connections that they are about; false when there is no room for all. */
  #take({ entries, connections }: RevocationRequest): boolean {
    const { revocations, live, metrics, log } = this.#options;
    // Every entry is tried: a full list still takes what it knows already.
    const fits = entries.map((entry) => revocations.add(entry)).every(Boolean);
    if (!fits) log.error({ event: "revocation", known: revocations.size }, "there is no room for another revocation");
    metrics.revocations(revocations.size);
    if (entries.length === 0 && connections.length === 0) return true;
    // By what logs and lists show of an ID as well as by the whole of it.
    const ids = new Set(connections.map(withoutSignature));
    const isRevoked = ({ principal, facts }: LiveConnection): boolean =>
      (ids.size > 0 && ids.has(withoutSignature(facts.connectionId))) || revocations.has(principal);
    live
      .closeWhere(isRevoked, "Revoked")
      .catch((error) => log.error({ event: "revocation", err: error }, "a revocation failed"));
    return fits;
  }

  #receive(payload: Buffer): void {
    const message = this.#read(payload);
    if (message === undefined || message.from === this.#name) return;
    switch (message.type) {
      case "hello":
        this.#take({ ...message, connections: [] });
        void this.#tellMissing(message.entries);
        break;
      case "revoke":
        this.#take(message);
        break;
      case "renew":
        void this.#answer(message);
        break;
      case "held": {
        const question = message.to === this.#name ? this.#questions.get(message.question) : undefined;
        if (question) question.held = true;
        break;
      }
      case "renewed":
        if (message.to === this.#name) this.#questions.get(message.question)?.settle(message.answer as Renewal);
    }
  }

  async #answer({ connection, token, question, from: to }: Extract<Message, { type: "renew" }>): Promise<void> {
    const own = this.#options.live.withToken(connection);
    if (!own) return;
    const from = this.#name;
    await this.#tell({ type: "held", from, to, question });
    await this.#tell({ type: "renewed", from, to, question, answer: await this.#renewOwn(own, token) });
  }

  #hello(): Promise<void> {
    return this.#tell({ type: "hello", from: this.#name, entries: this.#options.revocations.list().slice(0, BATCH) });
  }

  /** What the other does not know, in messages of a bounded size. */
  async #tellMissing(theirs: readonly Revocation[]): Promise<void> {
    const known = new Map(theirs.map((entry) => [`${entry.kind} ${entry.value}`, entry]));
    const missing = this.#options.revocations.list().filter(({ kind, value, at, until }) => {
      const entry = known.get(`${kind} ${value}`);
      return entry === undefined || entry.at < at || entry.until < until;
    });
    for (let start = 0; start < missing.length; start += BATCH) {
      const entries = missing.slice(start, start + BATCH);
      await this.#tell({ type: "revoke", from: this.#name, entries, connections: [] });
    }
  }

  /** `send` where there is nobody to tell that it failed: it is said again when the bus is back. */
  async #tell(message: Message): Promise<void> {
    try {
      await this.#send(message);
    } catch (error) {
      if (!(error instanceof BusUnavailable))
        this.#options.log.error({ event: "control", err: error }, "a message failed");
    }
  }

  async #send(message: Message): Promise<void> {
    const { bus, random } = this.#options;
    await bus.publish(CHANNEL, seal(Buffer.from(JSON.stringify(message)), this.#sealingKey(), random.bytes(12)));
  }

  /** Undefined for what another gateway sent, or a process of another version. */
  #read(payload: Buffer): Message | undefined {
    const plain = open(payload, this.#sealingKey());
    if (plain === undefined) return undefined;
    const message = Message.safeParse(JSON.parse(plain.toString("utf8")));
    return message.success ? message.data : undefined;
  }

  #sealingKey(): Buffer {
    const secret = this.#options.source.current?.secrets.get(SNAPSHOT_OBJECTS.connectionIdKey);
    if (this.#key === undefined || secret !== this.#secret) {
      this.#secret = secret;
      this.#key = sealingKey(secret === undefined ? this.#ownSecret : Buffer.from(secret, "base64"));
    }
    return this.#key;
  }
}
