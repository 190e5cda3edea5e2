// Where the API server is and who we are, from a kubeconfig or a pod's service account.
import type { Agent } from "node:http";
import type { RequestOptions } from "node:https";
import { createRequire } from "node:module";
import type { KubeConfig } from "@kubernetes/client-node";
import { inClusterCredentials } from "./in-cluster.ts";

export interface KubeConfigSource {
  /** Path of a kubeconfig. Omitted: `KUBECONFIG`, `~/.kube/config`, or the pod's service account. */
  readonly kubeconfig?: string | undefined;
  /** A context of the kubeconfig. Omitted: its current one. */
  readonly context?: string | undefined;
}

/** What one request needs to reach the server as the configured user. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: Pick<
    RequestOptions,
    "ca" | "cert" | "key" | "pfx" | "passphrase" | "rejectUnauthorized" | "servername"
  >;
  /** Only where the kubeconfig names a proxy. */
  readonly agent: Agent | undefined;
}

export interface CredentialSource {
  readonly server: URL;
  /** The namespace of the context, or of the pod. */
  readonly namespace: string | undefined;
  credentials(): Promise<Credentials>;
  /** Forgets what was cached and reads the source again: for a 401 after a token was rotated. */
  reload(): void;
}

/** Longest age of credentials in use: certificate and token files are read again after it. */
const REFRESH_MS = 10_000;

/**
 * The library brings a class for each kind of the API: 90 MB and half a second. It is loaded only where there is a kubeconfig to
 * read, never in a pod.
 */
function newKubeConfig(): KubeConfig {
  const library = createRequire(import.meta.url)("@kubernetes/client-node") as typeof import("@kubernetes/client-node");
  return new library.KubeConfig();
}

/**
 * The pod's service account where no kubeconfig is named and there is one, else a kubeconfig.
 * @throws Error naming the file or context when it cannot be used.
 */
export function loadCredentials(source: KubeConfigSource): CredentialSource {
  const inCluster =
    source.kubeconfig === undefined && source.context === undefined ? inClusterCredentials() : undefined;
  if (inCluster) return inCluster;
  let config = loadConfig(source);
  let cached: { readonly at: number; readonly value: Promise<Credentials> } | undefined;
  return {
    server: new URL(config.getCurrentCluster()?.server ?? ""),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    credentials() {
      if (cached === undefined || performance.now() - cached.at > REFRESH_MS) {
        const entry = { at: performance.now(), value: readCredentials(config) };
        entry.value.catch(() => {
          if (cached === entry) cached = undefined;
        });
        cached = entry;
      }
      return cached.value;
    },
    reload() {
      cached = undefined;
      config = loadConfig(source);
    },
  };
}

function loadConfig({ kubeconfig, context }: KubeConfigSource): KubeConfig {
  const config = newKubeConfig();
  if (kubeconfig === undefined) config.loadFromDefault();
  else config.loadFromFile(kubeconfig);
  if (context !== undefined) config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new Error(`kubeconfig: no cluster for context ${JSON.stringify(config.getCurrentContext())}; see --context`);
  }
  // client-node refuses http:// unless TLS verification is off; without TLS there is nothing to verify (kubectl proxy).
  if (cluster.server.startsWith("http:")) Object.assign(cluster, { skipTLSVerify: true });
  return config;
}

async function readCredentials(config: KubeConfig): Promise<Credentials> {
  const options: RequestOptions = { headers: {} };
  await config.applyToHTTPSOptions(options);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    // A token file may end with a newline, which Node refuses in a header.
    if (value !== undefined) headers[name] = String(value).trim();
  }
  if (options.auth) headers.Authorization ??= `Basic ${Buffer.from(options.auth).toString("base64")}`;
  const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
  const given = Object.entries({ ca, cert, key, pfx, passphrase, rejectUnauthorized, servername });
  return {
    headers,
    tls: Object.fromEntries(given.filter(([, value]) => value !== undefined)),
    // The library's own agents close after each request, so they serve only where it knows the way through a proxy.
    agent: config.getCurrentCluster()?.proxyUrl ? (options.agent as Agent) : undefined,
  };
}
