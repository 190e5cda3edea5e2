import type { Route, RouteMatch } from "./snapshot.ts";

/** What a request is matched by: `path` in normal form, `host` as in `RequestSubject`, names as the route has them. */
export interface MatchRequest {
  readonly listener: string;
  readonly host: string;
  readonly path: string;
  /** The combined value of a header; the name is in lower case. */
  header(name: string): string | undefined;
  /** The first value of a query parameter. */
  query(name: string): string | undefined;
}

export interface Matched {
  readonly route: Route;
  readonly match: RouteMatch;
}

export interface Matcher {
  find(request: MatchRequest): Matched | undefined;
}

/** Compiles at once. Throws an Error that names the route when a pattern is no RE2 expression. */
export function compileMatcher(_routes: readonly Route[]): Matcher {
  throw new Error("not built yet");
}

/** Compiles in slices: awaits `pause` whenever `sliceMs` have passed by `now`, so that the event loop is not held. */
export async function compileMatcherSliced(
  _routes: readonly Route[],
  _slicing: { readonly now: () => number; readonly pause: () => Promise<void>; readonly sliceMs: number },
): Promise<Matcher> {
  throw new Error("not built yet");
}
