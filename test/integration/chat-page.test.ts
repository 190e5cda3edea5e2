// The example as a person meets it: the real command, the real chat, a real browser with two tabs.
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "@jest/globals";
import { type Browser, chromium, type Page } from "playwright-core";
import { type Leashed, startLeashed } from "../support/controlplane/leashed.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { scrape } from "../support/metrics.ts";
import { createRig } from "../support/rig.ts";

const rig = createRig();
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TOKEN = "a-token-for-this-test";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

interface Stage {
  readonly folder: string;
  readonly manifest: string;
  readonly url: string;
  readonly api: number;
  readonly admin: number;
  readonly chat: { start(): Promise<void>; kill(): Promise<void> };
  /** Lines of Holdfast's log with this event. */
  lines(event: string): Promise<Record<string, unknown>[]>;
}

async function setStage(): Promise<Stage> {
  const folder = rig.use(await mkdtemp(join(tmpdir(), "holdfast-page-")), (path) => rm(path, { recursive: true }));
  const chatPort = await freePort();
  await cp(join(ROOT, "examples/chat"), join(folder, "manifests"), {
    recursive: true,
    filter: (path) => !/\.(ts|html)$/.test(path),
  });
  const manifest = join(folder, "manifests/chat.yaml");
  await writeFile(manifest, (await readFile(manifest, "utf8")).replaceAll("port: 3000", `port: ${chatPort}`));
  const chat = startChat(folder, chatPort);
  await chat.start();

  const logFile = join(folder, "holdfast.log");
  const ports = ["--port", "0", "--api-port", "0", "--admin-port", "0"];
  const args = ["run", "-f", join(folder, "manifests"), ...ports, "--api-token", TOKEN];
  rig.use(await startLeashed({ name: "holdfast", file: join(ROOT, "bin/holdfast"), args, logFile }), (part) =>
    part.kill(),
  );
  const lines = async (event: string): Promise<Record<string, unknown>[]> =>
    (await readFile(logFile, "utf8"))
      .split("\n")
      .filter((line) => line.startsWith("{") && line.endsWith("}"))
      .map((line) => JSON.parse(line))
      .filter((line) => line.event === event);
  const started = await eventually("holdfast serves", async () => (await lines("started"))[0], 15_000);
  const { listeners, api, admin } = started as { listeners: { ws: number }; api: number; admin: number };
  const url = `http://127.0.0.1:${chatPort}/?gateway=ws://127.0.0.1:${listeners.ws}`;
  return { folder, manifest, url, api, admin, chat, lines };
}

function startChat(folder: string, port: number): Stage["chat"] {
  let running: Leashed | undefined;
  const chat = {
    async start() {
      const file = join(ROOT, "node_modules/.bin/node");
      const args = [join(ROOT, "examples/chat/server.ts")];
      const env = { name: "env", file: "/usr/bin/env", logFile: join(folder, "chat.log") };
      running = await startLeashed({ ...env, args: [`CHAT_PORT=${port}`, file, ...args] });
      await eventually("the chat answers", () =>
        fetch(`http://127.0.0.1:${port}/`).then(
          ({ ok }) => ok,
          () => false,
        ),
      );
    },
    async kill() {
      await running?.kill();
    },
  };
  return rig.use(chat, (part) => part.kill());
}

async function openTab(browser: Browser, url: string, name: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1100, height: 720 } });
  page.on("pageerror", (error) => {
    throw error;
  });
  await page.goto(url);
  await page.getByLabel("Your name").fill(name);
  await page.getByLabel("Your name").press("Tab");
  await page.getByText("Connected", { exact: true }).first().waitFor();
  return page;
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message").fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

const message = (page: Page, text: string) => page.getByRole("log", { name: "Conversation" }).getByText(text);

it("lets two tabs chat, serves an edited manifest within a second, and disconnects nobody", async () => {
  const stage = await setStage();
  const executablePath = process.env.HOLDFAST_CHROMIUM ?? "/usr/bin/chromium";
  const browser = rig.use(await chromium.launch({ executablePath, args: FLAGS }), (part) => part.close());
  const ann = await openTab(browser, stage.url, "Ann");
  const bob = await openTab(browser, stage.url, "Bob");

  await say(ann, "Hello from the first tab");
  await message(bob, "Hello from the first tab").waitFor();
  await say(bob, "And hello from the second");
  await message(ann, "And hello from the second").waitFor();
  expect(await ann.locator("#id").textContent()).toMatch(/^[\w-]+~[\w-]+\.[\w-]+$/);
  expect(await bob.getByRole("list", { name: /Here now/ }).allInnerTexts()).toEqual([
    expect.stringMatching(/Ann\s+Bob/),
  ]);

  const sent = await fetch(`http://127.0.0.1:${stage.api}/api/hubs/news/groups/news/:send`, {
    method: "POST",
    headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "text/plain" },
    body: "The build is green",
  });
  expect(sent.status).toBe(202);
  for (const tab of [ann, bob]) await tab.locator("#news li", { hasText: /^The build is green/ }).waitFor();
  const pictures = process.env.HOLDFAST_SCREENSHOTS ?? stage.folder;
  await ann.screenshot({ path: join(pictures, "chat-first-tab.png") });
  await bob.screenshot({ path: join(pictures, "chat-second-tab.png") });

  const served = (await stage.lines("snapshot")).length;
  const text = await readFile(stage.manifest, "utf8");
  expect(text).toContain("value: holdfast");
  const editedAt = performance.now();
  await writeFile(stage.manifest, text.replace("value: holdfast", "value: holdfast-2"));
  await eventually("the change is served", async () => (await stage.lines("snapshot")).length > served, 3_000);
  expect(performance.now() - editedAt).toBeLessThan(1_000);

  await say(ann, "Still here after the change");
  await message(bob, "Still here after the change").waitFor();
  expect(await stage.lines("connection")).toEqual([]);
  expect(await scrape(stage.admin, "holdfast_connections", {})).toBe(4);
  for (const tab of [ann, bob]) expect(await tab.getByText("The connection was lost").count()).toBe(0);
}, 60_000);

it("comes back by itself when the chat was away", async () => {
  const stage = await setStage();
  const executablePath = process.env.HOLDFAST_CHROMIUM ?? "/usr/bin/chromium";
  const browser = rig.use(await chromium.launch({ executablePath, args: FLAGS }), (part) => part.close());
  const ann = await openTab(browser, stage.url, "Ann");
  const before = await ann.locator("#id").textContent();
  await stage.chat.kill();
  await ann.getByText("The connection was lost (1014 backend lost)").waitFor();
  expect(await ann.getByRole("button", { name: "Send" }).isDisabled()).toBe(true);
  await stage.chat.start();
  await ann.getByText("Connected again.").waitFor({ timeout: 20_000 });
  await say(ann, "Here again");
  await message(ann, "Here again").waitFor();
  // The part that a backend keeps state by is the same; the connection is another one.
  const affinity = (id: string | null) => id?.split(".")[0];
  const after = await ann.locator("#id").textContent();
  expect(affinity(after)).toBe(affinity(before));
  expect(after).not.toBe(before);
}, 60_000);
