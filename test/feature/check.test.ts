// The command itself: what it prints where, and how it ends.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, it } from "@jest/globals";

const COMMAND = resolve(import.meta.dirname, "../../bin/holdfast");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-check-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function holdfast(...args: string[]): Promise<Ended> {
  return new Promise((done) => {
    execFile(COMMAND, args, { timeout: 15_000 }, (error, stdout, stderr) =>
      done({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

function file(name: string, spec: string): string {
  const path = join(folder, name);
  writeFileSync(
    path,
    `apiVersion: holdfast.dev/v1alpha1\nkind: WebSocketRoute\nmetadata: {name: chat, namespace: apps}\nspec:\n  ${spec}\n`,
  );
  return path;
}

it("ends with 0 and prints the policy in effect when all is well", async () => {
  const { code, stdout, stderr } = await holdfast("check", "-f", file("good.yaml", "hub: {}"));
  expect({ code, errors: stderr }).toEqual({ code: 0, errors: "" });
  expect(stdout).toMatch(/^WebSocketGateway default\/standalone\n/);
  expect(stdout).toMatch(/WebSocketRoute apps\/chat \(.*good\.yaml:1\)\n {2}Accepted=True\n {2}ResolvedRefs=True\n/);
  expect(stdout).toMatch(/timeouts\.idle +1h +default\n/);
  expect(stdout).toMatch(/1 file, 1 gateway, 1 route, 0 problems\n$/);
});

it("ends with 1, and names the file, the line and the field of a problem", async () => {
  const path = file("bad.yaml", "hub: {}\n  timeouts: {idle: soon}");
  const text = await holdfast("check", "-f", path);
  expect(text.code).toBe(1);
  expect(text.stdout).toContain(`${path}:6: WebSocketRoute apps/chat: spec.timeouts.idle: must be a duration`);
  const json = await holdfast("check", "-f", path, "--output", "json");
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, problems: [{ file: path, line: 6 }] });
});

it("ends with 1 when there is nothing to read", async () => {
  const { code, stdout } = await holdfast("check", "-f", join(folder, "absent.yaml"));
  expect(code).toBe(1);
  expect(stdout).toContain("absent.yaml:1: cannot be read: no such file or folder");
});

it("takes an ExternalName as run does, unless it is told to refuse it", async () => {
  const path = file(
    "outside.yaml",
    "backendRefs: [{name: out, port: 80}]\n---\napiVersion: v1\nkind: Service\nmetadata: {name: out, namespace: apps}\nspec: {type: ExternalName, externalName: example.org, ports: [{port: 80}]}",
  );
  expect((await holdfast("check", "-f", path)).code).toBe(0);
  const refused = await holdfast("check", "-f", path, "--refuse-external-name");
  expect(refused.code).toBe(1);
  expect(refused.stdout).toContain("ExternalNameNotPermitted");
});
