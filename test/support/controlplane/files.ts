// The files that the control plane's servers and clients read: keys, tokens, kubeconfigs. All are made for one run.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Paths of one control plane's files, and the administrator's bearer token. */
export interface ControlPlaneFiles {
  readonly dir: string;
  readonly etcdData: string;
  /** kube-apiserver makes its own serving certificate here at its first start, and keeps it. */
  readonly certDir: string;
  readonly servingCa: string;
  readonly serviceAccountKey: string;
  readonly serviceAccountPublicKey: string;
  readonly tokens: string;
  readonly adminToken: string;
  readonly kubeconfig: string;
  /** Where kubectl and helm keep what they would otherwise leave in the home folder. */
  readonly clientCaches: string;
}

/** Makes a folder of its own below the system's temporary folder, with the keys and the token file in it. */
export function createFiles(): ControlPlaneFiles {
  const dir = mkdtempSync(join(tmpdir(), "holdfast-controlplane-"));
  const certDir = join(dir, "certs");
  const files: ControlPlaneFiles = {
    dir,
    etcdData: join(dir, "etcd"),
    certDir,
    servingCa: join(certDir, "apiserver.crt"),
    serviceAccountKey: join(dir, "service-account.key"),
    serviceAccountPublicKey: join(dir, "service-account.pub"),
    tokens: join(dir, "tokens.csv"),
    adminToken: randomBytes(24).toString("base64url"),
    kubeconfig: join(dir, "kubeconfig"),
    clientCaches: join(dir, "client-caches"),
  };
  mkdirSync(certDir);
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeSecret(files.serviceAccountKey, privateKey.export({ type: "sec1", format: "pem" }));
  writeSecret(files.serviceAccountPublicKey, publicKey.export({ type: "spki", format: "pem" }));
  writeSecret(files.tokens, `${files.adminToken},admin,admin,"system:masters"\n`);
  return files;
}

/** Writes a kubeconfig for one bearer token. The serving certificate is embedded, so the API server must have started once. */
export function writeKubeconfig(path: string, access: { server: string; servingCa: string; token: string }): void {
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "test",
    contexts: [{ name: "test", context: { cluster: "test", user: "test", namespace: "default" } }],
    clusters: [
      {
        name: "test",
        cluster: { server: access.server, "certificate-authority-data": readFileSync(access.servingCa, "base64") },
      },
    ],
    users: [{ name: "test", user: { token: access.token } }],
  };
  writeSecret(path, JSON.stringify(config, null, 2)); // JSON is YAML
}

function writeSecret(path: string, content: string | Buffer): void {
  writeFileSync(path, content, { mode: 0o600 });
}
