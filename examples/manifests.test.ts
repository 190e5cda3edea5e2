// The examples are what people copy: every manifest has to be read without a problem and served as it says.
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "@jest/globals";
import { loadFiles } from "../operator/files.ts";
import { emptyMemory, pass } from "../operator/pass.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const fileNames = (folder: string): string[] =>
  readdirSync(join(FOLDER, folder)).filter((name) => name.endsWith(".yaml") && name !== "secret.yaml");

async function statusesOf(...paths: string[]) {
  const { cluster, problems } = await loadFiles(paths.map((path) => join(FOLDER, path)));
  const options = { externalNames: "Allow" as const };
  const result = pass({ cluster, memory: emptyMemory(), options, now: Date.now(), random: randomBytes });
  const conditions = [...result.routeStatuses, ...result.gatewayStatuses].flatMap(({ key, status }) =>
    (status.conditions ?? [])
      .filter(({ type }) => type === "Accepted" || type === "ResolvedRefs")
      .map(({ type, status: value, reason, message }) => ({ key, type, value, reason, message })),
  );
  return { problems, conditions };
}

describe("the examples", () => {
  it("are served as they are, the chat and the policies together", async () => {
    const { problems, conditions } = await statusesOf("chat", "policies");
    expect(problems).toEqual([]);
    expect(conditions.filter(({ value }) => value !== "True")).toEqual([]);
    expect(new Set(conditions.map(({ key }) => key))).toContain("default/public");
    expect(new Set(conditions.map(({ key }) => key))).toContain("default/chat");
  });

  it.each(fileNames("policies"))("policies/%s needs nothing but the chat", async (name) => {
    const { problems, conditions } = await statusesOf("chat", join("policies", name));
    expect(problems).toEqual([]);
    expect(conditions.filter(({ value }) => value !== "True")).toEqual([]);
  });

  it("tls needs the certificate that its script makes, and says so", async () => {
    const { problems, conditions } = await statusesOf("tls/gateway.yaml");
    expect(problems).toEqual([]);
    const missing = conditions.filter(({ value }) => value !== "True");
    expect(missing.map(({ key, type }) => `${key} ${type}`)).toContain("default/secure ResolvedRefs");
    expect(missing.map(({ message }) => message).join("\n")).toContain("localhost-tls");
  });

  it("are all in the guide", () => {
    const guide = readFileSync(join(FOLDER, "README.md"), "utf8");
    const files = ["chat", "policies", "tls"].flatMap((folder) => fileNames(folder).map((name) => `${folder}/${name}`));
    expect(files.length).toBeGreaterThan(8);
    for (const file of files) expect(guide).toContain(`(${file})`);
  });
});
