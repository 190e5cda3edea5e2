/** Which hosts of a route a listener serves. An empty list stands for any host. Gateway API's rules for listener and route. */

/**
 * The route's hostnames narrowed to the listener's; undefined when nothing is left of them.
 * A wildcard covers one or more labels, so `*.example.com` covers `a.b.example.com` and not `example.com`.
 */
export function intersectHostnames(
  listener: string | undefined,
  route: readonly string[] | undefined,
): readonly string[] | undefined {
  if (listener === undefined) return route ?? [];
  if (route === undefined || route.length === 0) return [listener];
  const both = route.flatMap((hostname) => narrower(listener, hostname) ?? []);
  return both.length === 0 ? undefined : [...new Set(both)];
}

function narrower(a: string, b: string): string | undefined {
  if (covers(a, b)) return b;
  return covers(b, a) ? a : undefined;
}

function covers(wide: string, narrow: string): boolean {
  return wide === narrow || (wide.startsWith("*.") && narrow.endsWith(wide.slice(1)) && narrow !== wide.slice(2));
}
