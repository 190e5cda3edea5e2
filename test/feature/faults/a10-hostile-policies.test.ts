/** A10: no expression, pattern or schema can run for ever, whatever messages come: the event loop stays free. */
import { describe, expect, it } from "@jest/globals";
import { makeRoute } from "../../support/make-route.ts";
import { CHAT } from "../../support/make-snapshot.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();

async function start(allow: string[]) {
  const backend = await rig.backend();
  const messages = {
    accept: ["Text" as const],
    allow,
    transform: {},
    onInvalid: "Drop" as const,
    mode: "Enforce" as const,
  };
  const route = makeRoute({ messages });
  return rig.gateway({ routes: [route], backends: { [CHAT]: [backend.port] } });
}

const LIST = `{"items":[${Array(20_000).fill("1").join(",")}]}`;

describe("a message that costs too much", () => {
  it.each([
    ["a loop in a loop", "message.items.all(a, message.items.all(b, a == b))", LIST],
    ["an evil pattern", 'text.matches("^(a+)+$")', `"${"a".repeat(60_000)}!"`],
  ])("of %s closes with 1008, also where others are dropped", async (_name, rule, text) => {
    const gateway = await start([rule]);
    const { socket, closed } = await rig.client(gateway.url());
    socket.send(text);
    expect(await closed).toEqual({ code: 1008, reason: "message too costly" });
    expect(await gateway.metric("holdfast_messages_refused_total", { reason: "TooCostly" })).toBe(1);
  });
});

it("thousands of messages at once that cost a little each leave the loop to others in between", async () => {
  const gateway = await start(["message.items.all(a, message.items.all(b, a + b < 1000.0))"]);
  const busy = await rig.client(gateway.url());
  const other = await rig.client(gateway.url());
  const text = `{"items":[${Array.from({ length: 30 }, (_, n) => n).join(",")}]}`;
  const count = 2_000;
  let answered = 0;
  busy.socket.on("message", () => {
    answered += 1;
  });
  for (let n = 0; n < count; n += 1) busy.socket.send(text);
  const rounds = [0];
  while (answered < count) {
    await other.ask('{"items":[]}');
    rounds.push(answered);
  }
  // Were they worked on as they come, hundreds of a chunk would be answered between two answers to somebody else.
  const steps = rounds.slice(1).map((now, index) => now - (rounds[index] ?? 0));
  expect(Math.max(...steps)).toBeLessThan(200);
});
