import { describe, expect, it } from "@jest/globals";
import { checkNames, checkOutput, checkReport, expectedCheck } from "./run.ts";

describe("golden reports of check (node test/golden/update.ts writes the outputs anew)", () => {
  it.each(checkNames())("%s", async (name) => {
    expect(await checkOutput(name)).toBe(expectedCheck(name));
  });
});

it("is good only where everything is accepted and resolved", async () => {
  expect((await checkReport("good")).ok).toBe(true);
  expect((await checkReport("bad")).ok).toBe(false);
});

it("says of each value where it comes from, block by block", async () => {
  const { routes } = await checkReport("good");
  const [chat, news] = routes;
  const origin = (route: typeof chat, gateway: string, field: string) => {
    const { values } = route?.policies.find((policy) => policy.gateway === gateway) ?? { values: [] };
    const found = values.find((value) => value.field === field);
    return found && [found.value, found.from];
  };
  expect(origin(chat, "apps/public", "limits.maxMessageSize")).toEqual(["1Mi", "default"]);
  expect(origin(chat, "apps/public", "limits.maxQueuedBytes")).toEqual(["2Mi", "route"]);
  expect(origin(chat, "apps/public", "limits.messages.onExceeded")).toEqual(["Close", "default"]);
  expect(origin(chat, "apps/public", "timeouts.idle")).toEqual(["10m", "gateway"]);
  expect(origin(chat, "apps/inner", "timeouts.idle")).toEqual(["1h", "default"]);
  expect(origin(chat, "apps/inner", "origins")).toBeUndefined();
  expect(origin(news, "apps/public", "limits.maxMessageSize")).toEqual(["64Ki", "gateway"]);
  // The gateway's Pause does not fit a hub.
  expect(origin(news, "apps/public", "limits.onSlowClient")).toEqual(["Close", "default"]);
  expect(origin(news, "apps/public", "authentication.apiKeys.secretRef.name")).toBeUndefined();
});

it("finds the line of the field that a condition is about", async () => {
  const { problems } = await checkReport("bad");
  const lines = problems.map(({ line, reason }) => [line, reason]);
  // Of the value of the pattern, not of its route.
  expect(lines).toContainEqual([26, "Invalid"]);
  expect(lines).toContainEqual([34, "BackendNotFound"]);
});

it("shows no secret", async () => {
  expect(JSON.stringify(await checkReport("good"))).not.toContain("do-not-print-me");
});
