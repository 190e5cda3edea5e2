// What it costs to ask a client for a token: `make bench-handshakes`. One gateway process, a route that asks for nothing beside one
// that asks for an ES256 token, an issuer whose keys are fetched over HTTP, and a backend that takes every connection.
//   node test/bench/handshakes.ts [--handshakes 50000] [--rounds 10] [--under-way 50]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { MAX_CACHED_CHARACTERS } from "../../gateway/auth/token-cache.ts";
import { type Issuer, startIssuer } from "../support/jwks-server.ts";
import { collectGarbage, holdfastWith, type Running, start } from "./contenders.ts";
import { median } from "./median.ts";
import { Peers } from "./peers-control.ts";
import { cpuSeconds, residentBytes } from "./process-usage.ts";

const GATEWAY_CPU = 0;
const PEERS_CPU = 1;
const MIB = 1024 * 1024;

const { values } = parseArgs({
  options: {
    /** Of each kind. */
    handshakes: { type: "string", default: "50000" },
    rounds: { type: "string", default: "10" },
    "under-way": { type: "string", default: "50" },
  },
});
const rounds = Number(values.rounds);
const perRound = Math.ceil(Number(values.handshakes) / rounds);

interface Kind {
  readonly name: string;
  readonly path: string;
  /** Of one round; made before its clock starts. */
  tokens(): Promise<readonly string[]>;
  /** ms of the gateway's CPU for each handshake, by round. */
  readonly costs: number[];
}

function kindsOf(issuer: Issuer, known: string): readonly [none: Kind, known: Kind, fresh: Kind] {
  let signed = 0;
  const sign = () => issuer.token({ jti: String(signed++) });
  return [
    { name: "no token", path: "/open", costs: [], tokens: async () => [] },
    { name: "the same token", path: "/token", costs: [], tokens: async () => [known] },
    {
      name: "a new token",
      path: "/token",
      costs: [],
      tokens: () => Promise.all(Array.from({ length: perRound }, sign)),
    },
  ];
}

const policies = (issuer: Issuer): string => `
  authentication:
    jwt:
      providers:
        - {name: bench, issuer: "${issuer.issuer}", audiences: [chat], algorithms: [ES256], jwks: {uri: "${issuer.jwksUri}"}}`;

async function measure(gateway: Running, peers: Peers, kind: Kind): Promise<number> {
  const tokens = await kind.tokens();
  const before = cpuSeconds(gateway.pid);
  const underWay = Number(values["under-way"]);
  await peers.shakeHands({ port: gateway.port, path: kind.path, count: perRound, underWay, tokens });
  return ((cpuSeconds(gateway.pid) - before) * 1000) / perRound;
}

/** Every kind once, each round beginning with another one, so that none profits from its place. */
async function round(number: number, measured: { gateway: Running; peers: Peers; kinds: readonly Kind[] }) {
  const { gateway, peers, kinds } = measured;
  const first = number % kinds.length;
  for (const kind of [...kinds.slice(first), ...kinds.slice(0, first)]) {
    const cost = await measure(gateway, peers, kind);
    // The round before the first one only warms up.
    if (number > 0) kind.costs.push(cost);
  }
}

async function liveMemory(gateway: Running): Promise<number> {
  await collectGarbage(gateway);
  return residentBytes(gateway.pid);
}

const ms = (value: number) => `${value.toFixed(3)} ms`;
const mib = (bytes: number) => `${(bytes / MIB).toFixed(1)} MiB`;
const percent = (share: number) => `${(share * 100).toFixed(0)} %`;

function printCosts(kinds: ReturnType<typeof kindsOf>): void {
  console.log(`CPU a handshake, ${perRound * rounds} of each kind, median of ${rounds} rounds (lowest to highest)`);
  const [none, known, fresh] = kinds.map(({ costs }) => median(costs)) as [number, number, number];
  for (const { name, costs } of kinds) {
    const cost = median(costs);
    const range = `${Math.min(...costs).toFixed(3)} to ${Math.max(...costs).toFixed(3)}`;
    const share = cost === none ? "" : `  ${ms(cost - none)} are the token's: ${percent((cost - none) / cost)}`;
    console.log(`  ${name.padEnd(15)} ${ms(cost)}  ${range}${share}`);
  }
  console.log(
    `  the cache saves ${ms(fresh - known)}, ${percent((fresh - known) / fresh)} of a handshake with a new token`,
  );
}

async function bench(gateway: Running, peers: Peers, issuer: Issuer): Promise<void> {
  const known = await issuer.token();
  const kinds = kindsOf(issuer, known);
  const atStart = await liveMemory(gateway);
  await round(0, { gateway, peers, kinds });
  const warm = await liveMemory(gateway);
  for (let number = 1; number <= rounds; number += 1) await round(number, { gateway, peers, kinds });
  printCosts(kinds);
  console.log(
    `Resident memory, without debris: ${mib(atStart)} at first, ${mib(warm)} after the round that warms up, ${mib(await liveMemory(gateway))} at the end`,
  );
  const bound = Math.floor(MAX_CACHED_CHARACTERS / known.length);
  console.log(
    `  the cache holds ${mib(MAX_CACHED_CHARACTERS)} of tokens at most, ${bound} like these (${known.length} B); ${perRound * (rounds + 1)} came`,
  );
  console.log(`Fetches of the issuer's keys: ${issuer.fetches}`);
}

const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
const peers = new Peers(PEERS_CPU);
const issuer = await startIssuer();
const contender = holdfastWith("holdfast", [
  { name: "open", path: "/open", policies: "" },
  { name: "token", path: "/token", policies: policies(issuer) },
]);
try {
  const gateway = await start(contender, { folder, backend: await peers.backendPort(), cpu: GATEWAY_CPU });
  await bench(gateway, peers, issuer).finally(() => gateway.stop());
} finally {
  peers.stop();
  await issuer.stop();
  rmSync(folder, { recursive: true, force: true });
}
