/** Who the client is by address, when proxies may stand before the gateway (A9); and lists of addresses. */
import { BlockList, isIP, isIPv4, SocketAddress } from "node:net";

export interface ClientAddress {
  /** The client's address: the nearest one that is not a trusted proxy. IPv4 where it is IPv4 mapped into IPv6. */
  readonly ip: string;
  /** Whether the peer is a trusted proxy, so that what it says about the client counts. */
  readonly viaTrustedProxy: boolean;
  /** What `X-Forwarded-For` says to the backend. */
  readonly forwardedFor: string;
}

const PREFIX = /^(?:[0-9]|[1-9][0-9]|1[01][0-9]|12[0-8])$/;
const compiled = new WeakMap<readonly string[], BlockList>();

/**
 * The client's address. `remoteAddress` is the peer's, `forwardedFor` the combined `X-Forwarded-For`, and
 * `trustedProxies` a list of CIDRs. The header is read from the right, and only as far as trusted proxies wrote it.
 */
export function clientIP(
  remoteAddress: string,
  forwardedFor: string | undefined,
  trustedProxies: readonly string[],
): ClientAddress {
  const peer = normalizeAddress(remoteAddress) ?? remoteAddress;
  if (trustedProxies.length === 0 || !inList(peer, trustedProxies)) {
    return { ip: peer, viaTrustedProxy: false, forwardedFor: peer };
  }
  const hops = (forwardedFor ?? "").split(",").map((hop) => hop.trim());
  let ip = peer;
  while (inList(ip, trustedProxies)) {
    const hop = normalizeAddress(hops.pop() ?? "");
    if (hop === undefined) break;
    ip = hop;
  }
  const before = forwardedFor?.trim();
  return { ip, viaTrustedProxy: true, forwardedFor: before ? `${before}, ${peer}` : peer };
}

/** Whether `ip` is in a list of addresses and CIDRs. Compiled once for each list; throws on an entry that is neither. */
export function inList(ip: string, list: readonly string[]): boolean {
  const family = isIP(ip);
  return family !== 0 && compileAddressList(list).check(ip, family === 4 ? "ipv4" : "ipv6");
}

/** The compiled form of a list of addresses and CIDRs; throws an Error naming the first entry that is neither. */
export function compileAddressList(list: readonly string[]): BlockList {
  const known = compiled.get(list);
  if (known !== undefined) return known;
  const addresses = new BlockList();
  for (const entry of list) addEntry(addresses, entry);
  compiled.set(list, addresses);
  return addresses;
}

function addEntry(addresses: BlockList, entry: string): void {
  const [address = "", prefix, ...more] = entry.split("/");
  const family = isIP(address);
  const longest = family === 4 ? 32 : 128;
  const valid = prefix === undefined || (PREFIX.test(prefix) && Number(prefix) <= longest);
  if (family === 0 || !valid || more.length > 0) throw new Error(`"${entry}" is neither an IP address nor a CIDR`);
  const type = family === 4 ? "ipv4" : "ipv6";
  addresses.addSubnet(address, prefix === undefined ? longest : Number(prefix), type);
}

/** One spelling for each address, so that a limit for one client cannot be got round by spelling; undefined if none. */
function normalizeAddress(text: string): string | undefined {
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? [];
  const [, beforePort] = /^([\d.]+):\d+$/.exec(text) ?? [];
  const address = (bracketed ?? beforePort ?? text).replace(/%.*$/, "");
  const family = isIP(address);
  if (family === 0) return undefined;
  if (family === 4) return address;
  const canonical = new SocketAddress({ address, family: "ipv6" }).address;
  const mapped = canonical.replace(/^::ffff:/i, "");
  return isIPv4(mapped) ? mapped : canonical;
}
