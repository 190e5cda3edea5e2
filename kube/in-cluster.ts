// Where the API server is and who we are, from what the kubelet puts into a pod.
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { CredentialSource } from "./credentials.ts";

const FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The kubelet replaces the token long before it expires, and the file with it. */
const REFRESH_MS = 10_000;

export interface PodEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder with `token`, `ca.crt` and `namespace`. */
  readonly folder: string;
}

/** The pod's service account; undefined outside of a pod, and where `KUBECONFIG` names something else. */
export function inClusterCredentials(
  { env, folder }: PodEnvironment = { env: process.env, folder: FOLDER },
): CredentialSource | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443" } = env;
  if (!host || env.KUBECONFIG) return undefined;
  const namespace = readOrNothing(join(folder, "namespace"));
  if (namespace === undefined) return undefined;
  let token: { readonly at: number; readonly text: string } | undefined;
  const ca = readFileSync(join(folder, "ca.crt"), "utf8");
  return {
    server: new URL(`https://${host.includes(":") ? `[${host}]` : host}:${port}`),
    namespace,
    async credentials() {
      if (token === undefined || performance.now() - token.at > REFRESH_MS) {
        token = { at: performance.now(), text: (await readFile(join(folder, "token"), "utf8")).trim() };
      }
      return { headers: { Authorization: `Bearer ${token.text}` }, tls: { ca }, agent: undefined };
    },
    reload() {
      token = undefined;
    },
  };
}

function readOrNothing(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}
