/**
 * Which endpoint gets a new connection. Pure: loads, random and the round-robin cursor come from the caller.
 *
 * Every way of balancing has two levels: first the backend by weight, then an endpoint within it. So a backend's share
 * does not depend on how many endpoints it has, and an endpoint that leaves moves nobody else's connections. A backend
 * without a ready endpoint leaves its share to the others; one of weight 0 takes nothing.
 *
 * ConsistentHash is weighted rendezvous hashing (the highest `weight / -ln(hash)` wins): every gateway pod picks the
 * same endpoint for a key without talking. Its load bound counts this process's connections: an endpoint over
 * `maxLoad` percent of its fair share is passed over for the next in the key's rank.
 */
import { type Claims, claimText } from "../auth/claims.ts";
import { type Handshake, queryParameter } from "../handshake/handshake.ts";
import type { Endpoint, Route } from "../snapshot.ts";

export interface Pick {
  /** The backend's `id` in the route. */
  readonly backend: string;
  readonly endpoint: Endpoint;
}

/** Where round robin stands on one route; kept by the caller from pick to pick, also across snapshots. */
export interface Cursor {
  /** Smooth weighted round robin's credit of each backend, by id. */
  readonly credits: Map<string, number>;
  /** The next endpoint's index in each backend, by id. */
  readonly turns: Map<string, number>;
}

export interface PickRequest {
  readonly route: Route;
  readonly endpoints: ReadonlyMap<string, readonly Endpoint[]>;
  /** From `hashKeyOf`; read by ConsistentHash only. */
  readonly key: string;
  /** Connections that this process holds to an endpoint. */
  readonly loads: (endpoint: Endpoint) => number;
  /** `endpointKey`s that were tried for this handshake. */
  readonly exclude: ReadonlySet<string>;
  /** In [0, 1). */
  readonly random: () => number;
  readonly cursor: Cursor;
}

/** Up to so many connections an endpoint is never passed over: with few, stickiness is worth more than evenness. */
export const UNBOUNDED_CONNECTIONS = 16;

interface Member {
  readonly endpoint: Endpoint;
  readonly key: string;
  readonly seed: Lanes;
}

/** A backend that takes connections: it has weight and at least one endpoint. */
interface Group {
  readonly id: string;
  readonly weight: number;
  readonly seed: Lanes;
  readonly members: readonly Member[];
  /** Each member should carry `weight / parts` of all connections. A fraction, for rounding must not move a bound. */
  readonly parts: number;
}

/** A hash of 64 bits in two halves. */
interface Lanes {
  readonly a: number;
  readonly b: number;
}

type Eligible = (member: Member, group: Group) => boolean;

/** Snapshots are immutable, so what they say about a route's backends is worked out once. */
const prepared = new WeakMap<PickRequest["endpoints"], WeakMap<Route, readonly Group[]>>();

export function newCursor(): Cursor {
  return { credits: new Map(), turns: new Map() };
}

/** `address:port`: what loads and exclusions are counted by. */
export function endpointKey(endpoint: Endpoint): string {
  const { address, port } = endpoint;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** What ConsistentHash hashes; the affinity where the named header, parameter, cookie or claim is missing. */
export function hashKeyOf(
  handshake: Handshake,
  route: Route,
  ids: { readonly clientIP: string; readonly affinity: string; readonly claims: Claims },
): string {
  const { type, name = "" } = route.loadBalancing.key;
  switch (type) {
    case "ConnectionID":
      return ids.affinity;
    case "ClientIP":
      return ids.clientIP;
    case "Header":
      return handshake.headers.get(name.toLowerCase()) ?? ids.affinity;
    case "QueryParam":
      return queryParameter(handshake, name) ?? ids.affinity;
    case "Cookie":
      return handshake.cookies.get(name) ?? ids.affinity;
    case "Claim":
      return claimText(ids.claims, name) ?? ids.affinity;
  }
}

/** The endpoint for a new connection; undefined when none is left. */
export function pickEndpoint(request: PickRequest): Pick | undefined {
  const { exclude } = request;
  const groups = groupsOf(request);
  const left: Eligible = (member) => exclude.size === 0 || !exclude.has(member.key);
  switch (request.route.loadBalancing.type) {
    case "ConsistentHash":
      return byHash(groups, request.key, both(left, withinLoad(groups, request))) ?? byHash(groups, request.key, left);
    case "LeastConnections":
      return byLoad(groups, request, left);
    case "RoundRobin":
      return byTurn(groups, request, left);
    case "Random":
      return byChance(groups, request, left);
  }
}

function groupsOf({ route, endpoints }: PickRequest): readonly Group[] {
  const ofSnapshot = prepared.get(endpoints) ?? new WeakMap<Route, readonly Group[]>();
  prepared.set(endpoints, ofSnapshot);
  const known = ofSnapshot.get(route);
  if (known !== undefined) return known;
  const taking = route.backends.filter(({ id, weight }) => weight > 0 && (endpoints.get(id)?.length ?? 0) > 0);
  const total = taking.reduce((sum, { weight }) => sum + weight, 0);
  const groups = taking.map(({ id, weight }): Group => {
    const members = (endpoints.get(id) ?? []).map((endpoint): Member => {
      const key = endpointKey(endpoint);
      return { endpoint, key, seed: hash(key) };
    });
    return { id, weight, seed: hash(id), members, parts: total * members.length };
  });
  ofSnapshot.set(route, groups);
  return groups;
}

function both(one: Eligible, other: Eligible): Eligible {
  return (member, group) => one(member, group) && other(member, group);
}

/** Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2018), with the connection to come counted. */
function withinLoad(groups: readonly Group[], { route, loads }: PickRequest): Eligible {
  const { maxLoad } = route.loadBalancing;
  if (maxLoad === 0) return () => true;
  let total = 1;
  for (const { members } of groups) for (const { endpoint } of members) total += loads(endpoint);
  return (member, group) => {
    const bound = Math.ceil((total * group.weight * maxLoad) / (100 * group.parts));
    return loads(member.endpoint) < Math.max(bound, UNBOUNDED_CONNECTIONS);
  };
}

function byHash(groups: readonly Group[], text: string, eligible: Eligible): Pick | undefined {
  const key = hash(text);
  let best: Pick | undefined;
  let bestScore = 0;
  for (const group of groups) {
    const score = group.weight / -Math.log(unit(key, group.seed));
    if (score <= bestScore) continue;
    const member = highest(key, group, eligible);
    if (member === undefined) continue;
    best = { backend: group.id, endpoint: member.endpoint };
    bestScore = score;
  }
  return best;
}

function highest(key: Lanes, group: Group, eligible: Eligible): Member | undefined {
  let best: Member | undefined;
  let bestScore = 0;
  for (const member of group.members) {
    const score = unit(key, member.seed);
    if (score <= bestScore || !eligible(member, group)) continue;
    best = member;
    bestScore = score;
  }
  return best;
}

/** The fewest connections for its share; among equals by chance, or every gateway pod would begin with the same one. */
function byLoad(groups: readonly Group[], { loads, random }: PickRequest, eligible: Eligible): Pick | undefined {
  let best: Pick | undefined;
  let least = Number.POSITIVE_INFINITY;
  let equals = 0;
  for (const group of groups) {
    for (const member of group.members) {
      if (!eligible(member, group)) continue;
      const load = ((loads(member.endpoint) + 1) * group.parts) / group.weight;
      if (load > least) continue;
      equals = load === least ? equals + 1 : 1;
      least = load;
      if (random() * equals < 1) best = { backend: group.id, endpoint: member.endpoint };
    }
  }
  return best;
}

/** Smooth weighted round robin over the backends, plain round robin within one. */
function byTurn(groups: readonly Group[], { cursor, random }: PickRequest, eligible: Eligible): Pick | undefined {
  const open = withEligible(groups, eligible);
  let chosen: Group | undefined;
  let most = Number.NEGATIVE_INFINITY;
  for (const group of open) {
    const credit = (cursor.credits.get(group.id) ?? 0) + group.weight;
    cursor.credits.set(group.id, credit);
    if (credit <= most) continue;
    chosen = group;
    most = credit;
  }
  if (chosen === undefined) return undefined;
  cursor.credits.set(chosen.id, most - open.reduce((sum, { weight }) => sum + weight, 0));
  return nextMember(chosen, { cursor, random, eligible });
}

function nextMember(
  group: Group,
  { cursor, random, eligible }: { readonly cursor: Cursor; readonly random: () => number; readonly eligible: Eligible },
): Pick | undefined {
  const { members, id } = group;
  const turn = cursor.turns.get(id) ?? Math.floor(random() * members.length);
  for (let step = 0; step < members.length; step += 1) {
    const at = (turn + step) % members.length;
    const member = members[at] as Member;
    if (!eligible(member, group)) continue;
    cursor.turns.set(id, at + 1);
    return { backend: id, endpoint: member.endpoint };
  }
  return undefined;
}

function byChance(groups: readonly Group[], { random }: PickRequest, eligible: Eligible): Pick | undefined {
  const open = withEligible(groups, eligible);
  let left = random() * open.reduce((sum, { weight }) => sum + weight, 0);
  const group = open.find(({ weight }) => {
    left -= weight;
    return left < 0;
  });
  const members = group?.members.filter((member) => eligible(member, group)) ?? [];
  const member = members[Math.floor(random() * members.length)];
  return group === undefined || member === undefined ? undefined : { backend: group.id, endpoint: member.endpoint };
}

function withEligible(groups: readonly Group[], eligible: Eligible): readonly Group[] {
  return groups.filter((group) => group.members.some((member) => eligible(member, group)));
}

/**
 * FNV-1a in two halves with different offsets, each finished as MurmurHash3 finishes 32 bits. Not for secrets.
 * Pods of different versions have to agree, so this never changes.
 */
function hash(text: string): Lanes {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b);
  }
  return { a: finish(a), b: finish(b) };
}

function finish(bits: number): number {
  let mixed = bits ^ (bits >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** A number in (0, 1) of 52 bits that a key and a seed agree on. */
function unit(key: Lanes, seed: Lanes): number {
  const a = finish(key.a ^ seed.a);
  const b = finish((key.b + a) ^ seed.b);
  return ((a >>> 6) * 2 ** 26 + (b >>> 6) + 0.5) / 2 ** 52;
}
