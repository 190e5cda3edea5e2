// Where the control plane's programs are; builds them when they are not there yet.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const BUILD_SCRIPT = fileURLToPath(new URL("../../controlplane/build.sh", import.meta.url));

let found: Promise<string> | undefined;

/**
 * The folder that holds etcd, kube-apiserver, kube-controller-manager, kubectl and helm.
 * Instant when they are built; the first build takes minutes, so run `test/controlplane/build.sh` before the tests.
 * @throws Error with the end of the build's own output.
 */
export function findBinaries(): Promise<string> {
  found ??= build();
  return found;
}

async function build(): Promise<string> {
  const { stdout } = await promisify(execFile)(BUILD_SCRIPT, { maxBuffer: 64 * 1024 * 1024 }).catch((error) => {
    throw new Error(`test/controlplane/build.sh failed:\n${String(error.stderr ?? error).trimEnd()}`);
  });
  return stdout.trimEnd().split("\n").at(-1) ?? "";
}
