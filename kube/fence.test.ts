import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { json, type ScriptedApi, startScriptedApi } from "../test/support/scripted-api.ts";
import { createKubeClient, type KubeClient } from "./client.ts";
import { FencedOff, type WriteFence } from "./fence.ts";
import { RESOURCES } from "./resources.ts";

const CONFIG = { resource: RESOURCES.configMaps, namespace: "apps", name: "a" };
const OBJECT = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", namespace: "apps" } };

/** Lets through until it is closed; `closeAfter` closes it at that many looks, the first being before the request is made. */
class Gate implements WriteFence {
  readonly over = new AbortController();
  looks = 0;
  closeAfter = Number.POSITIVE_INFINITY;

  term() {
    const check = () => {
      this.looks++;
      if (this.looks > this.closeAfter) throw new FencedOff();
    };
    check();
    return { check, signal: this.over.signal };
  }
}

let api: ScriptedApi;
let plain: KubeClient;
let gate: Gate;
let client: KubeClient;
beforeEach(async () => {
  api = await startScriptedApi();
  plain = createKubeClient({ kubeconfig: api.kubeconfig });
  gate = new Gate();
  client = plain.fenced(gate);
});
afterEach(async () => {
  plain.close();
  await api.stop();
});

const writes: [string, () => Promise<unknown>][] = [
  ["create", () => client.create(CONFIG, OBJECT)],
  ["apply", () => client.apply(CONFIG, OBJECT)],
  ["replace", () => client.replace(CONFIG, OBJECT)],
  ["merge", () => client.merge(CONFIG, {})],
  ["patchStatus", () => client.patchStatus(CONFIG, OBJECT)],
  ["delete", () => client.delete(CONFIG)],
];

it.each(writes)("%s: passes the open fence, with a look right before it is sent", async (_name, write) => {
  api.script(json(200, OBJECT));
  await write();
  expect(api.requests).toHaveLength(1);
  expect(gate.looks).toBe(2);
});

it.each(writes)("%s: is not sent when the fence closes between its making and its sending", async (_name, write) => {
  api.script(json(200, OBJECT));
  gate.closeAfter = 1;
  await expect(write()).rejects.toBeInstanceOf(FencedOff);
  expect(gate.looks).toBe(2);
  await plain.get(CONFIG); // whatever was sent before has arrived by now
  expect(api.requests.map(({ method }) => method)).toEqual(["GET"]);
});

it("looks at the fence on a kept connection too", async () => {
  api.script(json(200, OBJECT));
  await client.apply(CONFIG, OBJECT);
  gate.closeAfter = 3;
  await expect(client.apply(CONFIG, OBJECT)).rejects.toBeInstanceOf(FencedOff);
  await plain.get(CONFIG);
  expect(api.requests.map(({ method }) => method)).toEqual(["PATCH", "GET"]);
});

it("lets everybody read", async () => {
  api.script(json(200, OBJECT));
  gate.closeAfter = 0;
  await client.get(CONFIG);
  expect(api.requests).toHaveLength(1);
});

it("cuts what is under way when the term ends", async () => {
  api.script(() => {}); // never answers
  const writing = client.apply(CONFIG, OBJECT);
  const outcome = expect(writing).rejects.toBeInstanceOf(FencedOff);
  await api.requested(1);
  gate.over.abort();
  await outcome;
});
