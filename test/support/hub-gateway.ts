/** A gateway whose hub and API are real, and the calls that a test makes to them. */
import { once } from "node:events";
import type { Bus } from "../../gateway/bus/bus.ts";
import { createMemoryBus } from "../../gateway/bus/bus-memory.ts";
import { createHub } from "../../gateway/hub/hub.ts";
import { Metrics } from "../../gateway/observe/metrics.ts";
import { apiHandler } from "../../gateway/ports/api.ts";
import type { Route } from "../../gateway/snapshot.ts";
import { makeRoute, prefixMatch } from "./make-route.ts";
import type { Client, openClient, Rig } from "./rig.ts";
import type { TestGateway, TestGatewayOptions } from "./test-gateway.ts";

export const API_TOKEN = "a-token-for-tests";

export interface HubGateway extends TestGateway {
  /** Calls the API with its token; `path` stands behind `/api/hubs/`. */
  call(path: string, init?: RequestInit): Promise<Response>;
  /** Sends text to a group of the hub `live` and demands 202. */
  send(group: string, text: string): Promise<void>;
}

export interface HubGatewayOptions extends TestGatewayOptions {
  readonly bus?: Bus;
}

export async function startHubGateway(rig: Rig, options: HubGatewayOptions = {}): Promise<HubGateway> {
  const { bus = createMemoryBus(), gateway: more, ...parts } = options;
  const metrics = new Metrics();
  const hub = createHub({ bus, metrics });
  const api = apiHandler({ hub, token: () => API_TOKEN });
  const routes = parts.routes ?? [hubRoute()];
  const started = await rig.gateway({ ...parts, routes, gateway: { bus, hub, api, metrics, ...more } });
  const call = (path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = { Authorization: `Bearer ${API_TOKEN}`, "Content-Type": "text/plain", ...init.headers };
    return fetch(`http://127.0.0.1:${started.gateway.ports.api}/api/hubs/${path}`, {
      method: "POST",
      body: "x",
      ...init,
      headers,
    });
  };
  return {
    ...started,
    call,
    async send(group, text) {
      const response = await call(`live/groups/${group}/:send`, { body: text });
      if (response.status !== 202) throw new Error(`${response.status} ${await response.text()}`);
    },
  };
}

/** A route at `/` whose clients join the group `news` of the hub `live`. */
export function hubRoute(changes: Partial<Route> = {}): Route {
  return makeRoute({
    name: "news",
    backends: [],
    matches: [prefixMatch("/")],
    hub: { name: "live", groups: ["news"] },
    ...changes,
  });
}

export interface Listener extends Client {
  /** What has come so far, as text; binary messages in hex. */
  readonly messages: string[];
  /** Resolves with all messages as soon as there are `count`. */
  until(count: number): Promise<readonly string[]>;
}

export async function listen(rig: Rig, ...[url, options]: Parameters<typeof openClient>): Promise<Listener> {
  const messages: string[] = [];
  const client = await rig.client(url, options);
  client.socket.on("message", (data: Buffer, isBinary: boolean) => {
    messages.push(isBinary ? `hex ${data.toString("hex")}` : data.toString());
  });
  return {
    ...client,
    messages,
    async until(count) {
      while (messages.length < count) {
        await once(client.socket, "message", { signal: AbortSignal.timeout(5_000) });
      }
      return messages;
    },
  };
}
