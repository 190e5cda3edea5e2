/**
 * One handshake on its way to the one outcome that it is counted and logged under, and the answer that the client gets.
 */
import type { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import { type Caller, clip, type Log, logRefusal, redactTarget } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { encodeAnswer, type HttpAnswer, problemAnswer } from "../ports/problem.ts";
import { answerAndClose } from "../ports/respond.ts";
import type { Random } from "../random.ts";
import { REFUSALS, type Refusal, type RefusalReason } from "../refusals.ts";
import type { Route } from "../snapshot.ts";
import type { Handshake, RequestSubject } from "./handshake.ts";

/** Who answered in place of a backend's 101: the backend itself, or the authoriser. */
type RelayReason = Extract<RefusalReason, "BackendRejected" | "AuthorizerDenied">;

export interface AttemptTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Log;
}

export interface Arrival {
  /** The request target as sent. */
  readonly target: string;
  readonly remoteAddress: string;
}

export class Attempt {
  readonly #tools: AttemptTools;
  readonly #startedAt: number;
  #caller: Caller;
  #route = "";
  #subject: { readonly route: Route; readonly clientIP: string } | undefined;
  #settled = false;

  constructor(tools: AttemptTools, { target, remoteAddress }: Arrival) {
    this.#tools = tools;
    this.#startedAt = tools.clock.now();
    this.#caller = {
      listener: "",
      clientIP: remoteAddress,
      host: undefined,
      target: redactTarget(target),
      userAgent: undefined,
    };
  }

  get caller(): Caller {
    return this.#caller;
  }

  get routeName(): string {
    return this.#route;
  }

  /** The route that the request is for and its client's address, as soon as they are known. */
  get subject(): { readonly route: Route; readonly clientIP: string } | undefined {
    return this.#subject;
  }

  /** What was learnt about the request, for its line in the log. */
  learnt({ listener, subject }: { listener: string; subject: RequestSubject | Handshake }): void {
    const { target, host, headers } = subject;
    this.#caller = {
      ...this.#caller,
      listener,
      host: clip(host),
      target: redactTarget(target.path + target.search),
      userAgent: clip(headers.get("user-agent")),
    };
  }

  matched(route: Route, clientIP: string): void {
    this.#route = `${route.namespace}/${route.name}`;
    this.#subject = { route, clientIP };
    this.#caller = { ...this.#caller, clientIP };
  }

  /** The client got its 101. */
  accepted(): void {
    this.#settle({ code: 101, reason: "Accepted" });
  }

  /** The client gets the refusal's problem document; after an outcome, when nothing can be said any more, its end. */
  refused(socket: Duplex, refusal: Refusal): void {
    const answer = problemAnswer(refusal, this.#tools.random.fraction);
    const outcome = { code: answer.status, reason: refusal.reason, message: refusal.message };
    if (!this.#settle(outcome) || refusal.reason === "ClientGone") socket.destroy();
    else answerAndClose(socket, encodeAnswer(answer), this.#tools.clock);
  }

  /** The client gets what somebody behind this gateway answered instead of a 101. */
  relayed(socket: Duplex, answer: HttpAnswer, reason: RelayReason): void {
    const { message } = REFUSALS[reason];
    if (!this.#settle({ code: answer.status, reason, message })) return;
    answerAndClose(socket, encodeAnswer(answer), this.#tools.clock);
  }

  /** Counts and logs a refusal whose answer is written by the caller. */
  answered(refusal: Refusal): void {
    this.#settle({ code: REFUSALS[refusal.reason].status, reason: refusal.reason, message: refusal.message });
  }

  /** False when the attempt had its outcome already. */
  #settle({ code, reason, message }: { code: number; reason: string; message?: string }): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    const { metrics, log, clock } = this.#tools;
    const seconds = (clock.now() - this.#startedAt) / 1000;
    metrics.handshake({ route: this.#route, code, reason, seconds });
    if (message !== undefined) logRefusal(log, { caller: this.#caller, route: this.#route, reason, code, message });
    return true;
  }
}
