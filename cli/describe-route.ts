/** Shows a route of a cluster: what `holdfast describe` does. Apart from its options, so that `--help` loads nothing else. */
import { parseGateway, parseRoute } from "../crds/parse.ts";
import type { WebSocketRouteStatus } from "../crds/websocketroute.ts";
import { createKubeClient, type KubeClient } from "../kube/client.ts";
import { isNotFound } from "../kube/error.ts";
import type { KubeObject } from "../kube/objects.ts";
import { RESOURCES } from "../kube/resources.ts";
import { effectivePolicy } from "../operator/effective.ts";
import type { DescribeOptions } from "./describe.ts";
import type { GatewayName } from "./options.ts";
import { conditionLines, policyLines } from "./report.ts";

type RouteObject = KubeObject & { readonly status?: WebSocketRouteStatus };

/** @throws Error when there is no such route, or the API server does not answer */
export async function describeRoute(name: GatewayName, { kubeconfig, context }: DescribeOptions): Promise<void> {
  const client = createKubeClient({ kubeconfig, context });
  try {
    const route = await client.get<RouteObject>({ resource: RESOURCES.webSocketRoutes, ...name });
    process.stdout.write(`${(await describe(client, name, route)).join("\n")}\n`);
  } finally {
    client.close();
  }
}

async function describe(client: KubeClient, { namespace, name }: GatewayName, route: RouteObject): Promise<string[]> {
  const { conditions = [], parents = [], urls = [], pods, backends } = route.status ?? {};
  const parsed = parseRoute(route);
  const lines = [
    `WebSocketRoute ${namespace}/${name}`,
    ...conditionLines(conditions),
    ...(pods === undefined ? [] : [`  pods: ${pods}`]),
    ...(backends === undefined ? [] : [`  backends: ${backends}`]),
    ...urls.map((url) => `  ${url}`),
  ];
  if (!parsed.ok) return [...lines, ...parsed.problems.map(({ path, message }) => `  ${path}: ${message}`)];
  const gateways = new Map(
    parents.map(({ parentRef }) => {
      const gateway = { namespace: parentRef.namespace ?? namespace, name: parentRef.name };
      return [`${gateway.namespace}/${gateway.name}`, gateway];
    }),
  );
  for (const [key, gateway] of gateways) {
    const defaults = await defaultsOf(client, gateway);
    lines.push(
      "",
      ...(defaults === "absent"
        ? [`  There is no gateway ${key}`]
        : policyLines(key, effectivePolicy(parsed.value.spec, defaults))),
    );
  }
  return lines;
}

async function defaultsOf(client: KubeClient, gateway: GatewayName) {
  try {
    const object = await client.get<KubeObject>({ resource: RESOURCES.webSocketGateways, ...gateway });
    const parsed = parseGateway(object);
    return parsed.ok ? parsed.value.spec.defaults : undefined;
  } catch (error) {
    if (isNotFound(error)) return "absent";
    throw error;
  }
}
