/** Addresses for people: where clients connect. */
import type { RouteDraft, TargetDraft } from "./draft.ts";
import { matchesOf } from "./matches.ts";

/** As many as a status shows; the rest can be told from the route. */
const MOST_URLS = 16;
const SCHEMES = { WS: { scheme: "ws", port: 80 }, WSS: { scheme: "wss", port: 443 } } as const;

/** Of the hosts that the route names: one that serves any host has no address of its own, nor has a pattern. */
export function urlsOf(draft: RouteDraft): string[] {
  const { spec, targets } = draft;
  if (spec === undefined) return [];
  const { matches } = matchesOf(draft, spec);
  const paths = matches.filter(({ path }) => path.type !== "RegularExpression").map(({ path }) => path.value);
  const urls = new Set<string>();
  for (const target of targets) {
    if (target.route === undefined) continue;
    for (const base of basesOf(target)) for (const path of paths) if (urls.size < MOST_URLS) urls.add(base + path);
  }
  return [...urls];
}

function basesOf({ gateway, attached: { listeners, hostnames } }: TargetDraft): string[] {
  const { settings } = gateway.accepted;
  return settings.listeners
    .filter(({ name }) => listeners.includes(name))
    .flatMap(({ protocol, port }) => {
      const usual = SCHEMES[protocol];
      return hostnames.map((host) => `${usual.scheme}://${host}${port === usual.port ? "" : `:${port}`}`);
    });
}

/** Where a route leads, in short: `chat:3000, chat-next:3000` or `hub news`. */
export function backendsOf({ spec, name }: RouteDraft): string {
  if (spec === undefined) return "";
  const refs = spec.backendRefs ?? [];
  const backends = refs.map(
    (ref) => `${ref.namespace === undefined ? "" : `${ref.namespace}/`}${ref.name}:${ref.port}`,
  );
  const all = [...backends, ...(spec.hub === undefined ? [] : [`hub ${spec.hub.name ?? name}`])].join(", ");
  return all.length <= MOST_CHARACTERS ? all : `${all.slice(0, MOST_CHARACTERS - 1)}…`;
}

/** What `status.backends` holds. */
const MOST_CHARACTERS = 1024;
