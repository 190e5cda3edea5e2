/**
 * The pipeline of a handshake: parse, match, authenticate, admit, pick, dial, and only then the 101 and a session.
 * Every way through it ends in one outcome of the `Attempt`; nothing is answered with a 101 before `commit`.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { MessagePolicy } from "../policy/messages.ts";
import type { Authenticator, Denial } from "./auth/authenticator.ts";
import type { Principal } from "./auth/principal.ts";
import { endpointKey } from "./backend/balance.ts";
import type { EndpointLoads } from "./backend/loads.ts";
import { abandon, BackendReach, type Reached } from "./backend/reach.ts";
import { wait } from "./clock.ts";
import type { Loaded, SnapshotSource } from "./config/source.ts";
import { Attempt, type AttemptTools } from "./handshake/attempt.ts";
import { ClientWatch, type Verdict } from "./handshake/client-watch.ts";
import {
  CONNECTION_ID_NAME,
  type ConnectionId,
  issueConnectionId,
  presentedConnectionIds,
} from "./handshake/connection-id.ts";
import { decideUpgrade, type Plan } from "./handshake/decide.ts";
import { connectionHeaders, relayedAnswer, switchingHead } from "./handshake/handshake-answer.ts";
import { agreeWithClient } from "./inspect/deflate.ts";
import { Inspections, type Policy } from "./inspect/inspection.ts";
import type { Limits } from "./limits/limits.ts";
import type { Meter } from "./limits/meter.ts";
import type { Permit } from "./limits/permits.ts";
import type { Facts, LiveConnection, LiveConnections } from "./live/live.ts";
import type { UpgradeEvent } from "./ports/server.ts";
import { openProxied, type ProxiedOptions } from "./proxied.ts";
import { isRefusal, type Refusal, refuse } from "./refusals.ts";
import type { Session, SessionEnd } from "./session.ts";
import { type Route, type SecretMaterial, SNAPSHOT_OBJECTS } from "./snapshot.ts";

export interface HubAcceptance {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly route: Route;
  readonly protocol: string | undefined;
  readonly responseHeaders: readonly (readonly [string, string])[];
  readonly connectionId: string;
  /** Rates that the client has to keep to, if there are any. */
  readonly meter?: Meter | undefined;
  onEnd(end: SessionEnd): void;
}

/** The part of the hub that takes connections: it answers the 101 itself. */
export interface HubDoor {
  accept(acceptance: HubAcceptance): Session;
}

export interface UpgradeTools extends AttemptTools {
  readonly source: SnapshotSource;
  readonly authenticator: Authenticator;
  readonly limits: Limits;
  readonly live: LiveConnections;
  readonly loads: EndpointLoads;
  readonly hub: HubDoor;
  /** Whether nobody is let in any more. */
  readonly isClosing: () => boolean;
  /** Whether there is no room for one more. */
  readonly isFull: () => boolean;
}

/** What a connection gives back when it ends, whatever happens. */
interface Held {
  readonly permit: Permit;
  readonly releaseEndpoint?: () => void;
}

export class UpgradePipeline {
  readonly #tools: UpgradeTools;
  readonly #backends: BackendReach;
  readonly #idKeys = new WeakMap<SecretMaterial, Buffer>();
  /** Signs IDs where the secret material brings no key: then they last as long as this process. */
  readonly #ownIdKey: Buffer;
  readonly #inspections: Inspections;
  #underWay = 0;
  readonly #idleWaiters: (() => void)[] = [];

  constructor(tools: UpgradeTools) {
    this.#tools = tools;
    this.#ownIdKey = tools.random.bytes(32);
    this.#inspections = new Inspections(tools);
    this.#backends = new BackendReach(tools);
  }

  /** Resolves when no handshake is under way. */
  whenIdle(): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Serves one upgrade to its outcome. Never rejects. */
  async serve(event: UpgradeEvent): Promise<void> {
    this.#underWay += 1;
    const { request, socket, remoteAddress } = event;
    const attempt = new Attempt(this.#tools, { target: request.url ?? "", remoteAddress });
    try {
      await this.#serve(event, attempt);
    } catch (error) {
      this.#tools.log.error({ event: "failure", route: attempt.routeName, err: error }, "a handshake failed");
      attempt.refused(socket, refuse("InternalError"));
    }
    this.#underWay -= 1;
    if (this.#underWay === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  /** Forgets what was kept for routes that are gone. */
  retain(exists: (route: string) => boolean): void {
    this.#backends.retain(exists);
  }

  async #serve(event: UpgradeEvent, attempt: Attempt): Promise<void> {
    const { request, socket, head, port, remoteAddress } = event;
    const { source, isClosing, isFull } = this.#tools;
    if (isClosing()) return attempt.refused(socket, refuse("Draining"));
    if (isFull()) return attempt.refused(socket, refuse("Overloaded"));
    const loaded = source.current;
    if (!loaded) return attempt.refused(socket, refuse("NotReady"));
    const { method, url, httpVersion, rawHeaders } = request;
    const facts = { method, url, httpVersion, rawHeaders, head, remoteAddress, port };
    const decided = decideUpgrade(facts, loaded, attempt);
    const paced = await this.#pace(event, attempt);
    if (paced) return attempt.refused(socket, paced);
    if (isRefusal(decided)) return attempt.refused(socket, decided);
    const principal = await this.#authenticate(decided, event);
    if (isRefusal(principal)) return attempt.refused(socket, principal);
    if ("denial" in principal) return attempt.relayed(socket, relayedAnswer(principal.denial), "AuthorizerDenied");
    const plan = { ...decided, principal };
    const permit = await this.#acquire(plan, event);
    if (isRefusal(permit)) return attempt.refused(socket, permit);
    try {
      if (plan.route.hub) this.#joinHub({ event, plan, attempt, permit });
      else await this.#proxy({ event, plan, attempt, permit });
    } catch (error) {
      permit.release();
      throw error;
    }
  }

  /** Handshakes count whatever becomes of them, so that nobody can try credentials faster than the rate allows. */
  async #pace(event: UpgradeEvent, { subject }: Attempt): Promise<Refusal | undefined> {
    if (subject?.route.limits.handshakes === undefined) return undefined;
    const { limits } = this.#tools;
    if (!limits.asksOthers(subject.route)) return limits.admitHandshake(subject);
    const watch = new ClientWatch(event.socket);
    const refusal = await limits.admitHandshake(subject);
    return watchRefusal(watch.stop()) ?? refusal;
  }

  /** A permit that came too late for its client is given back. */
  async #acquire({ route, client, principal }: Plan, event: UpgradeEvent): Promise<Permit | Refusal> {
    const { limits, isClosing } = this.#tools;
    const request = { route, clientIP: client.ip, user: principal.user };
    if (!limits.asksOthers(route)) return limits.acquire(request);
    const watch = new ClientWatch(event.socket);
    const permit = await limits.acquire(request);
    if (isRefusal(permit)) return watchRefusal(watch.stop()) ?? permit;
    const refusal = watchRefusal(watch.stop()) ?? (isClosing() ? refuse("Draining") : undefined);
    if (refusal) permit.release();
    return refusal ?? permit;
  }

  /** Whoever has to be asked is asked while the client's socket is watched, as it is while a backend is dialled. */
  async #authenticate(plan: Plan, event: UpgradeEvent): Promise<Principal | Refusal | Denial> {
    const { handshake, route, client, principal, loaded } = plan;
    const { authenticator, isClosing } = this.#tools;
    const subject = { handshake, route, client, principal, secrets: loaded.secrets, scheme: schemeOf(event) };
    if (!route.jwt && !route.external) return authenticator.authenticate(subject);
    const watch = new ClientWatch(event.socket);
    const outcome = await authenticator.authenticate({ ...subject, signal: watch.signal }).catch((error) => {
      watch.stop();
      throw error;
    });
    return watchRefusal(watch.stop()) ?? (isClosing() && !isRefusal(outcome) ? refuse("Draining") : outcome);
  }

  #identify({ handshake, loaded }: Plan): ConnectionId {
    const presented = presentedConnectionIds(handshake);
    const { random } = this.#tools;
    return issueConnectionId({ presented, key: this.#idKey(loaded), random: (size) => random.bytes(size) });
  }

  #idKey({ secrets }: Loaded): Buffer {
    let key = this.#idKeys.get(secrets);
    if (!key) {
      const text = secrets.get(SNAPSHOT_OBJECTS.connectionIdKey);
      key = text === undefined ? this.#ownIdKey : Buffer.from(text, "base64");
      this.#idKeys.set(secrets, key);
    }
    return key;
  }

  #joinHub({ event, plan, attempt, permit }: Admitted): void {
    const identity = this.#identify(plan);
    const { request, socket, head } = event;
    const protocol = plan.admission.preferred;
    const facts = factsOf({ plan, attempt, id: identity.id, endpoint: undefined, protocol });
    this.#open({ permit }, facts, (onEnd) => {
      const responseHeaders = connectionHeaders(identityOf(plan, identity, event));
      const { route } = plan;
      return this.#tools.hub.accept({
        request,
        socket,
        head,
        route,
        protocol: protocol ?? plan.admission.echo,
        responseHeaders,
        connectionId: identity.id,
        meter: this.#tools.limits.meter(route, plan.principal.user),
        onEnd,
      });
    });
    attempt.accepted();
  }

  async #proxy({ event, plan, attempt, permit }: Admitted): Promise<void> {
    const identity = this.#identify(plan);
    const { socket } = event;
    const policy = await this.#policyOf(plan, event);
    if (isRefusal(policy)) {
      permit.release();
      return attempt.refused(socket, policy);
    }
    const watch = new ClientWatch(socket);
    const dialling = { scheme: schemeOf(event), signal: watch.signal };
    const reached = await this.#backends.reach(plan, identity, dialling);
    const refusal = lateRefusal({ verdict: watch.stop(), reached, closing: this.#tools.isClosing() });
    if (refusal || isRefusal(reached)) {
      permit.release();
      if (!isRefusal(reached)) abandon(reached);
      return attempt.refused(socket, refusal ?? refuse("InternalError"));
    }
    const { dialled, endpoint, release } = reached;
    if (dialled.kind === "rejected") {
      permit.release();
      release();
      return attempt.relayed(socket, relayedAnswer(dialled), "BackendRejected");
    }
    const ownHeaders = connectionHeaders(identityOf(plan, identity, event));
    const { protocol, headers: backendHeaders } = dialled;
    const answered = protocol ?? plan.admission.echo;
    const extensions = policy === undefined ? dialled.extensions : agreeWithClient(plan.handshake.extensions);
    socket.write(
      switchingHead({ key: plan.handshake.key, protocol: answered, extensions, backendHeaders, ownHeaders }),
      "latin1",
    );
    attempt.accepted();
    const facts = factsOf({ plan, attempt, id: identity.id, endpoint: endpointKey(endpoint), protocol });
    const { limits, clock } = this.#tools;
    const meter = limits.meter(plan.route, plan.principal.user);
    const proxied = { client: socket, dialled, facts, meter, clock, inspected: inspectionOf(policy, extensions) };
    this.#openProxied({ permit, releaseEndpoint: release }, proxied);
  }

  /** Whoever comes first on a route that reads messages waits until its rules are compiled, but no longer than a handshake may take. */
  async #policyOf({ route }: Plan, { socket }: UpgradeEvent): Promise<Policy> {
    const policy = this.#inspections.policyOf(route);
    if (policy === undefined || !("pending" in policy)) return policy;
    const { clock, isClosing } = this.#tools;
    const watch = new ClientWatch(socket);
    const compiled = new AbortController();
    const late = wait(clock, route.timeouts.handshake, AbortSignal.any([watch.signal, compiled.signal]));
    try {
      const outcome = await Promise.race([policy.pending, late.then(() => refuse("Overloaded"))]);
      return watchRefusal(watch.stop()) ?? (isClosing() ? refuse("Draining") : outcome);
    } finally {
      compiled.abort();
      watch.stop();
    }
  }

  /** Apart from `#proxy`, so that what a connection keeps alive is only what is named here. */
  #openProxied(held: Held, proxied: Omit<ProxiedOptions, "onEnd" | "inspections">): void {
    this.#open(held, proxied.facts, (onEnd) => openProxied({ ...proxied, inspections: this.#inspections, onEnd }));
  }

  /** Opens a session and gives back what it holds when it ends, also when that is at once. */
  #open({ permit, releaseEndpoint }: Held, facts: Facts, start: (onEnd: (end: SessionEnd) => void) => Session): void {
    const { live } = this.#tools;
    let connection: LiveConnection | undefined;
    let ended: SessionEnd | undefined;
    const onEnd = (end: SessionEnd): void => {
      permit.release();
      releaseEndpoint?.();
      ended = end;
      if (connection) live.end(connection, end);
    };
    try {
      connection = live.add(facts, start(onEnd));
    } catch (error) {
      releaseEndpoint?.();
      throw error;
    }
    if (ended) live.end(connection, ended);
  }
}

interface Admitted {
  readonly event: UpgradeEvent;
  readonly plan: Plan;
  readonly attempt: Attempt;
  readonly permit: Permit;
}

function inspectionOf(policy: MessagePolicy | undefined, agreed: string | undefined): ProxiedOptions["inspected"] {
  return policy === undefined ? undefined : { policy, deflatesForClient: agreed !== undefined };
}

function schemeOf({ port }: UpgradeEvent): "ws" | "wss" {
  return port.protocol === "WSS" ? "wss" : "ws";
}

function identityOf({ handshake }: Plan, { id, affinity }: ConnectionId, event: UpgradeEvent) {
  return { id, affinity, cookie: handshake.cookies.get(CONNECTION_ID_NAME), scheme: schemeOf(event) };
}

function factsOf(known: {
  plan: Plan;
  attempt: Attempt;
  id: string;
  endpoint: string | undefined;
  protocol: string | undefined;
}): Facts {
  const { plan, attempt, id, endpoint, protocol } = known;
  const { caller, routeName } = attempt;
  const { route, principal } = plan;
  return { route, routeName, caller, connectionId: id, endpoint, protocol, principal };
}

/** What the client did counts before what the backend did: a dial that was aborted for it says nothing. */
function lateRefusal(late: { verdict: Verdict; reached: Reached | Refusal; closing: boolean }): Refusal | undefined {
  const { verdict, reached, closing } = late;
  const refusal = watchRefusal(verdict);
  if (refusal) return refusal;
  if (isRefusal(reached)) return reached;
  return closing ? refuse("Draining") : undefined;
}

function watchRefusal(verdict: Verdict): Refusal | undefined {
  if (verdict === "early") return refuse("BodyNotAllowed");
  return verdict === "gone" ? refuse("ClientGone") : undefined;
}
