import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { RE2JS } from "re2js";
import { makeHandshake, makeRoute, prefixMatch } from "../../test/support/make-route.ts";
import type { Route, RouteMatch } from "../snapshot.ts";
import { compileMatcher, compileMatcherSliced, type Matched, type MatchRequest, matchRequest } from "./match.ts";

interface Asked {
  readonly listener?: string;
  readonly host?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
}

function ask(asked: Asked): MatchRequest {
  return {
    listener: asked.listener ?? "ws",
    host: asked.host ?? "chat.example.com",
    path: asked.path ?? "/",
    header: (name) => asked.headers?.[name],
    query: (name) => asked.query?.[name],
  };
}

const exact = (name: string, value: string) => ({ name, type: "Exact" as const, value });
const pattern = (name: string, value: string) => ({ name, type: "RegularExpression" as const, value });

function match(path: RouteMatch["path"] | string, conditions: Partial<Omit<RouteMatch, "path">> = {}): RouteMatch {
  const base = typeof path === "string" ? prefixMatch(path) : { path, headers: [], queryParams: [] };
  return { ...base, ...conditions };
}

/** Routes named by their place in the list, which is their order, too. */
function routes(...changes: Partial<Route>[]): Route[] {
  return changes.map((change, order) => makeRoute({ name: `r${order}`, order, ...change }));
}

function nameOf(list: readonly Route[], asked: Asked): string | undefined {
  return compileMatcher(list).find(ask(asked))?.route.name;
}

describe("hostnames", () => {
  const list = routes(
    { hostnames: [] },
    { hostnames: ["*.example.com"] },
    { hostnames: ["*.chat.example.com"] },
    { hostnames: ["eu.chat.example.com"] },
    { hostnames: ["only.example.com"], matches: [match("/only")] },
  );
  it.each([
    ["eu.chat.example.com", "r3"],
    ["us.chat.example.com", "r2"],
    ["a.b.chat.example.com", "r2"],
    ["chat.example.com", "r1"],
    ["example.com", "r0"],
    ["xexample.com", "r0"],
    [".example.com", "r0"],
    ["[::1]", "r0"],
    ["only.example.com", "r1"],
  ])("%s is served by %s", (host, name) => {
    expect(nameOf(list, { host })).toBe(name);
  });
});

describe("paths", () => {
  const list = routes(
    { matches: [match("/")] },
    { matches: [match("/ws")] },
    { matches: [match("/ws/chat/")] },
    { matches: [match({ type: "Exact", value: "/ws/chat/exact" })] },
    { matches: [match({ type: "RegularExpression", value: "/rooms/[0-9]+" })] },
    { matches: [match({ type: "RegularExpression", value: "/rooms/[0-9]+/.*" })] },
    { matches: [match("/rooms/7")] },
    { matches: [match("/caf%c3%a9")] },
  );
  it.each([
    ["/", "r0"],
    ["/wss", "r0"],
    ["/ws", "r1"],
    ["/ws/", "r1"],
    ["/ws/chatter", "r1"],
    ["/ws/chat", "r2"],
    ["/ws/chat/", "r2"],
    ["/ws/chat/a/b/c/d/e/f", "r2"],
    ["/ws/chat/exact", "r3"],
    ["/ws/chat/exact/", "r2"],
    ["/rooms/7", "r4"],
    ["/rooms/7/x", "r5"],
    ["/rooms/x", "r0"],
    ["/x/rooms/7", "r0"],
    ["/caf%C3%A9/x", "r7"],
  ])("%s is served by %s", (path, name) => {
    expect(nameOf(list, { path })).toBe(name);
  });

  it("serves nothing where nothing fits", () => {
    const some = routes({ matches: [match("/ws")] }, { matches: [match("/hub", { headers: [exact("X-A", "1")] })] });
    expect(nameOf(some, { path: "/other" })).toBeUndefined();
    expect(nameOf(some, { path: "/hub" })).toBeUndefined();
    expect(nameOf(some, { path: "/ws", listener: "other" })).toBeUndefined();
    expect(nameOf([], {})).toBeUndefined();
  });
});

describe("headers and query", () => {
  const list = routes(
    {},
    { matches: [match("/", { headers: [exact("X-Tenant", "acme")] })] },
    { matches: [match("/", { queryParams: [exact("v", "2")] })] },
    { matches: [match("/", { headers: [exact("X-Tenant", "acme")], queryParams: [exact("v", "2")] })] },
    { matches: [match("/", { headers: [pattern("X-Tenant", "ac.*")] })] },
    { matches: [match("/", { headers: [exact("X-Tenant", "other"), exact("x-tenant", "acme")] })] },
  );
  it.each([
    [{}, {}, "r0"],
    [{ "x-tenant": "acme" }, {}, "r1"],
    [{}, { v: "2" }, "r2"],
    [{}, { v: "20" }, "r0"],
    [{ "x-tenant": "acme" }, { v: "2" }, "r3"],
    [{ "x-tenant": "aces" }, {}, "r4"],
    [{ "x-tenant": "xaces" }, { v: "2" }, "r2"],
    [{ "x-tenant": "other" }, {}, "r5"],
  ])("%j and %j are served by %s", (headers, query, name) => {
    expect(nameOf(list, { headers, query })).toBe(name);
  });

  it("leaves equals to the older route, and hands out the match that fitted", () => {
    const list = [
      makeRoute({ name: "young", order: 7 }),
      makeRoute({ name: "old", order: 2, matches: [match("/a"), match("/")] }),
    ];
    const found = compileMatcher(list).find(ask({ path: "/b" }));
    expect(found?.route.name).toBe("old");
    expect(found?.match).toBe(list[1]?.matches[1]);
  });

  it("reads a real handshake", () => {
    const list = routes({
      matches: [match("/ws", { headers: [exact("X-A", "1")], queryParams: [exact("v", "a b")] })],
    });
    const handshake = makeHandshake("//ws/./x?v=a+b&v=c", { "x-a": "1", Host: "ANY.example:80" });
    expect(compileMatcher(list).find(matchRequest(handshake, "ws"))?.route.name).toBe("r0");
  });
});

describe("compilation", () => {
  it("names the route whose pattern or path is not valid", () => {
    const bad = { type: "RegularExpression" as const, value: "(?=x)" };
    expect(() => compileMatcher(routes({ name: "bad", matches: [match(bad)] }))).toThrow("route apps/bad");
    expect(() => compileMatcher(routes({ name: "bad", matches: [match("/%zz")] }))).toThrow("route apps/bad");
  });

  it("pauses whenever a slice is over, and gives the same matcher", async () => {
    const list = routes(...Array.from({ length: 50 }, (_, i) => ({ hostnames: [`h${i}.example.com`] })));
    let time = 0;
    let pauses = 0;
    const matcher = await compileMatcherSliced(list, {
      now: () => time++,
      pause: async () => {
        pauses += 1;
      },
      sliceMs: 5,
    });
    expect(pauses).toBeGreaterThanOrEqual(5);
    expect(matcher.find(ask({ host: "h49.example.com" }))?.route.name).toBe("r49");
    await expect(
      compileMatcherSliced(routes({ matches: [match("/%")] }), { now: () => 0, pause: async () => {}, sliceMs: 5 }),
    ).rejects.toThrow("route apps/r0");
  });
});

/** The rules of precedence read literally: try every match of every route, then take the best. */
function scan(list: readonly Route[], request: MatchRequest): Matched | undefined {
  const rank: (number | string)[][] = [];
  const fitting: Matched[] = [];
  for (const route of list) {
    if (!route.listeners.includes(request.listener)) continue;
    for (const hostname of route.hostnames.length === 0 ? ["*"] : route.hostnames) {
      const wildcard = hostname.startsWith("*");
      if (wildcard ? !request.host.endsWith(hostname.slice(1)) : hostname !== request.host) continue;
      for (const [at, candidate] of route.matches.entries()) {
        if (!fits(candidate, request)) continue;
        const { type, value } = candidate.path;
        const kind = ["Exact", "RegularExpression", "PathPrefix"].indexOf(type);
        const length = value.replace(/(?<=.)\/$/, "").length;
        const counts = [-candidate.headers.length, -candidate.queryParams.length];
        const perPattern = type === "RegularExpression" ? firstOf(list, request.listener, hostname, value) : 0;
        rank.push([wildcard ? 1 : 0, -hostname.length, kind, -length, perPattern, ...counts, route.order, at]);
        fitting.push({ route, match: candidate });
      }
    }
  }
  const best = rank.toSorted((a, b) => compare(a as number[], b as number[]))[0];
  return best === undefined ? undefined : fitting[rank.indexOf(best)];
}

/** Different patterns of one length have no order but that of the first route that has them on this host. */
function firstOf(list: readonly Route[], ...[listener, hostname, value]: string[]): number {
  const having = list.filter(
    (route) =>
      route.listeners.includes(listener!) &&
      (route.hostnames.length === 0 ? hostname === "*" : route.hostnames.includes(hostname!)) &&
      route.matches.some(({ path }) => path.type === "RegularExpression" && path.value === value),
  );
  return Math.min(...having.map((route) => route.order * 100 + route.matches.findIndex((m) => m.path.value === value)));
}

function fits({ path, headers, queryParams }: RouteMatch, request: MatchRequest): boolean {
  const whole = (regex: string, text: string): boolean => RE2JS.matches(regex, text);
  const under = path.value.replace(/\/$/, "");
  const byPath = {
    Exact: () => request.path === path.value,
    PathPrefix: () => request.path === under || request.path.startsWith(`${under}/`),
    RegularExpression: () => whole(path.value, request.path),
  };
  const holds = (condition: RouteMatch["headers"][number], value: string | undefined): boolean =>
    value !== undefined && (condition.type === "Exact" ? value === condition.value : whole(condition.value, value));
  return (
    byPath[path.type]() &&
    headers.every((header) => holds(header, request.header(header.name.toLowerCase()))) &&
    queryParams.every((param) => holds(param, request.query(param.name)))
  );
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at < 0 ? 0 : a[at]! - b[at]!;
}

describe("against a scan of all routes", () => {
  const hosts = ["a.test", "b.a.test", "c.b.a.test", "other.test"];
  const paths = ["/", "/a", "/a/b", "/a/b/", "/ab", "/a/b/c/d", "/1", "/22"];
  const value = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom("1", "2").map((text) => ({ type: "Exact" as const, value: text })) },
    { weight: 1, arbitrary: fc.constant({ type: "RegularExpression" as const, value: "[12]" }) },
  );
  const conditions = (names: readonly string[]) =>
    fc
      .uniqueArray(fc.constantFrom(...names), { maxLength: 2 })
      .chain((chosen) => fc.tuple(...chosen.map((name) => value.map((wanted) => ({ name, ...wanted })))));
  const anyMatch: fc.Arbitrary<RouteMatch> = fc.record({
    path: fc.oneof(
      fc.record({ type: fc.constant("Exact" as const), value: fc.constantFrom(...paths) }),
      fc.record({ type: fc.constant("PathPrefix" as const), value: fc.constantFrom(...paths) }),
      fc.record({
        type: fc.constant("RegularExpression" as const),
        value: fc.constantFrom("/[a-z]+", "/[0-9]+", "/.*", "/a/.*"),
      }),
    ),
    headers: conditions(["X-A", "x-b"]),
    queryParams: conditions(["p", "q"]),
  });
  const anyRoute = fc.record({
    listeners: fc.subarray(["ws", "wss"], { minLength: 1 }),
    hostnames: fc.uniqueArray(fc.constantFrom(...hosts, "*.a.test", "*.b.a.test", "*.test"), { maxLength: 2 }),
    matches: fc.array(anyMatch, { minLength: 1, maxLength: 3 }),
  });
  const values = fc.constantFrom("1", "2", "3");
  const anyAsked = fc.record({
    listener: fc.constantFrom("ws", "wss"),
    host: fc.constantFrom(...hosts),
    path: fc.constantFrom(...paths),
    headers: fc.record({ "x-a": values, "x-b": values }, { requiredKeys: [] }),
    query: fc.record({ p: values, q: values }, { requiredKeys: [] }),
  });

  it("finds the same match", () => {
    let found = 0;
    fc.assert(
      fc.property(fc.array(anyRoute, { maxLength: 14 }), fc.array(anyAsked, { minLength: 8 }), (changes, questions) => {
        const list = routes(...changes);
        const matcher = compileMatcher(list);
        for (const asked of questions) {
          const expected = scan(list, ask(asked));
          const actual = matcher.find(ask(asked));
          expect(actual?.route.name).toBe(expected?.route.name);
          expect(actual?.match).toBe(expected?.match);
          if (actual !== undefined) found += 1;
        }
      }),
      { numRuns: 300 },
    );
    expect(found).toBeGreaterThan(500);
  });

  it("finds the same match when it is made from one of other routes", async () => {
    const withoutPause = { now: () => 0, pause: async () => {}, sliceMs: 5 };
    const change = fc.record({ at: fc.nat(20), to: anyRoute });
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyRoute, { minLength: 4, maxLength: 20 }),
        fc.array(fc.array(change, { maxLength: 2 }), { maxLength: 4 }),
        fc.array(anyAsked, { minLength: 8 }),
        async (first, rounds, questions) => {
          let list = routes(...first);
          let matcher = compileMatcher(list);
          for (const round of rounds) {
            // A change beyond the end takes the last route away.
            for (const { at, to } of round)
              list = at < list.length ? list.with(at, { ...(list[at] as Route), ...to }) : list.slice(0, -1);
            matcher = await compileMatcherSliced(list, withoutPause, matcher);
            for (const asked of questions) {
              const [actual, expected] = [matcher.find(ask(asked)), scan(list, ask(asked))];
              expect(actual?.route).toBe(expected?.route);
              expect(actual?.match).toBe(expected?.match);
            }
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it("takes over the hosts that nothing has changed", async () => {
    const many = routes(...Array.from({ length: 2000 }, (_, i) => ({ hostnames: [`h${i}.example.com`] })));
    let steps = 0;
    const counting = { now: () => steps++, pause: async () => {}, sliceMs: 0 };
    const before = await compileMatcherSliced(many, counting);
    const all = steps;
    steps = 0;
    const after = await compileMatcherSliced(
      many.with(7, { ...(many[7] as Route), hostnames: ["new.example.com"] }),
      counting,
      before,
    );
    expect(steps).toBeLessThan(all / 50);
    const hosts = ["new.example.com", "h8.example.com", "h7.example.com"];
    expect(hosts.map((host) => after.find(ask({ host }))?.route.name)).toEqual(["r7", "r8", undefined]);
    expect(before.find(ask({ host: "h7.example.com" }))?.route.name).toBe("r7");
  });
});
