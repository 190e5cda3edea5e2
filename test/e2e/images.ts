// Container images built with buildah, as archives that a node can load.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type CommandResult, runCommand } from "../support/controlplane/command.ts";

export interface ImageSource {
  readonly tag: string;
  /** Files of this machine that the Dockerfile copies, by their base name. */
  readonly files: readonly string[];
  readonly dockerfile: string;
}

/**
 * Builds an image from a few files and writes it to `archive`, in Docker's format. Keeps nothing else.
 * @throws Error with buildah's output.
 */
export async function buildImage(source: ImageSource, archive: string): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "holdfast-image-"));
  try {
    const context = join(dir, "context");
    mkdirSync(context);
    for (const file of source.files) copyFileSync(file, join(context, basename(file)));
    writeFileSync(join(context, "Dockerfile"), source.dockerfile);
    // A storage of its own, and the driver that works on any file system: the images are small.
    const storage = ["--root", join(dir, "storage"), "--runroot", join(dir, "run"), "--storage-driver", "vfs"];
    const buildah = (...args: string[]) => runCommand("buildah", [...storage, ...args]).then(succeeded);
    await buildah("bud", "--isolation", "chroot", "--quiet", "--tag", source.tag, context);
    await buildah("push", "--quiet", source.tag, `docker-archive:${archive}:${source.tag}`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** @throws Error with what the command printed when it failed. */
export function succeeded(result: CommandResult): CommandResult {
  if (result.code !== 0) throw new Error(`code ${result.code}: ${result.stdout}${result.stderr}`.trimEnd());
  return result;
}
